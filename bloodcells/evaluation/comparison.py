"""The comparison of all models: with the majority class, with published results, and pair by pair."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from bloodcells.core.errors import InputError
from bloodcells.datasets.record import PublishedResult
from bloodcells.evaluation.bootstrap import SCORES, Bootstrap, Estimate, bootstrap
from bloodcells.evaluation.intervals import Interval, wilson
from bloodcells.evaluation.metrics import confusion, headline
from bloodcells.evaluation.paired_tests import LEVEL, Paired, align, cells_needed, holm, paired_test
from bloodcells.evaluation.tables import whole_numbers
from bloodcells.inference.predictions import Predictions

MAJORITY_CLASS = "majority class"

_MEANS = tuple(score for score in SCORES if score != "accuracy")  # a proportion, for which there is Wilson's interval


@dataclass(frozen=True)
class Entry:
    """One row of the comparison; the two means are over the classes."""

    name: str
    kind: Literal["model", "baseline", "published"]
    correct: int
    cells: int
    mean_sensitivity: float
    mean_specificity: float

    @property
    def accuracy(self) -> float:
        """Proportion of correct predictions."""
        return self.correct / self.cells

    @property
    def interval(self) -> Interval:
        """The 95 % Wilson interval of the accuracy."""
        return wilson(self.correct, self.cells)


def compare(models: Mapping[str, Predictions], majority: str, published: Sequence[Entry] = ()) -> list[Entry]:
    """Return each model, the baseline that always predicts the class `majority`, and published results.

    Raises:
        InputError: two models were not tested on the same cells.
    """
    first, *others = models
    for other in others:
        _check_same_cells(first, models[first], other, models[other])
    p = models[first]
    guess = np.full_like(p.actual, p.classes.index(majority))
    baseline = Predictions(p.images, p.folds, p.actual, guess, p.probabilities, p.classes)
    return [
        *(_entry(name, "model", one) for name, one in models.items()),
        _entry(MAJORITY_CLASS, "baseline", baseline),
        *published,
    ]


def _entry(name: str, kind: Literal["model", "baseline"], p: Predictions) -> Entry:
    scores = headline(p)
    return Entry(
        name, kind, int(p.correct.sum()), len(p.actual), scores["mean_sensitivity"], scores["mean_specificity"]
    )


def published_entries(results: Iterable[PublishedResult]) -> list[Entry]:
    """Return results that others published."""
    return [Entry(r.model, "published", r.correct, r.cells, r.mean_sensitivity, r.mean_specificity) for r in results]


def accuracy_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return one row per entry."""
    return pd.DataFrame(
        {
            "model": [entry.name for entry in entries],
            "kind": [entry.kind for entry in entries],
            "correct": [entry.correct for entry in entries],
            "cells": [entry.cells for entry in entries],
            "accuracy": [entry.accuracy for entry in entries],
            "accuracy_low": [entry.interval[0] for entry in entries],
            "accuracy_high": [entry.interval[1] for entry in entries],
            "mean_sensitivity": [entry.mean_sensitivity for entry in entries],
            "mean_specificity": [entry.mean_specificity for entry in entries],
        }
    )


def resample(models: Mapping[str, Predictions], resamples: int, seed: int) -> Bootstrap:
    """Resample the cells of all models together; the models keep their order."""
    actual, predicted = align([*models.values()])
    return bootstrap(actual, predicted, len(next(iter(models.values())).classes), resamples, seed)


def interval_table(models: Mapping[str, Predictions], drawn: Bootstrap) -> pd.DataFrame:
    """Return a row for each score of each model, and of each class.

    Proportions have Wilson intervals, means over classes bootstrap intervals. The interval of a class's precision is
    conditional on the number of cells predicted as that class. A proportion of nothing is NaN.
    """
    rows = []
    for number, (name, p) in enumerate(models.items()):
        for score, part, whole in _proportions(p):
            low, high = wilson(part, whole) if whole else (np.nan, np.nan)
            rows.append((name, score, part / whole if whole else np.nan, low, high, "Wilson"))
        for score in _MEANS:
            of = drawn.score(score, number)
            rows.append((name, score, of.value, of.low, of.high, "stratified bootstrap"))
    return pd.DataFrame(rows, columns=["model", "score", "value", "low", "high", "method"])


def _proportions(p: Predictions) -> Iterator[tuple[str, int, int]]:
    """Yield each score that is a count out of a count."""
    matrix = confusion(p)
    cells = int(matrix.sum())
    yield "accuracy", int(np.trace(matrix)), cells
    for label, name in enumerate(p.classes):
        hits, support, predicted = int(matrix[label, label]), int(matrix[label].sum()), int(matrix[:, label].sum())
        yield f"sensitivity: {name}", hits, support
        yield f"specificity: {name}", cells - support - predicted + hits, cells - support
        yield f"precision: {name}", hits, predicted


