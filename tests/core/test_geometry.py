import numpy as np

from bloodcells.core.geometry import Box, Point
from bloodcells.imaging.cropping import crop_around


def test_a_crop_is_a_square_in_the_image_with_the_point_in_it() -> None:
    rng = np.random.default_rng(0)
    for x, y in rng.uniform((0, 0), (640, 480), (50, 2)):
        box = crop_around(Point(x, y, 1), (640, 480), 256)
        assert (box.right - box.left, box.bottom - box.top) == (256, 256)
        assert 0 <= box.left <= 640 - 256
        assert 0 <= box.top <= 480 - 256
        assert box.holds(Point(x, y, 1))
    middle = crop_around(Point(320, 240, 1), (640, 480), 256)
    assert middle == Box(192, 112, 448, 368)


def test_a_small_image_gives_its_largest_square() -> None:
    assert crop_around(Point(50, 20, 1), (100, 40), 256) == Box(30, 0, 70, 40)


def test_a_margin_widens_a_box_to_each_side() -> None:
    box = Box(10, 20, 30, 40)
    assert box.holds(Point(10, 20, 1))
    assert not box.holds(Point(9, 30, 1))
    assert box.holds(Point(0, 50, 1), margin=10)
    assert not box.holds(Point(20, 50.5, 1), margin=10)
