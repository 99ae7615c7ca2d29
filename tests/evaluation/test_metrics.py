import math
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError
from bloodcells.evaluation import metrics as scores

# The confusion matrices behind the original report's printed figures, worked out from its sensitivities,
# precisions and supports; the classes by their right names (its own are permuted).
REPORT_RESNET = np.array([[6, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0], [7, 0, 0, 16]])
REPORT_ALEXNET = np.array([[6, 0, 0, 0], [3, 0, 0, 0], [3, 0, 0, 0], [23, 0, 0, 0]])


def made_up(cells: int = 60, seed: int = 3) -> scores.Predictions:
    random = np.random.default_rng(seed)
    actual = random.integers(0, len(CLASSES), cells)
    chances = random.dirichlet(np.ones(len(CLASSES)), cells)
    chances[np.arange(cells), actual] += 0.3
    chances /= chances.sum(axis=1, keepdims=True)
    images = [f"BloodImage_{number:05d}.jpg" for number in range(cells)]
    return scores.predictions(images, random.integers(0, 5, cells), actual, chances)


def from_matrix(matrix: np.ndarray) -> scores.Predictions:
    pairs = [(row, column) for row in range(4) for column in range(4) for _ in range(matrix[row, column])]
    chances = [np.full(4, 0.1) + 0.6 * np.eye(4)[column] for _, column in pairs]
    images = [f"{number}.jpg" for number in range(len(pairs))]
    return scores.predictions(images, np.zeros(len(pairs)), [row for row, _ in pairs], chances)


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [
        (32, 35, 0.776, 0.970),  # these three: the table of the original report
        (28, 35, 0.641, 0.900),
        (6, 35, 0.081, 0.327),
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3, and these
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(right: int, total: int, low: float, high: float) -> None:
    digits = 3 if total == 35 else 4
    assert tuple(round(bound, digits) for bound in scores.wilson(right, total)) == (low, high)


def test_wilson_stays_within_0_and_1_mirrors_and_widens_with_confidence() -> None:
    assert scores.wilson(20, 20)[1] == 1
    assert scores.wilson(0, 20)[0] == 0
    low, high = scores.wilson(3, 20)
    assert scores.wilson(17, 20) == pytest.approx((1 - high, 1 - low))
    wider = scores.wilson(3, 20, confidence=0.99)
    assert wider[0] < low < high < wider[1]


@pytest.mark.parametrize(("right", "total"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_counts_that_are_none(right: int, total: int) -> None:
    with pytest.raises(ValueError, match="right of"):
        scores.wilson(right, total)


def test_confusion_has_a_row_per_actual_class() -> None:
    assert scores.confusion([0, 0, 1, 3], [0, 1, 1, 0], 4).tolist() == [
        [1, 1, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
        [1, 0, 0, 0],
    ]


def test_class_scores_give_the_report_s_figures_for_its_resnet() -> None:
    by_class = dict(zip(CLASSES, scores.class_scores(REPORT_RESNET), strict=True))
    eosinophil, neutrophil = by_class["eosinophil"], by_class["neutrophil"]
    assert (eosinophil.sensitivity, eosinophil.support) == (1, 6)
    assert eosinophil.specificity == pytest.approx(0.759, abs=5e-4)
    assert eosinophil.precision == pytest.approx(0.462, abs=5e-4)
    assert neutrophil.sensitivity == pytest.approx(0.696, abs=5e-4)
    assert (neutrophil.specificity, neutrophil.precision, neutrophil.support) == (1, 1, 23)
    assert round(scores.mean_sensitivity(REPORT_RESNET), 2) == 0.92
    assert round(scores.mean_specificity(REPORT_RESNET), 2) == 0.94


def test_headline_gives_the_report_s_figures_for_its_alexnet() -> None:
    assert scores.headline(from_matrix(REPORT_ALEXNET)) == {
        "accuracy": 0.1714,
        "accuracy_low": 0.081,
        "accuracy_high": 0.3268,
        "mean_sensitivity": 0.25,
        "mean_specificity": 0.75,
        "cells": 35,
    }


def test_scores_agree_with_scikit_learn() -> None:
    p = made_up(200)
    matrix = scores.confusion(p.actual, p.predicted, 4)
    assert matrix.tolist() == metrics.confusion_matrix(p.actual, p.predicted).tolist()
    assert scores.mean_sensitivity(matrix) == pytest.approx(metrics.balanced_accuracy_score(p.actual, p.predicted))
    precision = metrics.precision_score(p.actual, p.predicted, average=None)
    assert [one.precision for one in scores.class_scores(matrix)] == pytest.approx(list(precision))


def test_what_is_nothing_divided_by_nothing_is_left_empty_and_out_of_the_means() -> None:
    matrix = np.array([[2, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    absent = scores.class_scores(matrix)[2]
    assert (absent.sensitivity, absent.specificity, absent.precision, absent.support) == (None, 1, None, 0)
    assert scores.mean_sensitivity(matrix) == pytest.approx((2 / 3 + 1) / 2)
    only = np.diag([0, 5, 0, 0])
    assert scores.class_scores(only)[1].specificity is None
    assert scores.mean_specificity(only) == 1
    assert all(math.isfinite(value) for value in scores.headline(from_matrix(matrix)).values())
    table = {row[0]: row for row in scores.class_table(from_matrix(matrix))}
    assert table["monocyte"] == ("monocyte", None, 1.0, None, None, 0)
    assert {name for name, _, _ in scores.roc_table(from_matrix(matrix))} == {"eosinophil", "lymphocyte"}


@pytest.mark.parametrize("digits", [1, 6])
def test_roc_and_its_area_agree_with_scikit_learn(digits: int) -> None:
    random = np.random.default_rng(0)
    truth = random.random(80) < 0.3
    score = np.round(random.random(80) * 0.7 + truth * 0.3, digits)  # one digit: many are equal
    fpr, tpr, thresholds = scores.roc(score, truth)
    assert scores.auc(fpr, tpr) == pytest.approx(metrics.roc_auc_score(truth, score))
    theirs = {*zip(*metrics.roc_curve(truth, score, drop_intermediate=False), strict=True)}
    assert {*zip(fpr, tpr, thresholds, strict=True)} <= theirs
    assert (fpr[0], tpr[0], thresholds[0]) == (0, 0, math.inf)
    assert (fpr[-1], tpr[-1]) == (1, 1)


def test_roc_keeps_corners_alone() -> None:
    fpr, tpr, _ = scores.roc([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [True, True, False, False, True, False])
    assert [*zip(fpr, tpr, strict=True)] == [(0, 0), (0, 2 / 3), (2 / 3, 2 / 3), (2 / 3, 1), (1, 1)]


@pytest.mark.parametrize("truth", [[True, True], [False, False]])
def test_roc_needs_both_kinds(truth: list[bool]) -> None:
    with pytest.raises(ValueError, match="needs cells"):
        scores.roc([0.1, 0.9], truth)


def test_worst_mistakes_are_those_whose_true_class_got_least() -> None:
    chances = [[0.6, 0.4, 0.0, 0.0], [0.9, 0.1, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.2, 0.2, 0.2, 0.4]]
    p = scores.predictions(["a", "b", "c", "d"], [0] * 4, [1, 1, 0, 2], chances)
    assert scores.worst_mistakes(p, 12).tolist() == [1, 3, 0]
    assert scores.worst_mistakes(p, 2).tolist() == [1, 3]


def test_predictions_come_back_the_same_and_so_do_their_scores(tmp_path: Path) -> None:
    p = made_up()
    scores.write_predictions(tmp_path / "p.csv", p)
    again = scores.read_predictions(tmp_path / "p.csv")
    assert (again.images, again.classes) == (p.images, p.classes)
    for name in ("folds", "actual", "predicted", "probabilities"):
        assert getattr(again, name).tolist() == getattr(p, name).tolist()
    assert scores.class_table(again) == scores.class_table(p)
    assert scores.roc_table(again) == scores.roc_table(p)


def test_the_table_has_the_contract_s_columns_and_six_digits(tmp_path: Path) -> None:
    p = scores.predictions(["x.jpg"], [4], [3], [[0.1, 0.2, 1 / 30, 2 / 3]])
    scores.write_predictions(tmp_path / "p.csv", p)
    assert (tmp_path / "p.csv").read_text().splitlines() == [
        "image,fold,actual,predicted,eosinophil,lymphocyte,monocyte,neutrophil",
        "x.jpg,4,neutrophil,neutrophil,0.100000,0.200000,0.033333,0.666667",
    ]


def test_permuted_class_names_are_caught(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    scores.write_predictions(path, made_up())
    rewrite(path, "eosinophil,lymphocyte,monocyte,neutrophil", "neutrophil,eosinophil,monocyte,lymphocyte")
    with pytest.raises(InputError, match=r"p\.csv: its columns are .*in this order"):
        scores.read_predictions(path)


def test_predictions_made_with_permuted_classes_are_refused_when_read(tmp_path: Path) -> None:
    p = made_up()
    other = scores.predictions(p.images, p.folds, p.actual, p.probabilities, classes=CLASSES[::-1])
    scores.write_predictions(tmp_path / "p.csv", other)
    with pytest.raises(InputError, match="in this order"):
        scores.read_predictions(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.700000,0.200000", "0.200000,0.700000", r"line 2: a\.jpg is predicted eosinophil, but lymphocyte"),
        ("b.jpg", "a.jpg", r"line 3: a\.jpg is predicted a second time"),
        ("0.700000", "0.600000", r"line 2: the probabilities of a\.jpg don't add up"),
        ("0.700000", "nan", "don't add up"),
        ("0.700000", "", "line 2: no row of predictions"),
        ("monocyte,monocyte", "monocyte,basophil", "line 3: no row of predictions"),
        ("0.700000,", "", "no row of predictions"),
        ("jpg,0,", f"jpg,{'9' * 20},", "no row of predictions"),
    ],
)
def test_a_row_that_contradicts_itself_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "p.csv"
    chances = [[0.7, 0.2, 0.05, 0.05], [0.1, 0.1, 0.8, 0]]
    scores.write_predictions(path, scores.predictions(["a.jpg", "b.jpg"], [0, 1], [0, 2], chances))
    text = path.read_text().split("\n", 1)
    path.write_text(text[0] + "\n" + text[1].replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        scores.read_predictions(path)


def test_validation_parts_may_hold_a_cell_once_in_each_fold(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    chances = [[0.7, 0.2, 0.05, 0.05]] * 2
    scores.write_predictions(path, scores.predictions(["a.jpg", "a.jpg"], [0, 1], [0, 0], chances))
    assert scores.read_predictions(path, validation=True).images == ("a.jpg", "a.jpg")
    with pytest.raises(InputError, match=r"line 3: a\.jpg is predicted a second time"):
        scores.read_predictions(path)
    scores.write_predictions(path, scores.predictions(["a.jpg", "a.jpg"], [1, 1], [0, 0], chances))
    with pytest.raises(InputError, match=r"line 3: a\.jpg is predicted a second time"):
        scores.read_predictions(path, validation=True)


def test_a_tie_within_rounding_is_no_contradiction(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    scores.write_predictions(path, scores.predictions(["a.jpg"], [0], [0], [[0.5, 0.5, 0, 0]]))
    rewrite(path, "eosinophil,eosinophil,0.5", "eosinophil,lymphocyte,0.5")
    assert scores.read_predictions(path).predicted.tolist() == [1]


@pytest.mark.parametrize("content", ["", "image,fold\n", "image,fold,actual,predicted,a,b,c,d\n", "\xff\x00"])
def test_a_table_of_something_else_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"p\.csv.*dvc repro"):
        scores.read_predictions(path)


def test_missing_and_empty_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        scores.read_predictions(tmp_path / "p.csv")
    scores.write_predictions(tmp_path / "p.csv", scores.predictions([], [], [], np.zeros((0, 4))))
    with pytest.raises(InputError, match="holds no predictions"):
        scores.read_predictions(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("folds", "actual", "chances"),
    [
        ([0, 0], [1], [[1, 0, 0, 0]]),
        ([0], [4], [[1, 0, 0, 0]]),
        ([0], [-1], [[1, 0, 0, 0]]),
        ([0], [1], [[3.0, -2.0, 0, 0]]),
        ([0], [1], [[math.nan, 0, 0, 1]]),
    ],
)
def test_predictions_that_are_none_are_refused(folds: list[int], actual: list[int], chances: list[list[float]]) -> None:
    with pytest.raises(ValueError):
        scores.predictions(["a.jpg"], folds, actual, chances)
