"""Colors, and the size of pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from bloodcells.visualization.style import class_colors, write_png


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_the_colors_of_classes_follow_their_order() -> None:
    twelve = class_colors(f"class {number}" for number in range(12))
    assert len({*twelve.values()}) == 12
    assert [*class_colors(["blast", "monocyte"]).values()] == [*twelve.values()][:2]


def test_a_small_picture_is_written_as_it_is(tmp_path: Path) -> None:
    picture = noise(80, 60)
    write_png(tmp_path / "deep" / "a.png", picture)
    with Image.open(tmp_path / "deep" / "a.png") as again:
        assert again.convert("RGB").tobytes() == picture.tobytes()


def test_a_picture_that_is_too_heavy_loses_colors_first_and_size_only_then(tmp_path: Path) -> None:
    picture = noise(300, 200)  # noise: 180 kB with all its colors, a third with 256
    for limit, smaller in ((100_000, False), (30_000, True)):
        write_png(tmp_path / "a.png", picture, limit=limit)
        assert (tmp_path / "a.png").stat().st_size <= limit
        with Image.open(tmp_path / "a.png") as again:
            assert (again.size != picture.size) == smaller
