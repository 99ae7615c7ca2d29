"""Predictions: their one table, and every score that is computed from it."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bloodcells.errors import InputError
from bloodcells.files import write_csv
from bloodcells.labels import CLASSES

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]

DIGITS = 6
"""Digits of a probability in the table. They are rounded before anything is computed from them,
so that scores computed again from the table are the very same."""

_COLUMNS = ("image", "fold", "actual", "predicted")
_ROUNDING = 1.5 * 10**-DIGITS


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one model said of n cells: each tested once, by a network that never trained on it, or validated.

    `images` are n file names; `folds` (n,) the fold whose network saw each; `actual` and `predicted`
    (n,) are indices into `classes`; `probabilities` is (n, k), a column per class in the order of `classes`.
    """

    images: tuple[str, ...]
    folds: Indices
    actual: Indices
    predicted: Indices
    probabilities: Floats
    classes: tuple[str, ...] = CLASSES


def predictions(
    images: Sequence[str],
    folds: ArrayLike,
    actual: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str] = CLASSES,
) -> Predictions:
    """Make predictions out of probabilities (n, k), whose columns follow `classes`: the likeliest is predicted.

    Raises:
        ValueError: the lengths differ, an actual class is no index into `classes`, or a row is no distribution.
    """
    chances = np.round(np.asarray(probabilities, np.float64).reshape(-1, len(classes)), DIGITS)
    names, fold, truth = tuple(images), np.asarray(folds, np.int64), np.asarray(actual, np.int64)
    if not len(names) == len(fold) == len(truth) == len(chances):
        raise ValueError(
            f"{len(names)} images, {len(fold)} folds, {len(truth)} labels, {len(chances)} rows of probabilities"
        )
    if len(truth) and not np.isin(truth, range(len(classes))).all():
        raise ValueError(f"actual classes must be 0 to {len(classes) - 1}")
    wrong = np.flatnonzero(~_are_distributions(chances))
    if len(wrong):
        raise ValueError(f"the probabilities of {names[wrong[0]]} are none: {chances[wrong[0]]}")
    return Predictions(names, fold, truth, chances.argmax(axis=1).astype(np.int64), chances, tuple(classes))


def _are_distributions(chances: Floats) -> NDArray[np.bool_]:
    """Tell for each row (n, k) whether it holds numbers of [0, 1] that add up to 1, but for rounding."""
    within = (chances >= 0) & (chances <= 1)  # false for NaN
    return np.asarray(within.all(axis=1) & (np.abs(chances.sum(axis=1) - 1) <= 1e-3))


def write_predictions(path: Path, p: Predictions) -> None:
    """Write the table: image, fold, actual, predicted, then one probability column per class, named as it."""
    rows = (
        [image, int(fold), p.classes[actual], p.classes[predicted], *(f"{chance:.{DIGITS}f}" for chance in chances)]
        for image, fold, actual, predicted, chances in zip(
            p.images, p.folds, p.actual, p.predicted, p.probabilities, strict=True
        )
    )
    write_csv(path, [*_COLUMNS, *p.classes], rows)


def read_predictions(path: Path, validation: bool = False) -> Predictions:
    """Read a table that `write_predictions` wrote.

    Args:
        path: of the table.
        validation: it holds the validation parts of several folds, where a cell may stand once in each.

    Raises:
        InputError: no such table, other columns or the classes in another order, or a row that is none or
            contradicts itself: its `predicted` is not the class of its largest probability, say.
    """
    remedy = "run `dvc repro` to make it anew"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = [*csv.reader(file)] or [[]]
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`, which makes it") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path} is no table; {remedy}") from None
    if tuple(header) != _COLUMNS + CLASSES:
        raise InputError(
            f"{path}: its columns are {','.join(header) or 'none'}; they must be {','.join(_COLUMNS + CLASSES)}, "
            f"in this order, since the order of the classes gives the numbers their meaning; {remedy}"
        )
    if not rows:
        raise InputError(f"{path} holds no predictions; {remedy}")
    index = {name: number for number, name in enumerate(CLASSES)}
    fold, actual, predicted = (np.zeros(len(rows), np.int64) for _ in range(3))
    chances = np.zeros((len(rows), len(CLASSES)))
    seen: set[tuple[str, int | None]] = set()
    for number, row in enumerate(rows):
        where = f"{path}, line {number + 2}"
        try:
            image, fold[number], actual[number], predicted[number] = row[0], int(row[1]), index[row[2]], index[row[3]]
            chances[number] = [float(cell) for cell in row[4:]]
        except (ValueError, IndexError, KeyError, OverflowError):
            raise InputError(f"{where}: no row of predictions: {','.join(row)}; {remedy}") from None
        cell = (image, int(fold[number]) if validation else None)
        if cell in seen:
            raise InputError(f"{where}: {image} is predicted a second time; {remedy}")
        seen.add(cell)
        if not _are_distributions(chances[number : number + 1]).all():
            raise InputError(f"{where}: the probabilities of {image} don't add up to 1; {remedy}")
        if chances[number].max() - chances[number, predicted[number]] > _ROUNDING:
            raise InputError(
                f"{where}: {image} is predicted {row[3]}, but {CLASSES[int(chances[number].argmax())]} has the "
                f"largest probability; are class columns swapped? {remedy}"
            )
    return Predictions(tuple(row[0] for row in rows), fold, actual, predicted, chances)


def wilson(right: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Give the Wilson score interval of a share: `right` of `total`.

    E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209-212: the shares from
    which `right` is at most z standard errors away. It stays within [0, 1], also for none or all right.

    Raises:
        ValueError: nothing was counted, or more were right than there are.
    """
    if not 0 <= right <= total or total == 0:
        raise ValueError(f"{right} right of {total}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = right / total
    middle = share + z * z / (2 * total)
    reach = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    whole = 1 + z * z / total
    return (
        0.0 if right == 0 else (middle - reach) / whole,
        1.0 if right == total else (middle + reach) / whole,
    )


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
