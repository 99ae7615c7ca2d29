import math

import numpy as np
import pytest

from bloodcells.evaluation.intervals import (
    clustered_wilson,
    effective_groups,
    expanded_tail,
    newcombe,
    proportion_interval,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        (32, 35, 0.776, 0.970),  # these three: the table of the original report
        (28, 35, 0.641, 0.900),
        (6, 35, 0.081, 0.327),
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3, and these
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_the_published_ones(successes: int, total: int, low: float, high: float) -> None:
    digits = 3 if total == 35 else 4
    assert tuple(round(bound, digits) for bound in wilson(successes, total)) == (low, high)


def test_wilson_intervals_stay_within_0_and_1_and_are_symmetric() -> None:
    assert wilson(20, 20)[1] == 1
    assert wilson(0, 20)[0] == 0
    low, high = wilson(3, 20)
    assert wilson(17, 20) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_refused(successes: int, total: int) -> None:
    with pytest.raises(ValueError):
        wilson(successes, total)


@pytest.mark.parametrize(
    ("first", "other", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombe_intervals_are_the_published_ones(
    first: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    assert newcombe(*first, *other) == pytest.approx((low, high), abs=5e-5)
    assert newcombe(*other, *first) == pytest.approx((-high, -low), abs=5e-5)


def test_a_difference_needs_observations_of_both_proportions() -> None:
    with pytest.raises(ValueError, match="both proportions"):
        newcombe(1, 2, 0, 0)


# ---- groups


def test_groups_of_one_cell_give_nearly_wilson_s_interval() -> None:
    hits = np.arange(400) < 340
    assert clustered_wilson(hits, np.ones(400)) == pytest.approx(wilson(340, 400), abs=0.001)


def test_ten_equal_cells_in_each_group_tell_no_more_than_one() -> None:
    hits = np.arange(40) < 31
    once, tenfold = clustered_wilson(hits, np.ones(40)), clustered_wilson(10 * hits, np.full(40, 10))
    assert tenfold == pytest.approx(once)
    low, high = wilson(310, 400)
    assert once[0] < low < high < once[1]


def test_groups_that_are_more_alike_than_chance_do_not_narrow_the_interval() -> None:
    low, high = clustered_wilson(np.full(20, 12), np.full(20, 15))
    assert low < wilson(240, 300)[0]
    assert high > wilson(240, 300)[1]


def test_if_all_cells_are_successes_or_none_each_group_counts_as_one_cell() -> None:
    assert clustered_wilson([15, 3, 8], [15, 3, 8]) == wilson(3, 3)
    assert clustered_wilson([0, 0, 0, 0], [15, 3, 8, 0]) == wilson(0, 3)


def test_the_interval_of_groups_stays_within_0_and_1() -> None:
    assert clustered_wilson([900, 1], [1000, 1])[0] == 0
    assert clustered_wilson([100, 0], [1000, 1])[1] == 1


def test_one_group_tells_nothing_and_no_cells_are_refused() -> None:
    assert clustered_wilson([7], [9]) == (0, 1)
    with pytest.raises(ValueError, match="no cells"):
        clustered_wilson([0], [0])


def test_the_intervals_of_cells_of_patients_cover_where_those_of_independent_cells_do_not() -> None:
    """20 patients with 15 cells each, and an intraclass correlation of 0.3."""
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(20), 15)
    covered = {"cells": 0, "patients": 0}
    for _ in range(400):
        hits = random.random(300) < random.beta(0.8 * 7 / 3, 0.2 * 7 / 3, 20)[patients]
        for kind, clusters in (("cells", None), ("patients", patients)):
            low, high = proportion_interval(hits, clusters)
            covered[kind] += low <= 0.8 <= high
    assert covered["cells"] < 0.7 * 400
    assert covered["patients"] > 0.92 * 400


def test_the_interval_of_a_proportion_is_wilson_s_without_groups_and_unknown_without_cells() -> None:
    assert proportion_interval([True, True, False]) == wilson(2, 3)
    assert proportion_interval([True, True, False, True], [*"abab"]) == clustered_wilson([1, 2], [2, 2])
    assert all(math.isnan(bound) for bound in (*proportion_interval([]), *proportion_interval([], [])))


def test_a_group_with_most_of_the_cells_makes_few_effective_groups() -> None:
    assert effective_groups([15] * 20) == pytest.approx(20)
    assert effective_groups([300, *[5] * 19]) == pytest.approx(1.72, abs=0.01)


def test_quantiles_of_few_groups_are_expanded() -> None:
    assert expanded_tail(np.ones(20)) == pytest.approx(0.0159, abs=5e-5)  # by hand: Student's 2.0930 by √(20 / 19)
    assert expanded_tail(np.ones(1_000_000)) == pytest.approx(0.025, abs=1e-5)
    assert 0 < expanded_tail(np.ones(5)) < expanded_tail(np.ones(20)) < 0.025
    assert expanded_tail([3]) == 0
