import numpy as np
import pytest

from bloodcells.cli.score.scores import (
    ACCURACY,
    COVERAGE,
    ERROR_RATE,
    NO_INPUT,
    Outcomes,
    Score,
    difference,
    proportion,
    scores,
    target_kept,
)
from bloodcells.evaluation.intervals import newcombe, wilson
from bloodcells.evaluation.parameters import CompareParameters

BY = CompareParameters(resamples=2000, seed=1)


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
    assert target_kept(proportion(mask(), None), 0.05) == "can't tell"


def test_the_forced_choice_leaves_out_cells_without_input_and_the_coverage_counts_them() -> None:
    cells = Outcomes(
        np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, NO_INPUT]), mask(1, 0, 1, 1, 0), None, ("a", "b", "c")
    )
    found = scores(cells, BY)
    assert (found[ACCURACY].part, found[ACCURACY].whole) == (3, 4)
    assert (found[COVERAGE].part, found[COVERAGE].whole) == (3, 5)
    assert (found[ERROR_RATE].part, found[ERROR_RATE].whole) == (0, 3)
    assert found["mean sensitivity"].value == pytest.approx(0.75)
    assert "sensitivity: c" not in found


def test_every_interval_takes_the_groups_as_independent() -> None:
    actual = np.repeat([0, 1], 60)
    wrong = np.repeat(np.arange(12) % 4 == 0, 10)  # every fourth group
    groups = np.repeat(np.arange(12), 10)
    alone, grouped = (
        scores(Outcomes(actual, np.where(wrong, 1 - actual, actual), ~wrong, of, ("a", "b")), BY)
        for of in (None, groups)
    )
    for name in (ACCURACY, COVERAGE, "mean sensitivity", "mean specificity", "sensitivity: a"):
        assert alone[name].value == grouped[name].value
        assert grouped[name].high - grouped[name].low > 1.5 * (alone[name].high - alone[name].low), name
    assert grouped[ERROR_RATE].high > 2 * alone[ERROR_RATE].high  # no error, in 9 groups of 90 cells
