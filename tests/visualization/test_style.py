"""Colors, and the size of pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from bloodcells.visualization.style import CLASS_COLORS, MODEL_COLORS, write_png
from tests.support.smallset import CLASSES


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_every_class_and_model_has_a_color_of_its_own() -> None:
    assert set(CLASS_COLORS) == {*CLASSES, *RARE}
    colors = [*CLASS_COLORS.values(), *MODEL_COLORS.values()]
    assert len(set(colors)) == len(colors)


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
