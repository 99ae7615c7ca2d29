import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.calibration import calibration_curve

from bloodcells.evaluation import calibration
from bloodcells.evaluation.calibration import (
    brier_score,
    calibration_error,
    negative_log_likelihood,
    reliability,
)

Floats = NDArray[np.float64]


def four_classes(cells: int = 300) -> tuple[Floats, NDArray[np.int64]]:
    """Return probabilities, and actual classes drawn from them."""
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(4, 0.5), cells)
    return probabilities, np.array([random.choice(4, p=row) for row in probabilities])


def overconfident(cells: int = 90, digits: int = 6) -> tuple[Floats, NDArray[np.bool_]]:
    """Return confidences, and whether the predictions are correct: less often than that, by 0.1."""
    random = np.random.default_rng(4)
    confidence = np.round(random.uniform(0.5, 1, cells), digits)
    return confidence, random.random(cells) < confidence - 0.1


def test_the_brier_score_sums_over_all_classes() -> None:
    probabilities, actual = four_classes()
    by_hand = ((probabilities - np.eye(4)[actual]) ** 2).sum(axis=1).mean()
    assert brier_score(probabilities, actual) == pytest.approx(by_hand)
    assert (brier_score([[1, 0]], [0]), brier_score([[1, 0]], [1])) == (0, 2)


def test_the_brier_score_takes_probabilities_that_rounding_keeps_from_summing_to_1() -> None:
    probabilities, actual = four_classes()
    assert brier_score(probabilities.round(3), actual) == pytest.approx(brier_score(probabilities, actual), abs=1e-3)


def test_the_log_likelihood_agrees_with_scikit_learn_and_is_finite_for_a_probability_rounded_to_0() -> None:
    probabilities, actual = four_classes()
    found = negative_log_likelihood(probabilities, actual)
    assert found == pytest.approx(metrics.log_loss(actual, probabilities), abs=1e-4)
    assert negative_log_likelihood([[1, 0]], [1]) == pytest.approx(-math.log(5e-7))
    assert str(negative_log_likelihood([[1, 0]], [0])) == "0.0"


def by_bins(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Return the mean gap between accuracy and confidence over the bins, weighted by their cells."""
    bins = reliability(confidence, correct)
    return sum(abs(one.accuracy - one.confidence) * one.cells for one in bins) / len(confidence)


@pytest.mark.parametrize("digits", [6, 1])  # with one digit, many confidences are equal
@pytest.mark.parametrize("cells", [90, 97])
def test_bins_agree_with_the_quantiles_of_scikit_learn(cells: int, digits: int) -> None:
    confidence, correct = overconfident(cells, digits)
    found = reliability(confidence, correct)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=10, strategy="quantile")
    assert [one.accuracy for one in found] == pytest.approx(list(accuracy))
    assert [one.confidence for one in found] == pytest.approx(list(mean))
    assert sum(one.cells for one in found) == cells
    assert calibration_error(confidence, correct, 10, seed=1).error == pytest.approx(by_bins(confidence, correct))


def test_the_order_of_the_cells_does_not_matter_even_if_confidences_are_equal() -> None:
    confidence, correct = overconfident(90, digits=1)
    order = np.random.default_rng(1).permutation(90)
    assert reliability(confidence[order], correct[order]) == reliability(confidence, correct)
    (same,) = reliability([0.9] * 7, [True] * 6 + [False])
    assert (same.correct, same.cells) == (6, 7)
    assert same.interval == pytest.approx((0.4869, 0.9743), abs=5e-5)  # statsmodels, proportion_confint


def test_the_calibration_error_of_known_bins() -> None:
    confidence = [0.6] * 5 + [0.9] * 5
    correct = [True, True, False, False, False] + [True] * 5
    assert calibration_error(confidence, correct, 10, seed=1, bins=2).error == pytest.approx((0.2 + 0.1) / 2)
    with pytest.raises(ValueError, match="0 confidences of 0 cells"):
        calibration_error([], [], 10, seed=1)


def test_the_interval_mirrors_the_quantiles_of_plain_resampling() -> None:
    confidence, correct = overconfident(60)
    found = calibration_error(confidence, correct, resamples=4000, seed=2)
    random = np.random.default_rng(5)
    resampled = []
    for _ in range(2000):
        rows = random.integers(0, 60, 60)
        resampled.append(by_bins(confidence[rows], correct[rows]))
    low, high = np.quantile(resampled, [0.025, 0.975])
    assert found.low == pytest.approx(max(0, 2 * found.error - high), abs=0.012)
    assert found.high == pytest.approx(max(found.error, 2 * found.error - low), abs=0.012)
    perfect = [by_bins(confidence, random.random(60) < confidence) for _ in range(2000)]
    assert found.expected == pytest.approx(np.mean(perfect), abs=0.003)


def test_the_interval_depends_on_the_seed_and_not_on_how_many_resamples_fit_into_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    confidence, correct = overconfident()
    first = calibration_error(confidence, correct, resamples=50, seed=1)
    assert calibration_error(confidence, correct, resamples=50, seed=1) == first
    assert calibration_error(confidence, correct, resamples=50, seed=2) != first
    together = calibration_error(confidence, correct, resamples=1000, seed=3)
    monkeypatch.setattr(calibration, "_CHUNK", 90 * 7)
    apart = calibration_error(confidence, correct, resamples=1000, seed=1)
    assert (apart.low, apart.high, apart.expected) == pytest.approx(
        (together.low, together.high, together.expected), abs=0.02
    )


def test_equal_cells_in_a_group_widen_the_interval_to_that_of_one_cell_each() -> None:
    confidence, correct = overconfident()
    repeated = np.repeat(confidence, 4), np.repeat(correct, 4)
    cells = calibration_error(*repeated, 400, 1)
    groups = calibration_error(*repeated, 400, 1, clusters=np.repeat(np.arange(90), 4))
    once = calibration_error(confidence, correct, 400, 1, clusters=np.arange(90))
    assert groups.error == pytest.approx(cells.error)
    assert (groups.low, groups.high) == pytest.approx((once.low, once.high), abs=0.02)
    assert groups.high - groups.low > 1.5 * (cells.high - cells.low)
    alone = calibration_error(confidence, correct, 10, 1, clusters=np.zeros(90))
    assert (alone.low, alone.high) == (0, 1)


def test_clear_miscalibration_exceeds_what_chance_explains_and_perfect_calibration_does_not() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 400)
    poor = calibration_error(confidence, random.random(400) < confidence - 0.2, resamples=500, seed=1)
    assert poor.low > 0.1 > poor.expected
    perfect = calibration_error(confidence, random.random(400) < confidence, resamples=500, seed=1)
    assert perfect.low == 0
    assert perfect.error < 2 * perfect.expected
