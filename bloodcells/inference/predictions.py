"""The table of predictions: one row per cell, with the probability of each class."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]

DIGITS = 6
"""Digits of a probability in the table. Probabilities are rounded before anything is computed from them, so that
metrics computed again from the table are identical."""

_COLUMNS = ("image", "fold", "actual", "predicted")
_ROUNDING = 1.5 * 10**-DIGITS


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of one model for n cells.

    Attributes:
        images: n file names.
        folds: (n,) the test fold whose network predicted the cell.
        actual, predicted: (n,) indices into `classes`.
        probabilities: (n, k), one column per class in the order of `classes`.
        classes: k class names.
    """

    images: tuple[str, ...]
    folds: Indices
    actual: Indices
    predicted: Indices
    probabilities: Floats
    classes: tuple[str, ...]

    @classmethod
    def from_probabilities(
        cls,
        images: Sequence[str],
        folds: ArrayLike,
        actual: ArrayLike,
        probabilities: ArrayLike,
        classes: Sequence[str],
    ) -> Self:
        """Predict the most probable class of each row of probabilities (n, k).

        Raises:
            ValueError: the lengths differ, an actual class is not an index into `classes`, or a row is not a
                distribution.
        """
        rounded = np.round(np.asarray(probabilities, np.float64).reshape(-1, len(classes)), DIGITS)
        names, fold, truth = tuple(images), np.asarray(folds, np.int64), np.asarray(actual, np.int64)
        if not len(names) == len(fold) == len(truth) == len(rounded):
            raise ValueError(
                f"{len(names)} images, {len(fold)} folds, {len(truth)} labels, {len(rounded)} rows of probabilities"
            )
        if len(truth) and not np.isin(truth, range(len(classes))).all():
            raise ValueError(f"actual classes must be 0 to {len(classes) - 1}")
        wrong = np.flatnonzero(~_are_distributions(rounded))
        if len(wrong):
            raise ValueError(f"the probabilities of {names[wrong[0]]} are not a distribution: {rounded[wrong[0]]}")
        return cls(names, fold, truth, rounded.argmax(axis=1).astype(np.int64), rounded, tuple(classes))

    @classmethod
    def concatenate(cls, parts: Sequence["Predictions"]) -> Self:
        """Join the rows of several parts, in their order."""
        columns = ("folds", "actual", "predicted", "probabilities")
        return cls(
            images=tuple(image for part in parts for image in part.images),
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns},
            classes=parts[0].classes,
        )

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(n,) whether the prediction is the actual class."""
        return np.asarray(self.predicted == self.actual)

    def select(self, rows: NDArray[np.bool_] | Indices) -> "Predictions":
        """Return some of the rows, given by a mask (n,) or by indices."""
        chosen = np.arange(len(self.images))[rows]
        return Predictions(
            tuple(self.images[row] for row in chosen),
            self.folds[chosen],
            self.actual[chosen],
            self.predicted[chosen],
            self.probabilities[chosen],
            self.classes,
        )


def worst_mistakes(p: Predictions, limit: int) -> Indices:
    """Return the rows of at most `limit` misclassified cells, those with the least probable actual class first."""
    wrong = np.flatnonzero(~p.correct)
    of_actual = p.probabilities[wrong, p.actual[wrong]]
    return wrong[np.argsort(of_actual, kind="stable")][:limit]


def write_predictions(path: Path, p: Predictions) -> None:
    """Write the table: image, fold, actual, predicted, then one probability column per class, named after it."""
    rows = (
        [image, int(fold), p.classes[actual], p.classes[predicted], *(f"{value:.{DIGITS}f}" for value in probabilities)]
        for image, fold, actual, predicted, probabilities in zip(
            p.images, p.folds, p.actual, p.predicted, p.probabilities, strict=True
        )
    )
    write_csv(path, [*_COLUMNS, *p.classes], rows)


def read_predictions(path: Path, validation: bool = False) -> Predictions:
    """Read a table that `write_predictions` wrote.

    Args:
        path: of the table.
        validation: the table holds the validation parts of several folds, in which a cell may occur once per fold.

    Raises:
        InputError: the table is missing, has other columns, or has a row that is
            malformed or contradicts itself (its `predicted` is not the most probable class, for example).
    """
    remedy = "run `dvc repro` to write it again"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = [*csv.reader(file)] or [[]]
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`, which writes it") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path} is not a table; {remedy}") from None
    classes = tuple(header[len(_COLUMNS) :])
    if tuple(header[: len(_COLUMNS)]) != _COLUMNS or len(set(classes)) < max(2, len(classes)):
        raise InputError(
            f"{path}: its columns are {','.join(header) or 'none'}; they must be {','.join(_COLUMNS)} and one for each "
            f"class; {remedy}"
        )
    if not rows:
        raise InputError(f"{path} holds no predictions; {remedy}")
    index = {name: number for number, name in enumerate(classes)}
    fold, actual, predicted = (np.zeros(len(rows), np.int64) for _ in range(3))
    probabilities = np.zeros((len(rows), len(classes)))
    seen: set[tuple[str, int | None]] = set()
    for number, row in enumerate(rows):
        where = f"{path}, line {number + 2}"
        try:
            image, fold[number], actual[number], predicted[number] = row[0], int(row[1]), index[row[2]], index[row[3]]
            probabilities[number] = [float(cell) for cell in row[4:]]
        except (ValueError, IndexError, KeyError, OverflowError):
            raise InputError(f"{where}: not a row of predictions: {','.join(row)}; {remedy}") from None
        key = (image, int(fold[number]) if validation else None)
        if key in seen:
            raise InputError(f"{where}: {image} is predicted twice; {remedy}")
        seen.add(key)
        if not _are_distributions(probabilities[number : number + 1]).all():
            raise InputError(f"{where}: the probabilities of {image} don't sum to 1; {remedy}")
        if probabilities[number].max() - probabilities[number, predicted[number]] > _ROUNDING:
            raise InputError(
                f"{where}: {image} is predicted {row[3]}, but {classes[int(probabilities[number].argmax())]} is more "
                f"probable; are class columns swapped? {remedy}"
            )
    return Predictions(tuple(row[0] for row in rows), fold, actual, predicted, probabilities, classes)


def _are_distributions(probabilities: Floats) -> NDArray[np.bool_]:
    """Return for each row (n, k) whether its numbers are in [0, 1] and sum to 1, apart from rounding."""
    within = (probabilities >= 0) & (probabilities <= 1)  # false for NaN
    return np.asarray(within.all(axis=1) & (np.abs(probabilities.sum(axis=1) - 1) <= 1e-3))
