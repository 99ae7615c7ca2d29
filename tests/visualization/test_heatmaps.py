"""Heat maps over images."""

import numpy as np
import pytest

from bloodcells.visualization.heatmaps import color_scale, mark, overlay

GRAY = np.full((40, 60, 3), 120, dtype=np.uint8)


def lightness(colors: np.ndarray) -> np.ndarray:
    """CIE 1976 L* of sRGB colors (..., 3) in 0 to 255."""
    share = colors / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.asarray(np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3))


def test_the_scale_darkens_so_that_heat_is_readable_without_colors() -> None:
    scale = color_scale(200, 12)
    assert scale.shape == (12, 200, 3)
    assert (scale == scale[:1]).all()
    light = lightness(scale[0].astype(float))
    assert np.diff(light[::20]).max() < 0.1  # the weakest heat is hardly drawn
    assert light[0] - light[-1] > 25


def test_the_image_stays_visible_under_the_strongest_heat_and_unchanged_under_none() -> None:
    pixels = GRAY.copy()
    pixels[:, 30:] = 220
    heat = np.zeros((40, 60), dtype=np.float32)
    heat[:20] = 1
    before = pixels.copy()
    result = overlay(pixels, heat)
    assert result.shape == (40, 60, 3)
    assert result.dtype == np.uint8
    assert np.array_equal(pixels, before)
    assert np.array_equal(result[20:], pixels[20:])
    under_heat = result[:20].astype(int)
    assert (under_heat[:, 30:] - under_heat[:, :30] >= 45).all()  # of an edge of 100, about half is left
    assert not (result[:20] == pixels[:20]).all(axis=2).any()


def test_the_outline_is_the_edge_of_the_target_and_the_ring_surrounds_the_row_and_column_of_the_peak() -> None:
    target = np.zeros((40, 60), np.bool_)
    target[10:30, 5:25] = True
    changed = (mark(GRAY, target, (8, 50)) != GRAY).any(axis=2)
    outline, ring = changed[:, :30], changed[:, 30:]
    assert outline[[10, 29], 5:25].all()
    assert outline[10:30, [5, 24]].all()
    assert outline.sum() == 4 * 20 - 4
    rows, columns = np.nonzero(ring)
    assert (rows.mean(), columns.mean() + 30) == pytest.approx((8, 50))
    assert not ring[8, 20]


def test_without_target_and_peak_nothing_is_marked() -> None:
    assert np.array_equal(mark(GRAY, None, None), GRAY)
