"""The figures of an external test: scores with intervals, whether the target error rate is kept, and the drop."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bloodcells.evaluation.bootstrap import bootstrap
from bloodcells.evaluation.intervals import proportion_interval
from bloodcells.evaluation.parameters import CompareParameters

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
        clusters: (n,) the group of each cell; None if the cells are independent.
        classes: of the model.
    """

    actual: Indices
    likeliest: Indices
    answered: Mask
    clusters: Indices | None
    classes: tuple[str, ...]

    @property
    def correct(self) -> Mask:
        """(n,) whether the most probable class is the actual one."""
        return np.asarray(self.likeliest == self.actual)

    def select(self, rows: Mask) -> "Outcomes":
        """Return some of the cells."""
        clusters = None if self.clusters is None else self.clusters[rows]
        return Outcomes(self.actual[rows], self.likeliest[rows], self.answered[rows], clusters, self.classes)


def proportion(hits: Mask, clusters: Indices | None) -> Score:
    """Return the proportion of hits (n,) with Wilson's interval; a proportion of nothing is NaN.

    Args:
        hits: (n,).
        clusters: (n,) the groups, which the interval takes as independent; None if the cells are.
    """
    part, whole = int(hits.sum()), len(hits)
    method = "Wilson" if clusters is None else "Wilson of groups"
    return Score(part / whole if whole else math.nan, *proportion_interval(hits, clusters), method, part, whole)


def _mean(name: str, cells: Outcomes, by: CompareParameters) -> Score:
    """Return a mean over the classes, one of `MEANS`."""
    predicted, k = cells.likeliest[None], len(cells.classes)
    drawn = bootstrap(cells.actual, predicted, k, by.resamples, by.seed, cells.clusters).score(name, 0)
    method = "stratified bootstrap" if cells.clusters is None else "bootstrap of groups"
    return Score(drawn.value, drawn.low, drawn.high, method)


def sensitivity_of(name: str) -> str:
    """Return the name of a class's score."""
    return f"sensitivity: {name}"


def scores(cells: Outcomes, by: CompareParameters) -> dict[str, Score]:
    """Return the scores by name.

    Accuracy, sensitivities and means are those of the forced choice: the most probable class, whether the model answers
    or abstains, of the cells for which the network got an input. The means are over the classes that have cells.
    """
    forced = cells.select(cells.likeliest != NO_INPUT)
    answers = cells.select(cells.answered)
    found = {ACCURACY: proportion(forced.correct, forced.clusters)}
    if len(forced.actual):
        found |= {name: _mean(name, forced, by) for name in MEANS}
    for label, name in enumerate(cells.classes):
        of = forced.select(forced.actual == label)
        if len(of.actual):
            found[sensitivity_of(name)] = proportion(of.correct, of.clusters)
    found[COVERAGE] = proportion(cells.answered, cells.clusters)
    found[ERROR_RATE] = proportion(~answers.correct, answers.clusters)
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
