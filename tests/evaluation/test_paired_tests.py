import itertools

import numpy as np
import pytest
from scipy import stats

from bloodcells.evaluation.paired_tests import align, cells_needed, compare_paired, holm, mcnemar, sign_flip
from bloodcells.inference.predictions import Predictions
from tests.support.smallset import CLASSES


def predicted(correct: str, labels: str | None = None, images: str | None = None) -> Predictions:
    """Return predictions that are correct for the cells marked 1; `labels` gives the class of each cell."""
    actual = np.array([int(label) for label in labels or "0" * len(correct)])
    classes = np.where([mark == "1" for mark in correct], actual, (actual + 1) % 4)
    names = images or "abcdefghijklmnopqrst"[: len(correct)]
    return Predictions.from_probabilities([*names], actual * 0, actual, np.eye(4)[classes], CLASSES)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (1, 7, 0.0703),  # Bentur (2009) and Cavo (2012), in Fagerland, Lydersen and Laake (2013)
        (6, 16, 0.0525),
        (9, 2, 0.06543),  # R: exact2x2::mcnemar.exact, its vignette's example
    ],
)
def test_mcnemar_p_values_are_the_published_ones(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == pytest.approx(p, abs=0.00005)
    assert mcnemar(only_second, only_first) == mcnemar(only_first, only_second)


def test_mcnemar_p_is_1_without_discordant_cells() -> None:
    assert mcnemar(0, 0) == 1


def test_holm_p_values_are_the_published_ones() -> None:
    """Those of R's multtest, as in the tests of statsmodels; then four of a textbook example, unsorted."""
    assert holm([0.002, 0.004, 0.006, 0.008, 0.01, 0.012]) == pytest.approx([0.012, 0.02, *[0.024] * 4])
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_takes_one_p_or_none_and_stays_at_most_1() -> None:
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
    assert holm([0.9, 0.4]) == pytest.approx([0.9, 0.8])
    assert holm([0.6, 0.9, 0.7]) == [1, 1, 1]


@pytest.mark.parametrize(
    ("only_first", "only_second", "cells", "needed"),
    [
        (5, 45, 100, 23),  # powerandsamplesize.com, "Compare Paired Proportions", and pwr.mcnemar's example in R
        (30, 15, 100, 155),  # clinicaltrials-tools, "McNemar's Test Sample Size Calculator"
        (15, 30, 100, 155),
    ],
)
def test_cells_needed_agree_with_other_calculators_of_connor_s_formula(
    only_first: int, only_second: int, cells: int, needed: int
) -> None:
    assert cells_needed(only_first, only_second, cells) == needed


def test_several_tests_together_need_more_cells() -> None:
    # By hand: z(1 - 0.05 / 6) = 2.3940 and z(0.8) = 0.8416; (2.3940 √0.45 + 0.8416 √(0.45 - 0.15²))² / 0.15² = 206.2
    assert cells_needed(15, 30, 100, tests=3) == 207


def test_that_many_cells_give_the_power() -> None:
    """Simulate the asymptotic McNemar test, for which the formula holds: 155 cells, proportions 0.30 and 0.15."""
    random = np.random.default_rng(1)
    a, b, _ = random.multinomial(155, [0.30, 0.15, 0.55], size=20_000).T
    significant = (a - b) ** 2 > stats.chi2.ppf(0.95, 1) * (a + b)
    assert significant.mean() == pytest.approx(0.8, abs=0.02)


def test_cells_in_groups_need_as_many_times_more_as_they_vary_more() -> None:
    needed = cells_needed(15, 30, 100)
    assert needed is not None
    assert cells_needed(15, 30, 100, design_effect=3) == pytest.approx(3 * needed, rel=0.02)


def test_without_a_difference_no_number_of_cells_is_enough() -> None:
    assert cells_needed(4, 4, 100) is None
    assert cells_needed(0, 0, 100) is None


def test_a_paired_comparison_counts_discordant_cells_and_subtracts_the_first_from_the_second() -> None:
    first, second = predicted("1110000000"), predicted("0111111111")
    of = compare_paired(first, second, 2000, 1)
    assert (of.only_first, of.only_second, of.cells) == (1, 7, 10)
    assert of.difference == pytest.approx(0.6)
    assert of.p == pytest.approx(0.0703, abs=0.00005)
    assert 0 < of.low < of.difference < of.high <= 1
    reverse = compare_paired(second, first, 2000, 1)
    assert (reverse.only_first, reverse.only_second) == (7, 1)
    assert reverse.difference == pytest.approx(-0.6)
    assert reverse.high < 0
    assert compare_paired(first, second, 2000, 1) == of


def test_models_that_are_correct_on_the_same_cells_do_not_differ() -> None:
    of = compare_paired(predicted("1101"), predicted("1101"), 500, 1)
    assert (of.only_first, of.only_second, of.difference, of.low, of.high, of.p) == (0, 0, 0, 0, 0, 1)


# ---- groups


@pytest.mark.parametrize(("only_first", "only_second"), [(1, 7), (6, 16), (9, 2), (3, 3), (0, 12)])
def test_groups_of_one_cell_give_the_mcnemar_test(only_first: int, only_second: int) -> None:
    differences = [-1] * only_first + [1] * only_second + [0] * 5
    assert sign_flip(differences) == pytest.approx(mcnemar(only_first, only_second))


def test_the_sign_flip_test_counts_all_choices_of_signs() -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        differences = random.integers(-4, 5, 9)
        sums = [abs((signs * differences).sum()) for signs in map(np.array, itertools.product((-1, 1), repeat=9))]
        assert sign_flip(differences) == pytest.approx(np.mean(np.array(sums) >= abs(differences.sum())))


def test_the_sign_flip_test_agrees_with_scipy() -> None:
    differences = np.array([3, -1, 2, 5, 0, 1, -2, 4, 2, 1])
    of = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(differences) == pytest.approx(of.pvalue)


def test_groups_that_do_not_differ_or_few_that_do_are_not_significant() -> None:
    assert sign_flip([0, 0]) == 1
    assert sign_flip([]) == 1
    assert sign_flip([9] * 5) == pytest.approx(2 / 32)
    assert sign_flip([9] * 6) == pytest.approx(2 / 64)


def test_of_many_groups_the_test_agrees_with_the_normal_approximation() -> None:
    differences = np.random.default_rng(1).integers(-5, 6, 20_000)
    z = abs(differences.sum()) / np.sqrt((differences**2).sum())
    assert sign_flip(differences) == pytest.approx(2 * stats.norm.sf(z), abs=0.01)


def alike(patients: int, cells: int, random: np.random.Generator) -> tuple[Predictions, Predictions, dict[str, str]]:
    """Two equally good models, each of which finds some patients easier: an intraclass correlation of 0.3."""
    accuracy = random.beta(0.8 * 7 / 3, 0.2 * 7 / 3, (2, patients))
    correct = random.random((2, patients, cells)) < accuracy[..., None]
    images = [f"{patient} {cell}" for patient in range(patients) for cell in range(cells)]
    actual = np.zeros(len(images), np.int64)
    one, other = (
        Predictions.from_probabilities(images, actual, actual, np.eye(4)[np.where(row, 0, 1).ravel()], CLASSES)
        for row in correct
    )
    return one, other, {image: image.split()[0] for image in images}


def test_equal_models_differ_in_five_percent_of_the_tests_of_groups_and_in_far_more_of_the_tests_of_cells() -> None:
    random = np.random.default_rng(1)
    by_cell, by_group, covered = [], [], []
    for _ in range(300):
        one, other, groups = alike(20, 15, random)
        by_cell.append(compare_paired(one, other, 1, 1).p)
        of = compare_paired(one, other, 400, 1, groups)
        by_group.append(of.p)
        covered.append(of.low <= 0 <= of.high)
        assert (of.groups, of.test) == (20, "exact sign-flip test of groups")
        assert of.design_effect > 1
    assert np.mean(np.array(by_group) < 0.05) < 0.08
    assert np.mean(np.array(by_cell) < 0.05) > 0.2
    assert np.mean(covered) > 0.9


def test_a_single_group_shows_no_difference() -> None:
    of = compare_paired(predicted("1110000000"), predicted("0111111111"), 500, 1, dict.fromkeys("abcdefghij", "Smith"))
    assert (of.groups, of.p, of.low, of.high) == (1, 1, -1, 1)


def test_cells_of_one_model_only_or_with_another_label_are_left_out() -> None:
    first = predicted("1111", labels="0123", images="abcd")
    second = predicted("00101", labels="13210", images="bdcea")
    of = compare_paired(first, second, 500, 1)
    assert of.cells == 4
    second = predicted("0010", labels="1310", images="bdca")  # c has another label
    images, actual, classes = align((first, second))
    assert images == ["a", "b", "d"]
    assert actual.tolist() == [0, 1, 3]
    assert classes.tolist() == [[0, 1, 3], [1, 2, 0]]
    of = compare_paired(first, second, 500, 1)
    assert (of.cells, of.only_first, of.only_second) == (3, 3, 0)


def test_models_without_a_cell_in_common_are_refused() -> None:
    with pytest.raises(ValueError, match="no cell in common"):
        compare_paired(predicted("11", images="ab"), predicted("11", images="cd"), 500, 1)


def test_the_bootstrap_interval_is_stratified_by_class() -> None:
    """With one cell per class all resamples are equal; unstratified ones would differ."""
    of = compare_paired(predicted("1100", labels="0123"), predicted("0111", labels="0123"), 500, 1)
    assert (of.low, of.high) == (of.difference, of.difference)
