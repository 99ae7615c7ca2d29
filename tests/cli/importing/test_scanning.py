import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bloodcells.cli.importing.scanning import scan
from bloodcells.core.errors import InputError
from tests.support.laboratory import look, mask, photograph, photographs


def test_files_are_told_apart(tmp_path: Path) -> None:
    photographs(tmp_path / "images", ["10.png", "2.png"])
    for name in ("labels.csv", "boxes/2.xml", "README.md", ".DS_Store", "__MACOSX/2.png", ".git/3.png", "._2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = look(tmp_path)
    assert [image.name for image in found.images] == ["images/2.png", "images/10.png"]  # as people count
    assert (found.tables, found.annotations, found.others) == (("labels.csv",), ("boxes/2.xml",), ("README.md",))
    assert found.skipped == {}


def test_what_is_no_file_is_skipped_with_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    photograph(folder / "a.png")
    os.mkfifo(folder / "pipe.png")  # opening it would wait forever
    (folder / "gone.png").symlink_to("nowhere")
    (folder / "loop").symlink_to(folder)
    (folder / "linked.png").symlink_to("a.png")
    Path(os.fsdecode(os.fsencode(folder) + b"/b\xff.png")).touch()
    found = look(folder)
    assert [image.name for image in found.images] == ["a.png", "linked.png"]
    skipped = {name: reason for reason, names in found.skipped.items() for name in names}
    assert "pipe" in skipped["pipe.png"]
    assert "nowhere" in skipped["gone.png"]
    assert "folder" in skipped["loop"]
    assert len(skipped) == 4


def test_an_image_that_the_pipeline_can_not_use_says_why(tmp_path: Path) -> None:
    photograph(tmp_path / "whole.jpg", size=(200, 150))
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    Image.open(tmp_path / "whole.jpg").convert("L").save(tmp_path / "gray.png")
    problems = {image.name: image.problem for image in look(tmp_path).images}
    assert problems["whole.jpg"] == ""
    assert "broken" in problems["half.jpg"]
    assert "not an image" in problems["text.png"]
    assert "empty" in problems["empty.png"]
    assert "grayscale" in problems["gray.png"]


def test_a_photograph_has_more_colors_than_a_mask(tmp_path: Path) -> None:
    photograph(tmp_path / "a.png")
    mask(tmp_path / "b.png")
    image, drawn = look(tmp_path).images
    assert image.colors > 100
    assert drawn.colors == 3
    assert image.size == drawn.size == (40, 40)


def test_a_missing_folder_and_a_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        look(tmp_path / "absent")
    with pytest.raises(InputError, match="not a folder"):
        look(photograph(tmp_path / "a.png"))


def test_hundreds_of_images_take_seconds(tmp_path: Path) -> None:
    """10,000 crops shall take well under a minute; here with a margin for a busy machine."""
    pixels = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    for number in range(400):
        pixels[0, 0] = (*divmod(number, 256), 0)
        Image.fromarray(pixels).save(tmp_path / f"{number}.bmp")
    start = time.perf_counter()
    found = scan(tmp_path, lambda path, _: Image.open(path).convert("RGB"), progress=False)
    assert time.perf_counter() - start < 10
    assert len({image.md5 for image in found.images}) == 400
