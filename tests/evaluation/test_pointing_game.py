import numpy as np
import pytest
from PIL import Image, ImageDraw

from bloodcells.core.geometry import Box, Point
from bloodcells.evaluation.pointing_game import (
    PointingResult,
    View,
    peaks,
    pointing_game,
    pointing_table,
    target_mask,
    view_of_crop,
    view_of_full_image,
)
from bloodcells.imaging.cropping import letterbox, resize_crop

SIDE = 160


def smear(width: int, height: int, box: Box) -> Image.Image:
    """Draw a gray smear with a cell that fills its box."""
    image = Image.new("RGB", (width, height), (200, 200, 200))
    ImageDraw.Draw(image).rectangle((box.left, box.top, box.right - 1, box.bottom - 1), (80, 0, 120))
    return image


def assert_shown_at(mask: np.ndarray, pixels: np.ndarray) -> None:
    """Compare where the cell is visible with where it should be; the pixels of one blurred edge may differ."""
    seen = pixels[..., 1] < 100
    height, width = seen.any(axis=1).sum(), seen.any(axis=0).sum()
    assert min(height, width) > max(height, width) / 2 > 5  # so a shift by one pixel would change more than an edge
    assert (seen != mask).sum() <= max(height, width)


@pytest.mark.parametrize("crop", [Box(238, 142, 494, 398), Box(0, 224, 256, 480), Box(300, 100, 420, 220)])
def test_in_a_crop_the_target_is_where_the_cell_is_visible(crop: Box) -> None:
    cell = Box(crop.left + 20, crop.top + 56, crop.left + 88, crop.top + 98)
    pixels = resize_crop(smear(640, 480, cell), crop, SIDE)
    assert_shown_at(target_mask([cell], view_of_crop(crop, SIDE), SIDE), pixels)


@pytest.mark.parametrize("shape", [(640, 480), (480, 640), (300, 300), (1001, 333)])
def test_in_a_full_image_the_target_is_where_the_cell_is_visible(shape: tuple[int, int]) -> None:
    cell = Box(shape[0] // 2, shape[1] // 8, shape[0] // 2 + 100, shape[1] // 8 + 140)
    pixels = letterbox(smear(*shape, cell), SIDE)
    assert_shown_at(target_mask([cell], view_of_full_image(*shape, SIDE), SIDE), pixels)


def test_several_boxes_with_their_margin_make_one_target() -> None:
    boxes, view = [Box(30, 40, 50, 60), Box(45, 20, 90, 45)], View(10, 5, 0.7, 0.9)
    mask = target_mask(boxes, view, 120, margin=3)
    for y, x in np.random.default_rng(0).integers(0, 120, (300, 2)):
        point = Point(view.left + (x + 0.5) * view.across, view.top + (y + 0.5) * view.down, 0)
        assert mask[y, x] == any(box.contains(point, 3) for box in boxes)
    assert mask.sum() > target_mask(boxes, view, 120).sum()


def test_a_peak_is_the_row_and_column_in_the_middle_of_the_largest_values() -> None:
    heat = np.zeros((4, 9, 12), dtype=np.float32)
    heat[0, 2, 7] = 0.5
    heat[1, 0:3, 8:11] = 1  # flat, as resized maps are in a corner
    heat[2, 5, 3], heat[2, 6, 3] = 0.8, 0.9
    assert peaks(heat) == [(2, 7), (1, 9), (6, 3), None]


def test_hits_are_peaks_on_the_target_and_a_map_of_zeros_is_a_miss() -> None:
    heat, targets = np.zeros((4, 8, 8), dtype=np.float32), np.zeros((4, 8, 8), np.bool_)
    heat[0, 1, 6] = heat[1, 1, 6] = heat[2, 6, 1] = 1
    targets[:, 0:3, 5:8] = True
    targets[1] = False
    targets[3] = True  # still a miss: the map is all zeros
    result = pointing_game(heat, targets)
    assert (result.hits, result.cells, result.accuracy) == (1, 4, 0.25)
    assert result.chance == pytest.approx((9 + 0 + 9 + 64) / 64 / 4)
    assert result.center == 0.25


def test_a_random_point_hits_as_often_as_chance_says() -> None:
    rng = np.random.default_rng(0)
    targets = np.zeros((4000, 20, 20), np.bool_)
    targets[:, 3:15, 4:12] = True
    result = pointing_game(rng.random((4000, 20, 20), dtype=np.float32), targets)
    low, high = result.interval
    assert low < result.chance < high


def test_the_table_has_a_row_per_model_and_no_accuracy_without_annotated_cells() -> None:
    played, none = pointing_table({"resnet": PointingResult(32, 35, 1 / 3, 2 / 3), "own": None}).to_dict("records")
    assert (played["model"], played["hits"], played["cells"]) == ("resnet", 32, 35)
    # the interval is the published one of 32 of 35, see test_intervals
    columns = ("accuracy", "low", "high", "chance", "center")
    expected = (0.9143, 0.776, 0.970, 1 / 3, 2 / 3)
    assert [played[name] for name in columns] == pytest.approx(expected, abs=5e-4)
    assert (none["hits"], none["cells"]) == (0, 0)
    assert np.isnan([none[name] for name in columns]).all()


@pytest.mark.parametrize("shape", [(0, 4, 4), (2, 4, 5)])
def test_a_pointing_game_needs_maps_and_targets_of_the_same_shape(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="maps of shape"):
        pointing_game(np.zeros(shape, dtype=np.float32), np.zeros((shape[0], 4, 4), np.bool_))
