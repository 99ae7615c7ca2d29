import numpy as np

from bloodcells.reporting.heatmaps import COLORS, marked, overlay, scale

GREY = np.full((40, 60, 3), 120, dtype=np.uint8)


def lightness(colours: np.ndarray) -> np.ndarray:
    """CIE 1976 L* of sRGB colours (n, 3) in 0 to 255."""
    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.asarray(np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3))


def test_the_colours_grow_evenly_in_lightness() -> None:
    light = lightness(COLORS)
    steps = np.diff(light[::16])
    assert steps.min() > 0  # even without seeing colours, more heat is told from less
    assert steps[1:].max() < 1.5 * steps[1:].min()  # the screen's blackest sixteenth aside
    assert light[-1] - light[0] > 90


def test_hotter_places_are_lighter_and_the_image_is_still_seen() -> None:
    pixels = GREY.copy()
    pixels[:, 30:] = 220
    heat = np.zeros((40, 60), dtype=np.float32)
    heat[:20] = 1
    before = pixels.copy()
    result = overlay(pixels, heat)
    assert result.shape == (40, 60, 3)
    assert result.dtype == np.uint8
    assert np.array_equal(pixels, before)
    cold, hot = lightness(result[30, [10, 50]].astype(float)), lightness(result[5, [10, 50]].astype(float))
    assert (hot > cold + 30).all()
    assert cold[1] > cold[0] + 10
    assert hot[1] > hot[0] + 5


def test_an_image_s_own_colours_do_not_mix_with_those_of_heat() -> None:
    heat = np.full((1, 2), 0.3)
    red_and_equal_grey = np.array([[[255, 0, 0], [76, 76, 76]]], dtype=np.uint8)
    result = overlay(red_and_equal_grey, heat).astype(int)
    assert np.abs(result[0, 0] - result[0, 1]).max() <= 1


def test_the_frame_is_the_target_s_edge_and_the_ring_is_around_row_and_column_of_the_peak() -> None:
    target = np.zeros((40, 60), np.bool_)
    target[10:30, 5:25] = True
    changed = (marked(GREY, target, (8, 50)) != GREY).any(axis=2)
    frame, ring = changed[:, :30], changed[:, 30:]
    assert frame[[10, 29], 5:25].all()
    assert frame[10:30, [5, 24]].all()
    assert frame.sum() == 4 * 20 - 4
    rows, columns = np.nonzero(ring)
    assert (rows.mean(), columns.mean() + 30) == (8, 50)
    assert not ring[8, 20]


def test_without_target_and_peak_nothing_is_marked() -> None:
    assert np.array_equal(marked(GREY, None, None), GREY)


def test_the_scale_shows_heat_from_none_to_all() -> None:
    strip = scale(100, 4)
    assert strip.shape == (4, 100, 3)
    assert (np.diff(lightness(strip[0].astype(float))[::10]) > 0).all()
