import numpy as np
import pytest
from scipy import stats

from bloodcells.evaluation.clusters import draw, estimate, share

STRATA = np.repeat([0, 1, 2], [30, 12, 8])


def test_each_stratum_keeps_its_size_and_the_first_row_is_what_was_observed() -> None:
    times = draw(STRATA, 200, seed=1)
    assert times.shape == (201, 50)
    assert (times[0] == 1).all()
    for stratum, size in enumerate((30, 12, 8)):
        assert (times[:, stratum == STRATA].sum(axis=1) == size).all()
    assert (times[1:].max(axis=1) > 1).all()


def test_the_seed_decides() -> None:
    assert np.array_equal(draw(STRATA, 20, seed=1), draw(STRATA, 20, seed=1))
    assert not np.array_equal(draw(STRATA, 20, seed=1), draw(STRATA, 20, seed=2))


def test_the_share_is_that_of_all_rows_whatever_image_they_are_of() -> None:
    times = draw([0, 0, 0], 5, seed=1)
    assert share(times, [3, 0, 1], [4, 1, 1])[0] == pytest.approx(4 / 6)


def test_intervals_agree_with_rows_that_are_drawn_image_by_image() -> None:
    """Against a plain loop that draws images, gathers all their rows, and counts."""
    random = np.random.default_rng(5)
    sizes = random.integers(0, 6, 60)
    chance = random.random(60)
    rows = [random.random(size) < of for size, of in zip(sizes, chance, strict=True)]
    strata = random.integers(0, 2, 60)
    plain = []
    for _ in range(4000):
        drawn = np.concatenate([random.choice(np.flatnonzero(strata == k), (strata == k).sum()) for k in (0, 1)])
        plain.append(np.concatenate([rows[image] for image in drawn]).mean())
    of = estimate(share(draw(strata, 4000, seed=1), [row.sum() for row in rows], sizes))
    assert (of.low, of.high) == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.012)
    assert of.value == np.concatenate(rows).mean()


def test_intervals_agree_with_scipy_where_each_image_has_one_row() -> None:
    right = np.random.default_rng(2).random(80) < 0.7
    expected = stats.bootstrap((right,), np.mean, n_resamples=9999, method="percentile", rng=3).confidence_interval
    of = estimate(share(draw(np.zeros(80), 10_000, seed=1), right, np.ones(80)))
    assert (of.low, of.high) == pytest.approx((expected.low, expected.high), abs=0.013)


def test_copies_that_agree_make_an_interval_no_narrower() -> None:
    """Ten copies of each image tell no more than one: rows taken for independent would give a third of the width."""
    right = np.random.default_rng(2).random(80) < 0.7
    times = draw(np.zeros(80), 4000, seed=1)
    once, tenfold = (estimate(share(times, copies * right, np.full(80, copies))) for copies in (1, 10))
    assert tenfold == once


def test_a_difference_of_shares_of_the_same_images_is_paired() -> None:
    right = np.random.default_rng(2).random(80) < 0.7
    times = draw(np.zeros(80), 1000, seed=1)
    same = share(times, right, np.ones(80)) - share(times, 3 * right, np.full(80, 3))
    assert estimate(same) == pytest.approx(estimate(np.zeros(1001)))


def test_resamples_without_a_row_are_left_out_and_rows_without_any_are_refused() -> None:
    times = draw([0, 0], 1000, seed=1)
    values = share(times, [1, 0], [2, 0])
    assert np.isnan(values).any()
    of = estimate(values)
    assert (of.value, of.low, of.high) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="no rows"):
        share(times, [0, 0], [0, 0])
