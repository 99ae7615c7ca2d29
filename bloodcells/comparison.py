"""What stands beside what in the comparison: models, the largest class, and the figures of the original report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bloodcells.errors import InputError
from bloodcells.scores import Predictions, confusion, mean_sensitivity, mean_specificity, wilson


@dataclass(frozen=True)
class Entry:
    """One row of the comparison; the two means are over the classes, each against the rest."""

    name: str
    right: int
    cells: int
    mean_sensitivity: float
    mean_specificity: float
    kind: Literal["model", "baseline", "report"]

    @property
    def accuracy(self) -> float:
        """Share of the cells that are right."""
        return self.right / self.cells

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the accuracy."""
        return wilson(self.right, self.cells)


ORIGINAL_REPORT = (
    Entry("original report: ResNet", 28, 35, 0.92, 0.94, "report"),
    Entry("original report: EfficientNet", 32, 35, 0.86, 0.97, "report"),
    Entry("original report: AlexNet", 6, 35, 0.25, 0.75, "report"),
)
"""What the report that this project reproduces and corrects gives for its one holdout of 35 images."""

LARGEST_CLASS = "largest class"

COLUMNS = (
    "model",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "mean_sensitivity",
    "mean_specificity",
    "cells",
    "right",
)
"""The columns of `table`."""


def compare(models: Mapping[str, Predictions], largest: str) -> list[Entry]:
    """Give the entries: each model, then always the class `largest`, then the original report's figures.

    Raises:
        InputError: two models were not tested on the same cells.
    """
    first, *others = models
    for other in others:
        _same_cells(first, models[first], other, models[other])
    p = models[first]
    guess = np.full_like(p.actual, p.classes.index(largest))
    return [
        *(_entry(name, one, one.predicted, "model") for name, one in models.items()),
        _entry(LARGEST_CLASS, p, guess, "baseline"),
        *ORIGINAL_REPORT,
    ]


def table(entries: Sequence[Entry]) -> list[tuple[str | float | int, ...]]:
    """Give a row per entry for `COLUMNS`, shares rounded to four digits."""
    return [
        (
            entry.name,
            round(entry.accuracy, 4),
            *(round(bound, 4) for bound in entry.interval),
            round(entry.mean_sensitivity, 4),
            round(entry.mean_specificity, 4),
            entry.cells,
            entry.right,
        )
        for entry in entries
    ]


def markdown(entries: Sequence[Entry]) -> str:
    """Give the entries as a table of GitHub's Markdown, in columns that read as well as plain text.

    Sensitivity and specificity are the means over the classes.
    """
    head = ("", "right", "accuracy", "95 % interval", "sensitivity", "specificity")
    rows = [
        (
            entry.name.removeprefix("original "),
            f"{entry.right} of {entry.cells}",
            f"{entry.accuracy:.3f}",
            "{:.3f} to {:.3f}".format(*entry.interval),
            f"{entry.mean_sensitivity:.{_digits(entry)}f}",
            f"{entry.mean_specificity:.{_digits(entry)}f}",
        )
        for entry in entries
    ]
    wide = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    rule = [f"{'-' * wide[0]}", *(f"{'-' * (width - 1)}:" for width in wide[1:])]
    return "\n".join(
        "| " + " | ".join([row[0].ljust(wide[0]), *(row[i].rjust(wide[i]) for i in range(1, len(row)))]) + " |"
        for row in [head, rule, *rows]
    )


def _digits(entry: Entry) -> int:
    return 2 if entry.kind == "report" else 3  # the report printed two


def _entry(name: str, p: Predictions, predicted: np.ndarray, kind: Literal["model", "baseline"]) -> Entry:
    matrix = confusion(p.actual, predicted, len(p.classes))
    right, cells = int(np.trace(matrix)), int(matrix.sum())
    return Entry(name, right, cells, mean_sensitivity(matrix), mean_specificity(matrix), kind)


def _same_cells(first: str, one: Predictions, second: str, other: Predictions) -> None:
    """Raise InputError unless both were tested on the same cells, in the same folds, under the same labels."""
    cells = [
        {image: (int(fold), int(actual)) for image, fold, actual in zip(p.images, p.folds, p.actual, strict=True)}
        for p in (one, other)
    ]
    unlike = sorted(image for image in cells[0].keys() | cells[1].keys() if cells[0].get(image) != cells[1].get(image))
    if unlike:
        said = [
            f"{name} tested it in fold {of[unlike[0]][0]} as {one.classes[of[unlike[0]][1]]}"
            if unlike[0] in of
            else f"{name} did not test it"
            for name, of in zip((first, second), cells, strict=True)
        ]
        raise InputError(
            f"{first} and {second} can't be compared: {len(unlike)} cells differ, the first {unlike[0]} "
            f"({', '.join(said)}); run `dvc repro`, which tests all models on the same cells"
        )
