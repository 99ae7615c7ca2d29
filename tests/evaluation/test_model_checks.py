"""Each check of models on correct predictions, and on the fault that it is there for."""

from itertools import permutations

import numpy as np
import pytest

from bloodcells.evaluation import model_checks
from bloodcells.evaluation.data_checks import Cell
from bloodcells.inference.predictions import Predictions
from tests.support.smallset import CLASSES

PUBLISHED = {"neutrophil": 206, "eosinophil": 88, "lymphocyte": 33, "monocyte": 20}


def predicted(skill: float, names: tuple[int, ...] = (0, 1, 2, 3), cells: dict[str, int] = PUBLISHED) -> Predictions:
    """Predict the actual class for a fraction of the cells, a random one for the others; then rename it by `names`."""
    actual = np.repeat([CLASSES.index(label) for label in cells], list(cells.values()))
    random = np.random.default_rng(0)
    own = np.where(random.random(len(actual)) < skill, actual, random.integers(0, 4, len(actual)))
    return of_classes(actual, np.array(names)[own])


def of_classes(actual: np.ndarray, classes: np.ndarray) -> Predictions:
    probabilities = np.full((len(actual), 4), 0.1)
    probabilities[np.arange(len(actual)), classes] = 0.7
    images = [f"{i}.jpg" for i in range(len(actual))]
    return Predictions.from_probabilities(images, np.zeros(len(actual)), actual, probabilities, CLASSES)


def test_probabilities_that_change_when_computed_again_fail() -> None:
    table = np.array([[0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]])
    (rounded,) = model_checks.recomputation("resnet", table, table + 4e-7)
    assert rounded.passed
    for again in (table + np.array([0.01, -0.01, 0, 0]), table * np.nan):
        (found,) = model_checks.recomputation("resnet", table, again)
        assert not found.passed
        assert "evaluate@resnet" in found.remedy


def test_classes_in_another_order_fail() -> None:
    (same,) = model_checks.class_order([CLASSES, list(CLASSES)], CLASSES)
    assert same.passed
    (other,) = model_checks.class_order([CLASSES, CLASSES[::-1]], CLASSES)
    assert (other.value, other.passed) == (1, False)


@pytest.mark.parametrize("names", [(1, 0, 2, 3), (0, 2, 1, 3), (3, 0, 2, 1)])
def test_permuted_class_labels_fail(names: tuple[int, ...]) -> None:
    """A fault of the original report, whose three permuted rows are the last case."""
    (found,) = model_checks.class_permutation("resnet", predicted(0.8, names))
    assert not found.passed


@pytest.mark.parametrize("skill", [0.0, 0.3, 0.8, 1.0])
def test_class_labels_in_order_pass_however_good_the_model(skill: float) -> None:
    (found,) = model_checks.class_permutation("resnet", predicted(skill))
    assert found.passed


def test_a_model_that_always_predicts_one_class_passes() -> None:
    """It has learned nothing, which no renaming improves: the original report's AlexNet."""
    actual = predicted(1.0).actual
    for label in range(4):
        (found,) = model_checks.class_permutation("alexnet", of_classes(actual, np.full_like(actual, label)))
        assert (found.value, found.passed) == (0, True)


def test_chance_with_few_cells_is_not_a_permutation() -> None:
    """Networks that have learned nothing, on the few cells of a small data set: at most one in fifty may fail."""
    actual = np.repeat(range(4), [5, 3, 2, 12])
    alarms = 0
    for seed in range(300):
        probabilities = np.random.default_rng(seed).dirichlet(np.ones(4), len(actual))
        p = Predictions.from_probabilities(
            [str(i) for i in range(len(actual))], actual * 0, actual, probabilities, CLASSES
        )
        alarms += not model_checks.class_permutation("resnet", p)[0].passed
    assert alarms <= 6


@pytest.mark.parametrize("names", [(0, 1, 2, 3), (2, 1, 0, 3)], ids=["in order", "permuted"])
def test_the_best_renaming_is_the_best_of_all_permutations(names: tuple[int, ...]) -> None:
    p = predicted(0.4, names)
    rates = np.array([[np.mean(p.predicted[p.actual == a] == b) for b in range(4)] for a in range(4)])
    scores = {order: rates[range(4), order].mean() for order in permutations(range(4))}
    own = scores.pop((0, 1, 2, 3))
    (found,) = model_checks.class_permutation("resnet", p)
    assert found.value == pytest.approx(max(scores.values()) - own, abs=1e-4)


def test_predictions_that_do_not_match_the_tested_cells_fail() -> None:
    cells = [Cell(f"{i}.jpg", CLASSES[i % 4], i % 2) for i in range(8)]

    def of(tested: list[Cell]) -> Predictions:
        images, labels, folds = zip(*tested, strict=True)
        actual = [CLASSES.index(label) for label in labels]
        return Predictions.from_probabilities(images, folds, actual, np.full((len(tested), 4), 0.25), CLASSES)

    assert model_checks.coverage("test", {"a": of(cells), "b": of(cells)}, cells)[0].passed
    assert model_checks.coverage("test", {"a": of(cells[::2])}, cells[::2])[0].passed
    for fault, count in (
        (cells[1:], 1),
        ([*cells, Cell("9.jpg", "monocyte", 0)], 1),
        ([cells[0]._replace(label="monocyte"), *cells[1:]], 1),
        ([cells[0]._replace(fold=1), *cells[1:]], 1),
        (cells[::2], 4),
    ):
        (found,) = model_checks.coverage("test", {"a": of(cells), "b": of(fault)}, cells)
        assert (found.value, found.passed) == (count, False)
