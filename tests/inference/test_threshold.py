import numpy as np
import pytest
from scipy.stats import binomtest

from bloodcells.inference.predictions import Predictions
from bloodcells.inference.temperature import fit_temperature, temperature_scaled
from bloodcells.inference.threshold import (
    REJECT_ALL,
    SelectiveRule,
    cells_needed,
    confidence_of,
    fit_threshold,
    rules_by_fold,
)
from tests.support.smallset import CLASSES


def random_predictions(cells: int = 120, seed: int = 0) -> Predictions:
    """Cells of three folds whose classes are drawn from the predicted probabilities."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(4, 0.3), cells)
    actual = [random.choice(4, p=row) for row in probabilities]
    return Predictions.from_probabilities(
        [f"{i}.jpg" for i in range(cells)], np.arange(cells) % 3, actual, probabilities, CLASSES
    )


def test_with_few_cells_the_threshold_is_the_smallest_that_meets_the_target_error_rate() -> None:
    confidence = [0.95, 0.9, 0.8, 0.7, 0.6]
    correct = [True, True, False, True, False]
    assert fit_threshold(confidence, correct, target_error=0.05) == 0.8001  # 2 accepted, none wrong
    assert fit_threshold(confidence, correct, target_error=0.25) == 0.6001  # 4 accepted, one wrong: exactly the target
    assert fit_threshold(confidence, correct, target_error=0.24) == 0.8001
    assert fit_threshold(confidence, correct, target_error=0.3) == 0.6001


def test_with_many_cells_the_threshold_is_the_smallest_whose_upper_bound_meets_the_target() -> None:
    random = np.random.default_rng(1)
    confidence = random.uniform(0.3, 1, 400)
    correct = random.random(400) < np.sqrt(confidence)

    def upper_bound(threshold: float) -> float:
        accepted = confidence >= threshold
        # one-sided with 90 % is two-sided with 80 %
        return float(binomtest(int((accepted & ~correct).sum()), int(accepted.sum())).proportion_ci(0.8).high)

    found = fit_threshold(confidence, correct, target_error=0.1)
    assert 0.3 < found < 0.99
    assert upper_bound(found) <= 0.1
    assert min(upper_bound(threshold) for threshold in np.linspace(0, found - 1e-4, 300)) > 0.1


def test_a_target_error_rate_needs_a_minimum_number_of_cells() -> None:
    assert cells_needed(0.05) == 45  # 0.95^45 = 0.0994 and 0.95^44 = 0.1047
    confidence = np.full(45, 0.9)
    assert fit_threshold(confidence, np.ones(45, bool), target_error=0.05) == 0
    assert fit_threshold(confidence, np.arange(45) > 0, target_error=0.05) == REJECT_ALL  # 1 of 45 does not show 5 %
    assert fit_threshold(confidence[1:], np.arange(44) > 0, target_error=0.05) == 0  # too few: the observed rate counts


def test_the_threshold_meets_the_target_on_other_cells_nine_times_in_ten() -> None:
    random = np.random.default_rng(3)
    met = 0
    for _ in range(200):
        confidence = np.where(random.random(150) < 0.7, 0.9, 0.5)  # two groups, so that one threshold is of use
        correct = random.random(150) < np.where(confidence > 0.7, 0.97, 0.6)
        threshold = fit_threshold(confidence, correct, target_error=0.05)
        true_error = 0.0 if threshold > 0.9 else 0.03 if threshold > 0.5 else 0.3 * 0.4 + 0.7 * 0.03
        met += true_error <= 0.05
    assert met >= 180


def test_if_no_threshold_meets_the_target_all_predictions_are_rejected() -> None:
    assert fit_threshold([1.0, 0.9], [False, True], target_error=0.1) == REJECT_ALL > 1
    assert fit_threshold([], [], target_error=0.1) == REJECT_ALL


def test_a_wrong_prediction_just_below_the_threshold_stays_below_after_rounding() -> None:
    # 0.89996 is printed as 0.9000: with a threshold of 0.9 it would be accepted.
    probabilities = np.array([[0.95, 0.05, 0, 0], [0.95, 0.05, 0, 0], [0.89996, 0.10004, 0, 0]])
    confidence = confidence_of(probabilities)
    assert confidence[2] == 0.9
    threshold = fit_threshold(confidence, [True, True, False], target_error=0.1)
    assert (confidence >= threshold).tolist() == [True, True, False]


def test_a_rule_thresholds_temperature_scaled_probabilities() -> None:
    p = random_predictions()
    rule = SelectiveRule.fit(p, target_error=0.2)
    assert rule.temperature == fit_temperature(p.probabilities, p.actual)
    confidence = temperature_scaled(p.probabilities, rule.temperature).max(axis=1).round(4)
    assert rule.threshold == fit_threshold(confidence, p.predicted == p.actual, 0.2)
    assert 0.3 < rule.threshold < 1


def test_the_rule_of_a_fold_does_not_depend_on_the_labels_of_its_cells() -> None:
    p = random_predictions()
    test_fold = (np.arange(120) + 1) % 3
    rules = rules_by_fold(p, test_fold, [0, 1, 2], target_error=0.1)
    actual = np.where(test_fold == 1, (p.actual + 1) % 4, p.actual)
    relabeled = Predictions.from_probabilities(p.images, p.folds, actual, p.probabilities, CLASSES)
    again = rules_by_fold(relabeled, test_fold, [0, 1, 2], target_error=0.1)
    assert again[1] == rules[1]
    assert again[0] != rules[0]
    assert len({*rules.values()}) == 3


def test_a_fold_that_leaves_no_cell_to_fit_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs cells"):
        rules_by_fold(random_predictions(), np.zeros(120), [0], target_error=0.1)