@dataclass(frozen=True)
class Pair:
    """Two models on the same cells, as one of several pairs that are tested together.

    Attributes:
        first, second: names of the models.
        paired: the test.
        p_holm: its p after Holm's correction for all `tests`.
        tests: number of pairs.
        differences: the second model's scores minus the first's, by the names of `SCORES`.
    """

    first: str
    second: str
    paired: Paired
    p_holm: float
    tests: int
    differences: Mapping[str, Estimate]

    @property
    def better(self) -> str | None:
        """The model that is significantly better, if one is."""
        if self.p_holm >= LEVEL:
            return None
        return self.second if self.paired.only_second > self.paired.only_first else self.first

    @property
    def verdict(self) -> str:
        """Which model is better, in words."""
        if self.better is None:
            return "no difference shown"
        return f"{self.better} better than {self.second if self.better == self.first else self.first}"

    @property
    def cells_needed(self) -> int | None:
        """How many cells it takes to show the observed difference among all tests; None without a difference."""
        return cells_needed(self.paired.only_first, self.paired.only_second, self.paired.cells, self.tests)


def pairs(models: Mapping[str, Predictions], drawn: Bootstrap) -> list[Pair]:
    """Test each pair of models; `drawn` is what `resample` returned for them."""
    actual, predicted = align([*models.values()])
    places = [*itertools.combinations(range(len(models)), 2)]
    differences = [{score: drawn.difference(score, i, j) for score in SCORES} for i, j in places]
    tests = [
        paired_test(actual, predicted[i], predicted[j], of["accuracy"])
        for (i, j), of in zip(places, differences, strict=True)
    ]
    names = [*models]
    return [
        Pair(names[i], names[j], test, p_holm, len(tests), of)
        for (i, j), test, p_holm, of in zip(places, tests, holm([t.p for t in tests]), differences, strict=True)
    ]


def pair_table(tested: Sequence[Pair]) -> pd.DataFrame:
    """Return one row per pair."""
    return pd.DataFrame(
        {
            "first": [pair.first for pair in tested],
            "second": [pair.second for pair in tested],
            "difference": [pair.paired.difference for pair in tested],
            "low": [pair.paired.low for pair in tested],
            "high": [pair.paired.high for pair in tested],
            "only_first_correct": [pair.paired.only_first for pair in tested],
            "only_second_correct": [pair.paired.only_second for pair in tested],
            "p": [pair.paired.p for pair in tested],
            "p_holm": [pair.p_holm for pair in tested],
            "verdict": [pair.verdict for pair in tested],
            "cells_needed": whole_numbers([pair.cells_needed for pair in tested]),
        }
    )


def difference_table(tested: Sequence[Pair]) -> pd.DataFrame:
    """Return one row per score and pair, second minus first; p and verdict belong to the accuracy alone."""
    rows = [
        (
            *(pair.first, pair.second, score, of.value, of.low, of.high),
            *((pair.paired.p, pair.p_holm, pair.verdict) if score == "accuracy" else (np.nan, np.nan, "")),
        )
        for pair in tested
        for score, of in pair.differences.items()
    ]
    columns = ["first", "second", "score", "difference", "low", "high", "p", "p_holm", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def degenerate(models: Mapping[str, Predictions]) -> list[str]:
    """Return the models whose bootstrap intervals are too narrow: all cells of some class correct, or none."""
    return [
        name
        for name, p in models.items()
        if any(p.correct[p.actual == label].mean() in (0, 1) for label in np.unique(p.actual))
    ]


def _check_same_cells(first: str, one: Predictions, second: str, other: Predictions) -> None:
    """Raise InputError unless both models were tested on the same cells, in the same folds, with the same labels."""
    cells = [
        {image: (int(fold), int(actual)) for image, fold, actual in zip(p.images, p.folds, p.actual, strict=True)}
        for p in (one, other)
    ]
    differing = sorted(
        image for image in cells[0].keys() | cells[1].keys() if cells[0].get(image) != cells[1].get(image)
    )
    if differing:
        told = [
            f"{name} tested it in fold {of[differing[0]][0]} as {one.classes[of[differing[0]][1]]}"
            if differing[0] in of
            else f"{name} did not test it"
            for name, of in zip((first, second), cells, strict=True)
        ]
        raise InputError(
            f"{first} and {second} can't be compared: {len(differing)} cells differ, the first is {differing[0]} "
            f"({', '.join(told)}); run `dvc repro`, which tests all models on the same cells"
        )
