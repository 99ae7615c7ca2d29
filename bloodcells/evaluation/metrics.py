"""Predictions: their one table, and every score that is computed from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bloodcells.evaluation.intervals import wilson
from bloodcells.inference.predictions import Predictions

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]


def confusion(actual: ArrayLike, predicted: ArrayLike, classes: int) -> Indices:
    """Count into a matrix (classes, classes): a row per actual class, a column per predicted one."""
    pairs = np.asarray(actual, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True)
class ClassScores:
    """One class against the rest. A score is None where it is nothing divided by nothing.

    sensitivity: share of the class's cells that were found. specificity: share of the other cells that
    were not taken for it. precision: share of the cells taken for it that are of it. support: its cells.
    """

    sensitivity: float | None
    specificity: float | None
    precision: float | None
    support: int


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def class_scores(matrix: Indices) -> list[ClassScores]:
    """Give the scores of each class from a confusion matrix (k, k) with a row per actual class."""
    total = int(matrix.sum())
    scores = []
    for number in range(len(matrix)):
        hits, support, taken = int(matrix[number, number]), int(matrix[number].sum()), int(matrix[:, number].sum())
        others = total - support
        scores.append(
            ClassScores(_share(hits, support), _share(others - (taken - hits), others), _share(hits, taken), support)
        )
    return scores


def mean_sensitivity(matrix: Indices) -> float:
    """Give the mean of the classes' sensitivities, those without a cell left out: the balanced accuracy."""
    return _mean([scores.sensitivity for scores in class_scores(matrix)])


def mean_specificity(matrix: Indices) -> float:
    """Give the mean of the classes' specificities, those to which every cell belongs left out."""
    return _mean([scores.specificity for scores in class_scores(matrix)])


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    if not known:
        raise ValueError("nothing was counted")
    return sum(known) / len(known)


def roc(scores: ArrayLike, positive: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Give the receiver operating characteristic: false and true positive rates, and their thresholds.

    A cell counts as positive where its score (n,) is at least the threshold; `positive` (n,) is the truth.
    From (0, 0), with the threshold infinity, to (1, 1); equal scores make one slanting step, so that the
    area counts them half, and corners alone are kept.

    Raises:
        ValueError: no positive cell, or no other.
    """
    score, truth = np.asarray(scores, np.float64), np.asarray(positive, np.bool_)
    if truth.all() or not truth.any():
        raise ValueError("a ROC curve needs cells of the class and cells of others")
    order = np.argsort(-score, kind="stable")
    score, truth = score[order], truth[order]
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # the last cell of each run of equal scores
    hits = np.append(0, np.cumsum(truth)[ends])
    alarms = np.append(0, np.cumsum(~truth)[ends])
    thresholds = np.append(np.inf, score[ends])
    corner = np.ones(len(hits), np.bool_)
    across, up = np.diff(alarms), np.diff(hits)
    corner[1:-1] = across[:-1] * up[1:] != across[1:] * up[:-1]
    return alarms[corner] / alarms[-1], hits[corner] / hits[-1], thresholds[corner]


def auc(fpr: Floats, tpr: Floats) -> float:
    """Give the area under a ROC curve by the trapezoid rule: exact, since the curve is made of straight lines."""
    return float(np.trapezoid(tpr, fpr))


def headline(p: Predictions) -> dict[str, float | int]:
    """Give the few figures by which models are compared, rounded to four digits: one metrics file."""
    matrix = confusion(p.actual, p.predicted, len(p.classes))
    right, total = int(np.trace(matrix)), int(matrix.sum())
    low, high = wilson(right, total)
    return {
        "accuracy": round(right / total, 4),
        "accuracy_low": round(low, 4),
        "accuracy_high": round(high, 4),
        "mean_sensitivity": round(mean_sensitivity(matrix), 4),
        "mean_specificity": round(mean_specificity(matrix), 4),
        "cells": total,
    }


CLASS_COLUMNS = ("class", "sensitivity", "specificity", "precision", "auc", "support")
"""The columns of `class_table`."""


def class_table(p: Predictions) -> list[tuple[str, float | None, float | None, float | None, float | None, int]]:
    """Give a row per class for `CLASS_COLUMNS`, rounded to four digits; None (an empty cell) where undefined."""
    rows = []
    for number, scores in enumerate(class_scores(confusion(p.actual, p.predicted, len(p.classes)))):
        area = None
        if 0 < scores.support < len(p.actual):
            fpr, tpr, _ = roc(p.probabilities[:, number], p.actual == number)
            area = auc(fpr, tpr)
        rows.append(
            (
                p.classes[number],
                _rounded(scores.sensitivity),
                _rounded(scores.specificity),
                _rounded(scores.precision),
                _rounded(area),
                scores.support,
            )
        )
    return rows


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


ROC_COLUMNS = ("class", "fpr", "tpr")
"""The columns of `roc_table`."""


def roc_table(p: Predictions) -> list[tuple[str, float, float]]:
    """Give the ROC curve of each class against the rest for `ROC_COLUMNS`; a class that has none is left out."""
    rows: list[tuple[str, float, float]] = []
    for number, name in enumerate(p.classes):
        positive = p.actual == number
        if positive.any() and not positive.all():
            fpr, tpr, _ = roc(p.probabilities[:, number], positive)
            rows += [(name, round(float(x), 5), round(float(y), 5)) for x, y in zip(fpr, tpr, strict=True)]
    return rows


def worst_mistakes(p: Predictions, limit: int) -> Indices:
    """Give the rows of at most `limit` wrongly predicted cells, those first whose true class got the least."""
    wrong = np.flatnonzero(p.actual != p.predicted)
    chance = p.probabilities[wrong, p.actual[wrong]]
    return wrong[np.argsort(chance, kind="stable")][:limit]
