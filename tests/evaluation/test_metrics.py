import math
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from bloodcells.evaluation.metrics import class_scores, confusion, headline, roc_curves, sensitivity_and_specificity
from bloodcells.inference.predictions import Predictions
from tests.support.smallset import CLASSES

# The confusion matrices behind the numbers that the original report prints, reconstructed from its sensitivities,
# precisions and supports; the classes by their correct names (the report permutes them).
REPORT_RESNET = np.array([[6, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0], [7, 0, 0, 16]])
REPORT_ALEXNET = np.array([[6, 0, 0, 0], [3, 0, 0, 0], [3, 0, 0, 0], [23, 0, 0, 0]])


def from_matrix(matrix: NDArray[np.int64]) -> Predictions:
    pairs = [(row, column) for row, column in product(range(4), repeat=2) for _ in range(matrix[row, column])]
    probabilities = [np.full(4, 0.1) + 0.6 * np.eye(4)[column] for _, column in pairs]
    images = [f"{number}.jpg" for number in range(len(pairs))]
    return Predictions.from_probabilities(
        images, np.zeros(len(pairs)), [row for row, _ in pairs], probabilities, CLASSES
    )


def test_the_confusion_matrix_has_a_row_per_actual_class() -> None:
    assert confusion(from_matrix(REPORT_RESNET)).tolist() == REPORT_RESNET.tolist()


def test_class_scores_are_those_of_the_original_report_for_its_resnet() -> None:
    scores = class_scores(from_matrix(REPORT_RESNET)).set_index("class")
    assert list(scores.index) == list(CLASSES)
    eosinophil, neutrophil = scores.loc["eosinophil"], scores.loc["neutrophil"]
    assert (eosinophil.sensitivity, eosinophil.support) == (1, 6)
    assert eosinophil.specificity == pytest.approx(0.759, abs=5e-4)
    assert eosinophil.precision == pytest.approx(0.462, abs=5e-4)
    assert neutrophil.sensitivity == pytest.approx(0.696, abs=5e-4)
    assert (neutrophil.sensitivity_low, neutrophil.sensitivity_high) == pytest.approx((0.491, 0.844), abs=5e-4)
    assert (neutrophil.specificity, neutrophil.precision, neutrophil.support) == (1, 1, 23)


def test_headline_metrics_are_those_of_the_original_report() -> None:
    resnet = headline(from_matrix(REPORT_RESNET))
    assert (round(resnet["mean_sensitivity"], 2), round(resnet["mean_specificity"], 2)) == (0.92, 0.94)
    alexnet = headline(from_matrix(REPORT_ALEXNET))
    assert {name: round(value, 4) for name, value in alexnet.items()} == {
        "accuracy": 0.1714,
        "mean_sensitivity": 0.25,
        "mean_specificity": 0.75,
    }


def test_metrics_that_divide_by_zero_are_nan_and_left_out_of_means() -> None:
    p = from_matrix(np.array([[2, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]))
    absent = class_scores(p).set_index("class").loc["monocyte"]
    assert (absent.specificity, absent.support) == (1, 0)
    assert np.isnan([absent[name] for name in ("sensitivity", "sensitivity_low", "precision", "auc")]).all()
    assert headline(p)["mean_sensitivity"] == pytest.approx((2 / 3 + 1) / 2)
    assert all(math.isfinite(value) for value in headline(p).values())
    assert set(roc_curves(p)["class"]) == {"eosinophil", "lymphocyte"}


def test_the_specificity_of_the_only_class_is_nan_and_left_out_of_the_mean() -> None:
    only = from_matrix(np.diag([0, 5, 0, 0]))
    sensitivity, specificity = sensitivity_and_specificity(only)
    assert np.isnan(sensitivity).tolist() == [True, False, True, True]
    assert np.isnan(specificity).tolist() == [False, True, False, False]
    assert headline(only)["mean_specificity"] == 1


@pytest.mark.parametrize("digits", [1, 6])  # with one digit, many probabilities are equal
def test_roc_curve_and_auc_belong_to_the_probability_of_the_class(digits: int) -> None:
    random = np.random.default_rng(0)
    actual = random.integers(0, 4, 80)
    probabilities = random.dirichlet(np.ones(4), 80) + 0.3 * np.eye(4)[actual]
    rounded = (probabilities / probabilities.sum(axis=1, keepdims=True)).round(digits)
    rounded[:, 3] = 1 - rounded[:, :3].sum(axis=1)
    p = Predictions.from_probabilities([str(i) for i in range(80)], np.zeros(80), actual, rounded.clip(0, 1), CLASSES)
    scores, curves = class_scores(p).set_index("class"), roc_curves(p)
    for label, name in enumerate(CLASSES):
        of_class, of_others = (p.probabilities[actual == label, label], p.probabilities[actual != label, label])
        pairs = [(one > other) + (one == other) / 2 for one, other in product(of_class, of_others)]
        assert scores.auc[name] == pytest.approx(
            np.mean(pairs)
        )  # the probability that a cell of the class ranks higher
        curve = curves[curves["class"] == name]
        points = {(fpr, tpr) for fpr, tpr in zip(curve.fpr, curve.tpr, strict=True)}
        assert {(0, 0), (1, 1)} <= points
        thresholds = [np.inf, *p.probabilities[:, label]]
        assert points <= {((of_others >= least).mean(), (of_class >= least).mean()) for least in thresholds}
        assert np.trapezoid(curve.tpr, curve.fpr) == pytest.approx(np.mean(pairs))
