import numpy as np
import pytest
from PIL import Image

from bloodcells.core.geometry import Box, Point
from bloodcells.imaging.cropping import crop_around, letterbox, resize_crop


def test_a_crop_is_a_square_in_the_image_that_contains_the_point() -> None:
    rng = np.random.default_rng(0)
    for x, y in rng.uniform((0, 0), (640, 480), (50, 2)):
        box = crop_around(Point(x, y, 1), (640, 480), 256)
        assert (box.right - box.left, box.bottom - box.top) == (256, 256)
        assert 0 <= box.left <= 640 - 256
        assert 0 <= box.top <= 480 - 256
        assert box.contains(Point(x, y, 1))
    assert crop_around(Point(320, 240, 1), (640, 480), 256) == Box(192, 112, 448, 368)


def test_a_small_image_gives_its_largest_square() -> None:
    assert crop_around(Point(50, 20, 1), (100, 40), 256) == Box(30, 0, 70, 40)


def test_a_crop_is_scaled() -> None:
    image = Image.new("RGB", (60, 40), (10, 20, 30))
    image.paste((200, 100, 50), (20, 10, 40, 30))
    assert (resize_crop(image, Box(20, 10, 40, 30), 20) == (200, 100, 50)).all()
    assert (resize_crop(image, Box(24, 14, 36, 26), 32) == (200, 100, 50)).all()
    assert (resize_crop(image, Box(0, 0, 18, 18), 32) == (10, 20, 30)).all()
    assert resize_crop(image, Box(0, 0, 40, 40), 8).shape == (8, 8, 3)


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (50, 50), (640, 1)])
def test_a_full_image_is_padded_with_its_median_color(size: tuple[int, int]) -> None:
    result = letterbox(Image.new("RGB", size, (10, 20, 30)), 32)
    assert result.shape == (32, 32, 3)
    assert (result == (10, 20, 30)).all()


def test_a_square_in_a_full_image_stays_square() -> None:
    image = Image.new("RGB", (640, 480), (220, 220, 220))
    image.paste((0, 0, 0), (200, 100, 400, 300))
    rows, columns = np.nonzero(letterbox(image, 160)[..., 0] < 110)
    assert np.ptp(rows) == np.ptp(columns) == 49
    assert rows.min() == 20 + 25
