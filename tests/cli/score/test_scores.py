import math

import numpy as np
import pytest

from bloodcells.cli.score.scores import (
    ACCURACY,
    COVERAGE,
    ERROR_RATE,
    NO_INPUT,
    Outcomes,
    Resampling,
    Score,
    difference,
    scores,
    target_kept,
)
from bloodcells.evaluation.intervals import newcombe, wilson

BY = Resampling(2000, 1)


def score(part: int, whole: int) -> Score:
    return Score(part / whole, *wilson(part, whole), "Wilson", part, whole)


def mask(*values: int) -> np.ndarray:
    return np.array(values, np.bool_)


@pytest.mark.parametrize(("one", "other"), [((70, 100), (300, 340)), ((0, 20), (19, 20)), ((20, 20), (20, 20))])
def test_the_difference_of_two_proportions_has_newcombe_s_interval(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    found = difference(score(*one), score(*other))
    assert (found.low, found.high) == pytest.approx(newcombe(*one, *other), abs=1e-9)


def test_a_drop_is_worse_only_if_its_interval_excludes_0_and_more_errors_are_worse() -> None:
    assert difference(score(70, 100), score(300, 340)).verdict() == "worse than internal"
    assert difference(score(86, 100), score(300, 340)).verdict() == "no difference shown"
    assert difference(score(30, 100), score(20, 340)).verdict(less_is_better=True) == "worse than internal"
    assert difference(score(30, 100), score(20, 340)).verdict() == "better than internal"


@pytest.mark.parametrize(
    ("errors", "answers", "kept"),
    [(0, 100, "kept"), (20, 100, "not kept"), (3, 100, "can't tell"), (7, 100, "can't tell")],
)
def test_a_target_is_kept_only_if_the_interval_shows_it(errors: int, answers: int, kept: str) -> None:
    assert target_kept(score(errors, answers), 0.05) == kept


def test_without_answers_nobody_can_tell() -> None:
    assert target_kept(BY.proportion(mask(), []), 0.05) == "can't tell"


def test_cells_of_one_group_are_resampled_together() -> None:
    hits = np.repeat(mask(*[1, 0, 1, 1] * 5), 10)  # the cells of a group are all right, or all wrong
    alone = BY.proportion(hits, [""] * len(hits))
    grouped = BY.proportion(hits, [f"patient {number // 10}" for number in range(len(hits))])
    assert (alone.value, alone.method) == (grouped.value, "Wilson")
    expected = wilson(15, 20)  # as if there were one cell in each group
    assert grouped.high - grouped.low == pytest.approx(expected[1] - expected[0], abs=0.06)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_a_group_for_each_cell_changes_nothing() -> None:
    hits = mask(1, 0, 1, 1, 0, 1)
    assert BY.proportion(hits, "abcdef") == BY.proportion(hits, [""] * 6) == BY.proportion(hits, ["one"] * 6)


@pytest.mark.parametrize("hit", [0, 1])
def test_groups_without_variation_count_as_one_cell_each(hit: int) -> None:
    found = BY.proportion(mask(*[hit] * 40), ["a", "b", "c", "d"] * 10)
    assert (found.low, found.high) == pytest.approx(wilson(4 * hit, 4))


def test_the_forced_choice_leaves_out_cells_without_input_and_the_coverage_counts_them() -> None:
    cells = Outcomes(
        np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, NO_INPUT]), mask(1, 0, 1, 1, 0), ("",) * 5, ("a", "b", "c")
    )
    found = scores(cells, BY)
    assert (found[ACCURACY].part, found[ACCURACY].whole) == (3, 4)
    assert (found[COVERAGE].part, found[COVERAGE].whole) == (3, 5)
    assert (found[ERROR_RATE].part, found[ERROR_RATE].whole) == (0, 3)
    assert found["mean sensitivity"].value == pytest.approx(0.75)
    assert "sensitivity: c" not in found


def test_means_over_the_classes_are_the_same_with_groups_and_their_intervals_wider() -> None:
    actual = np.repeat([0, 1], 60)
    wrong = np.repeat(np.arange(12) % 4 == 0, 10)  # every fourth group
    groups = tuple(f"g{number // 10}" for number in range(120))
    alone, grouped = (
        scores(Outcomes(actual, np.where(wrong, 1 - actual, actual), wrong, of, ("a", "b")), BY)["mean sensitivity"]
        for of in (("",) * 120, groups)
    )
    assert alone.value == grouped.value
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)
    assert not math.isnan(grouped.low)
