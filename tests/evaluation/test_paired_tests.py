import numpy as np
import pytest
from scipy import stats

from bloodcells.evaluation.paired_tests import aligned, cells_needed, holm, mcnemar, paired
from bloodcells.inference.predictions import Predictions, predictions


def said(right: str, labels: str | None = None, images: str | None = None) -> Predictions:
    """A model that is right on the cells marked 1; each cell is of the class that `labels` gives."""
    actual = np.array([int(label) for label in labels or "0" * len(right)])
    answer = np.where([mark == "1" for mark in right], actual, (actual + 1) % 4)
    return predictions([*(images or "abcdefghijklmnopqrst"[: len(right)])], actual * 0, actual, np.eye(4)[answer])


@pytest.mark.parametrize(
    ("a_only", "b_only", "p"),
    [
        (1, 7, 0.0703),  # Bentur (2009) and Cavo (2012), in Fagerland, Lydersen and Laake (2013)
        (6, 16, 0.0525),
        (9, 2, 0.06543),  # R: exact2x2::mcnemar.exact, its vignette's example
    ],
)
def test_mcnemar_gives_the_published_values(a_only: int, b_only: int, p: float) -> None:
    assert mcnemar(a_only, b_only) == pytest.approx(p, abs=0.00005)
    assert mcnemar(b_only, a_only) == mcnemar(a_only, b_only)


@pytest.mark.parametrize(("a_only", "b_only"), [(0, 1), (3, 3), (4, 5), (0, 40), (900, 700)])
def test_mcnemar_is_the_binomial_test_of_scipy(a_only: int, b_only: int) -> None:
    expected = stats.binomtest(a_only, a_only + b_only, 0.5).pvalue
    assert mcnemar(a_only, b_only) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_models_that_differ_nowhere() -> None:
    assert mcnemar(0, 0) == 1


def test_holm_gives_the_published_values() -> None:
    """Those of R's multtest, as in the tests of statsmodels; then the four of a text-book example, unsorted."""
    assert holm([0.002, 0.004, 0.006, 0.008, 0.01, 0.012]) == pytest.approx([0.012, 0.02, *[0.024] * 4])
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_of_one_of_none_and_at_most_1() -> None:
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
    assert holm([0.9, 0.4]) == pytest.approx([0.9, 0.8])
    assert holm([0.6, 0.9, 0.7]) == [1, 1, 1]


@pytest.mark.parametrize(
    ("a_only", "b_only", "cells", "needed"),
    [
        (5, 45, 100, 23),  # powerandsamplesize.com, "Compare Paired Proportions", and pwr.mcnemar's example in R
        (30, 15, 100, 155),  # clinicaltrials-tools, "McNemar's Test Sample Size Calculator"
        (15, 30, 100, 155),
    ],
)
def test_cells_needed_are_those_that_others_compute_by_connor_s_formula(
    a_only: int, b_only: int, cells: int, needed: int
) -> None:
    assert cells_needed(a_only, b_only, cells) == needed


def test_of_several_tests_each_needs_more_cells() -> None:
    # By hand: z(1 - 0.05 / 6) = 2.3940 and z(0.8) = 0.8416; (2.3940 √0.45 + 0.8416 √(0.45 - 0.15²))² / 0.15² = 206.2
    assert cells_needed(15, 30, 100, tests=3) == 207


def test_so_many_cells_give_the_power_that_was_asked_for() -> None:
    """Simulated: McNemar's test in its asymptotic form, for which the formula is, on 155 cells of shares 0.30, 0.15."""
    random = np.random.default_rng(1)
    a, b, _ = random.multinomial(155, [0.30, 0.15, 0.55], size=20_000).T
    shown = (a - b) ** 2 > stats.chi2.ppf(0.95, 1) * (a + b)
    assert shown.mean() == pytest.approx(0.8, abs=0.02)


def test_without_a_difference_no_number_of_cells_shows_it() -> None:
    assert cells_needed(4, 4, 100) is None
    assert cells_needed(0, 0, 100) is None


def test_paired_counts_who_alone_is_right_and_takes_the_second_less_the_first() -> None:
    first, second = said("1110000000"), said("0111111111")
    of = paired(first, second, 2000, 1)
    assert (of.a_only, of.b_only, of.cells) == (1, 7, 10)
    assert of.difference == pytest.approx(0.6)
    assert of.p == pytest.approx(0.0703, abs=0.00005)
    assert 0 < of.low < of.difference < of.high <= 1
    back = paired(second, first, 2000, 1)
    assert (back.a_only, back.b_only) == (7, 1)
    assert back.difference == pytest.approx(-0.6)
    assert back.high < 0
    assert paired(first, second, 2000, 1) == of


def test_models_that_are_right_on_the_same_cells() -> None:
    of = paired(said("1101"), said("1101"), 500, 1)
    assert (of.a_only, of.b_only, of.difference, of.low, of.high, of.p) == (0, 0, 0, 0, 0, 1)


def test_cells_of_one_model_alone_or_under_another_label_are_left_out() -> None:
    first = said("1111", labels="0123", images="abcd")
    second = said("00101", labels="13210", images="bdcea")
    of = paired(first, second, 500, 1)
    assert of.cells == 4
    second = said("0010", labels="1310", images="bdca")  # c under another label
    actual, predicted = aligned((first, second))
    assert actual.tolist() == [0, 1, 3]
    assert predicted.tolist() == [[0, 1, 3], [1, 2, 0]]
    of = paired(first, second, 500, 1)
    assert (of.cells, of.a_only, of.b_only) == (3, 3, 0)


def test_models_without_a_cell_in_common_are_refused() -> None:
    with pytest.raises(ValueError, match="no cell in common"):
        paired(said("11", images="ab"), said("11", images="cd"), 500, 1)


def test_the_bootstrap_interval_is_stratified_by_class() -> None:
    """With one cell of each class no resample differs; unstratified ones would."""
    of = paired(said("1100", labels="0123"), said("0111", labels="0123"), 500, 1)
    assert (of.low, of.high) == (of.difference, of.difference)
