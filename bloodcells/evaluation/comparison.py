"""The comparison of all models: with the majority class, with published results, and pair by pair."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bloodcells.core.errors import InputError
from bloodcells.datasets.record import PublishedResult
from bloodcells.evaluation.bootstrap import SCORES, Bootstrap, Estimate, bootstrap
from bloodcells.evaluation.clusters import Groups, cluster_numbers, count_clusters
from bloodcells.evaluation.intervals import Interval, proportion_interval, wilson
from bloodcells.evaluation.metrics import headline
from bloodcells.evaluation.paired_tests import LEVEL, Paired, align, cells_needed, holm, paired_test
from bloodcells.evaluation.tables import whole_numbers
from bloodcells.inference.predictions import Predictions

MAJORITY_CLASS = "majority class"

_MEANS = tuple(score for score in SCORES if score != "accuracy")  # a proportion, for which there is Wilson's interval


@dataclass(frozen=True)
class Entry:
    """One row of the comparison; the means are over the classes, `clustered` is the interval if cells have groups."""

    name: str
    kind: Literal["model", "baseline", "published"]
    correct: int
    cells: int
    mean_sensitivity: float
    mean_specificity: float
    clustered: Interval | None = None

    @property
    def accuracy(self) -> float:
        """Proportion of correct predictions."""
        return self.correct / self.cells

    @property
    def interval(self) -> Interval:
        """The 95 % Wilson interval of the accuracy."""
        return self.clustered or wilson(self.correct, self.cells)


def compare(
    models: Mapping[str, Predictions], majority: str, published: Sequence[Entry] = (), groups: Groups | None = None
) -> list[Entry]:
    """Return each model, the baseline that always predicts the class `majority`, and published results.

    Args:
        models: their predictions for the same cells.
        majority: a class.
        published: results of others.
        groups: of the cells, here and below: what intervals and tests resample whole. None if cells are independent.

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
        *(_entry(name, "model", one, groups) for name, one in models.items()),
        _entry(MAJORITY_CLASS, "baseline", baseline, groups),
        *published,
    ]


def _entry(name: str, kind: Literal["model", "baseline"], p: Predictions, groups: Groups | None) -> Entry:
    scores, clusters = headline(p), cluster_numbers(p.images, groups)
    return Entry(
        name,
        kind,
        int(p.correct.sum()),
        len(p.actual),
        scores["mean_sensitivity"],
        scores["mean_specificity"],
        None if clusters is None else proportion_interval(p.correct, clusters),
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


def resample(models: Mapping[str, Predictions], resamples: int, seed: int, groups: Groups | None = None) -> Bootstrap:
    """Resample the cells of all models together, or their groups; the models keep their order."""
    images, actual, predicted = align([*models.values()])
    classes = next(iter(models.values())).classes
    return bootstrap(actual, predicted, len(classes), resamples, seed, cluster_numbers(images, groups))


def interval_table(models: Mapping[str, Predictions], drawn: Bootstrap, groups: Groups | None = None) -> pd.DataFrame:
    """Return a row for each score of each model, and of each class.

    Proportions have Wilson intervals, means over classes bootstrap intervals; `groups` is the number of groups that
    they take into account. The interval of a class's precision is conditional on the number of cells predicted as that
    class. A proportion of nothing is NaN.
    """
    rows: list[tuple[object, ...]] = []
    grouped = groups is not None
    for number, (name, p) in enumerate(models.items()):
        clusters = cluster_numbers(p.images, groups)
        for score, hits, of in _proportions(p):
            own = None if clusters is None else clusters[of]
            value = hits[of].mean() if of.any() else np.nan
            method = "Wilson, clustered" if grouped else "Wilson"
            rows.append((name, score, value, *proportion_interval(hits[of], own), method, count_clusters(own)))
        for score in _MEANS:
            mean, method = drawn.score(score, number), "cluster bootstrap" if grouped else "stratified bootstrap"
            rows.append((name, score, mean.value, mean.low, mean.high, method, count_clusters(clusters)))
    table = pd.DataFrame(rows, columns=["model", "score", "value", "low", "high", "method", "groups"])
    return table.assign(groups=whole_numbers([*table["groups"]]))


def _proportions(p: Predictions) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield each score that is a proportion: which cells are hits (n,), and of which cells (n,)."""
    yield "accuracy", p.correct, np.ones(len(p.actual), np.bool_)
    for label, name in enumerate(p.classes):
        actual, predicted = p.actual == label, p.predicted == label
        yield f"sensitivity: {name}", predicted, actual
        yield f"specificity: {name}", ~predicted, ~actual
        yield f"precision: {name}", actual, predicted


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
        of = self.paired
        return cells_needed(of.only_first, of.only_second, of.cells, self.tests, of.design_effect)


def pairs(models: Mapping[str, Predictions], drawn: Bootstrap, groups: Groups | None = None) -> list[Pair]:
    """Test each pair of models; `drawn` is what `resample` returned for them."""
    images, actual, predicted = align([*models.values()])
    clusters = cluster_numbers(images, groups)
    places = [*itertools.combinations(range(len(models)), 2)]
    differences = [{score: drawn.difference(score, i, j) for score in SCORES} for i, j in places]
    tests = [
        paired_test(actual, predicted[i], predicted[j], of["accuracy"], clusters)
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
            "test": [pair.paired.test for pair in tested],
            "groups": whole_numbers([pair.paired.groups for pair in tested]),
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
