"""The table of predictions: one row per cell, with the probability of each class."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv

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
