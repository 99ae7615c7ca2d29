from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bloodcells.cli.importing.pictures import (
    find_copies,
    find_masks,
    guess_crop,
    guess_crop_around,
    guess_range,
)
from bloodcells.cli.importing.scanning import ImageFile
from tests.support.laboratory import deep_photograph, look, mask, photograph


def names_of(images: tuple[ImageFile, ...]) -> list[str]:
    return [image.name for image in images]


def test_masks_are_recognized_by_their_colors_and_names(tmp_path: Path) -> None:
    for name in ("001.bmp", "002.bmp", "labels/003.bmp", "004_mask.bmp"):
        photograph(tmp_path / name)  # photographs, whatever they are called
    mask(tmp_path / "001.png")
    mask(tmp_path / "somewhere.png")
    for name in ("masks/001.jpg", "002_mask.jpg"):
        mask(tmp_path / name, (80, 80))
    assert names_of(find_masks(look(tmp_path).images)) == ["001.png", "002_mask.jpg", "masks/001.jpg", "somewhere.png"]


def test_a_pale_photograph_without_a_namesake_is_no_mask(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(224, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "blank.png")
    (image,) = look(tmp_path).images
    assert image.shades == 1
    assert not find_masks([image])


def test_equal_files_are_found_under_all_their_names(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        photograph(tmp_path / name, seed=1)
    photograph(tmp_path / "d.png", seed=2)
    (tmp_path / "broken.png").touch()
    assert [names_of(same) for same in find_copies(look(tmp_path).images)] == [["a.png", "b.png", "c.png"]]


def sized(*sizes: tuple[int, int]) -> list[ImageFile]:
    return [ImageFile(f"{number}.png", size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(120, 120)] * 3, 120),
        ([(88, 90), (120, 110), (120, 120)], 120),
        ([(640, 480)] * 3, None),
        ([(1600, 1600)] * 3, None),
        ([(120, 120), (640, 480)], None),
        ([], None),
    ],
)
def test_small_square_images_are_crops(sizes: list[tuple[int, int]], side: int | None) -> None:
    assert guess_crop(sized(*sizes)) == side


def test_a_cell_fills_about_half_of_the_square_around_it() -> None:
    side = guess_crop_around([(90, 100), (100, 80), (10, 10)])
    assert side is not None
    assert 0.4 < 90 * 100 / side**2 < 0.6
    assert guess_crop_around([]) is None


@pytest.mark.parametrize(("brightest", "limit"), [(1023, 1023), (3000, 4095), (4095, 4095), (65535, 65535)])
def test_the_bits_of_a_camera_are_guessed_from_the_brightest_value(tmp_path: Path, brightest: int, limit: int) -> None:
    deep_photograph(tmp_path / "a.png", brightest)
    (image,) = look(tmp_path).images
    assert not image.problem
    assert image.shades > 4
    assert guess_range([image, ImageFile("b.png")]) == (0, limit)
    assert guess_range([ImageFile("b.png")]) is None
