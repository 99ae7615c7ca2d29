"""The figures of an external test: scores with intervals, whether the target error rate is kept, and the drop."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bloodcells.evaluation.bootstrap import (
    Bootstrap,
    Estimate,
    bootstrap,
    clustered_proportion,
    percentile_estimate,
    resample_counts,
)
from bloodcells.evaluation.intervals import wilson

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

ACCURACY, COVERAGE, ERROR_RATE = "accuracy", "coverage", "error rate of answers"
ALL_ERRORS = "error rate of answers, unknown classes included"
MEANS = ("mean sensitivity", "mean specificity")
NO_INPUT = -1
"""Stands for the prediction of a cell for which the network got no input."""


@dataclass(frozen=True)
class Score:
    """A score with its 95 % interval; a proportion is `part` of `whole`, a mean over classes has neither."""

    value: float
    low: float
    high: float
    method: str
    part: int | None = None
    whole: int | None = None


@dataclass(frozen=True, eq=False)
class Outcomes:
    """n cells whose classes the model knows, and what it made of them.

    Attributes:
        actual: (n,) indices into `classes`.
        likeliest: (n,) the most probable class, or `NO_INPUT`.
        answered: (n,) whether that is the answer; the model abstains from the others.
        groups: n names of patients, slides or acquisitions; cells of one group are resampled together. An empty name
            is a group of its own.
        classes: of the model.
    """

    actual: Indices
    likeliest: Indices
    answered: Mask
    groups: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def correct(self) -> Mask:
        """(n,) whether the most probable class is the actual one."""
        return np.asarray(self.likeliest == self.actual)

    def select(self, rows: Mask) -> "Outcomes":
        """Return some of the cells."""
        groups = tuple(group for group, chosen in zip(self.groups, rows, strict=True) if chosen)
        return Outcomes(self.actual[rows], self.likeliest[rows], self.answered[rows], groups, self.classes)


@dataclass(frozen=True)
class Resampling:
    """How intervals are made: from cells that count as independent, or from groups that are resampled whole.

    Attributes:
        resamples, seed: of the bootstrap.
    """

    resamples: int
    seed: int

    def proportion(self, hits: Mask, groups: Sequence[str]) -> Score:
        """Return the proportion of hits (n,); a proportion of nothing is NaN.

        Without groups, or with a single one, the interval is Wilson's. With groups it is that of resampled groups; if
        all cells are hits, or none, resampling can't vary, and Wilson's interval takes each group for one cell.
        """
        part, whole = int(hits.sum()), len(hits)
        if not whole:
            return Score(math.nan, math.nan, math.nan, "", 0, 0)
        of = _numbered(groups)
        count = int(of.max()) + 1
        if count in (1, whole):
            return Score(part / whole, *wilson(part, whole), "Wilson", part, whole)
        if part in (0, whole):
            return Score(part / whole, *wilson(count if part else 0, count), "Wilson, of groups", part, whole)
        drawn = resample_counts(np.zeros(count), self.resamples, self.seed)
        estimate = percentile_estimate(clustered_proportion(drawn, np.bincount(of, hits), np.bincount(of)))
        return Score(estimate.value, estimate.low, estimate.high, "bootstrap of groups", part, whole)

    def mean(self, score: str, cells: Outcomes) -> Score:
        """Return a mean over the classes, one of `MEANS`."""
        of, k = _numbered(cells.groups), len(cells.classes)
        count = int(of.max()) + 1
        if count in (1, len(of)):
            drawn = bootstrap(cells.actual, cells.likeliest[None], k, self.resamples, self.seed)
            return _of_estimate(drawn.score(score, 0), "stratified bootstrap")
        counts = resample_counts(np.zeros(count), self.resamples, self.seed)
        by_group = np.zeros((count, k * k))
        np.add.at(by_group, (of, cells.actual * k + cells.likeliest), 1)
        matrices = (counts @ by_group).reshape(-1, 1, k, k)
        return _of_estimate(Bootstrap(matrices[0], matrices[1:]).score(score, 0), "bootstrap of groups")


def _of_estimate(estimate: Estimate, method: str) -> Score:
    return Score(estimate.value, estimate.low, estimate.high, method)


def _numbered(groups: Sequence[str]) -> Indices:
    """Number the groups (n,); each empty name is a group of its own."""
    names = [group or f"\0{number}" for number, group in enumerate(groups)]
    return np.asarray(np.unique(names, return_inverse=True)[1], np.int64)


def sensitivity_of(name: str) -> str:
    """Return the name of a class's score."""
    return f"sensitivity: {name}"


def scores(cells: Outcomes, by: Resampling) -> dict[str, Score]:
    """Return the scores by name.

    Accuracy, sensitivities and means are those of the forced choice: the most probable class, whether the model answers
    or abstains, of the cells for which the network got an input. The means are over the classes that have cells.
    """
    forced = cells.select(cells.likeliest != NO_INPUT)
    answers = cells.select(cells.answered)
    found = {ACCURACY: by.proportion(forced.correct, forced.groups)}
    if len(forced.actual):
        found |= {name: by.mean(name, forced) for name in MEANS}
    for label, name in enumerate(cells.classes):
        of = forced.select(forced.actual == label)
        if len(of.actual):
            found[sensitivity_of(name)] = by.proportion(of.correct, of.groups)
    found[COVERAGE] = by.proportion(cells.answered, cells.groups)
    found[ERROR_RATE] = by.proportion(~answers.correct, answers.groups)
    return found


Kept = Literal["kept", "not kept", "can't tell"]


def target_kept(error_rate: Score, target: float) -> Kept:
    """Return whether the interval of an error rate shows that a target is kept; without answers, it can't tell."""
    if error_rate.low > target:
        return "not kept"
    return "kept" if error_rate.high <= target else "can't tell"


@dataclass(frozen=True)
class Difference:
    """An external score minus the internal one, with its 95 % interval."""

    value: float
    low: float
    high: float

    def verdict(self, less_is_better: bool = False) -> str:
        """Say what the interval shows."""
        if not (self.low > 0 or self.high < 0):
            return "no difference shown"
        return "worse than internal" if (self.low > 0) == less_is_better else "better than internal"


def difference(external: Score, internal: Score) -> Difference:
    """Return the difference of two independent scores.

    G. Y. Zou and A. Donner, Statistics in Medicine 27 (2008), 1693-1702, combine the two intervals; for proportions
    with Wilson intervals that is Newcombe's method 10 (`bloodcells.evaluation.intervals.newcombe`).
    """
    value = external.value - internal.value
    below = math.hypot(external.value - external.low, internal.high - internal.value)
    above = math.hypot(external.high - external.value, internal.value - internal.low)
    return Difference(value, value - below, value + above)
