"""The bootstrap: how much metrics, and differences between models, vary with the sample of cells or of their groups.

Intervals are percentile intervals, with linear interpolation: B. Efron and R. J. Tibshirani, An Introduction to the
Bootstrap (1993), chapter 13.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bloodcells.evaluation.intervals import CONFIDENCE_LEVEL, expanded_tail

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]

QUANTILES = ((1 - CONFIDENCE_LEVEL) / 2, (1 + CONFIDENCE_LEVEL) / 2)

_CHUNK = 4_000_000  # numbers at a time


@dataclass(frozen=True)
class Estimate:
    """A metric or a difference as observed, and its 95 % interval."""

    value: float
    low: float
    high: float


# ---- metrics of many confusion matrices at once, (…, k, k) with a row per actual class


def _accuracy(matrices: Floats) -> Floats:
    return np.asarray(_hits(matrices).sum(axis=-1) / matrices.sum(axis=(-2, -1)))


def _mean_sensitivity(matrices: Floats) -> Floats:
    return _mean_ratio(_hits(matrices), matrices.sum(axis=-1))


def _mean_specificity(matrices: Floats) -> Floats:
    support, predicted = matrices.sum(axis=-1), matrices.sum(axis=-2)
    others = matrices.sum(axis=(-2, -1))[..., None] - support
    return _mean_ratio(others - (predicted - _hits(matrices)), others)


def _macro_f1(matrices: Floats) -> Floats:
    support, predicted = matrices.sum(axis=-1), matrices.sum(axis=-2)
    return _mean_ratio(2 * _hits(matrices), np.where(support > 0, support + predicted, 0))


def _hits(matrices: Floats) -> Floats:
    return np.diagonal(matrices, axis1=-2, axis2=-1)


def _mean_ratio(numerators: Floats, denominators: Floats) -> Floats:
    """Return means over the classes (the last axis), without those whose denominator is 0."""
    known = denominators > 0
    ratios = np.divide(numerators, denominators, out=np.zeros_like(numerators), where=known)
    return np.asarray(ratios.sum(axis=-1) / known.sum(axis=-1))


SCORES: Mapping[str, Callable[[Floats], Floats]] = {
    "accuracy": _accuracy,
    "mean sensitivity": _mean_sensitivity,
    "mean specificity": _mean_specificity,
    "macro F1": _macro_f1,
}
"""Means are over the classes, each against the rest. A class without cells is left out of mean sensitivity and
macro F1, a class with all cells of mean specificity."""


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Confusion matrices of m models: `observed` (m, k, k), and `resampled` (resamples, m, k, k).

    A resample holds the same cells for all models, so that their differences are paired. If groups were resampled,
    `sizes` are their numbers of cells.
    """

    observed: Floats
    resampled: Floats
    sizes: Indices | None = None

    def score(self, name: str, model: int) -> Estimate:
        """Estimate one of `SCORES` for the model at that position."""
        score = SCORES[name]
        return self._estimate(score(self.observed[model]), score(self.resampled[:, model]), least=0)

    def difference(self, name: str, first: int, second: int) -> Estimate:
        """Estimate one of `SCORES` of the second model minus that of the first."""
        score = SCORES[name]
        return self._estimate(
            score(self.observed[second]) - score(self.observed[first]),
            score(self.resampled[:, second]) - score(self.resampled[:, first]),
            least=-1,
        )

    def _estimate(self, value: Floats, resampled: Floats, least: float) -> Estimate:
        if self.sizes is not None and len(self.sizes) == 1:  # it tells nothing of other groups
            return Estimate(float(value), least, 1)
        tail = None if self.sizes is None else expanded_tail(self.sizes)
        low, high = np.quantile(resampled, QUANTILES if tail is None else (tail, 1 - tail))
        return Estimate(float(value), float(low), float(high))


def bootstrap(
    actual: ArrayLike,
    predicted: ArrayLike,
    n_classes: int,
    resamples: int,
    seed: int,
    clusters: ArrayLike | None = None,
) -> Bootstrap:
    """Resample the cells with replacement, as many of each actual class as there are, or whole groups of cells.

    The intervals are conditional on the observed class counts, as are the stratified folds. A class whose cells are all
    correct, or all wrong, adds nothing to the width of an interval (a degenerate bootstrap).

    With `clusters`, cells do not count as independent: as many groups are drawn as there are, each with all its cells
    (A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997, section 3.8; C. A. Field and A. H.
    Welsh, Journal of the Royal Statistical Society B 69 (2007), 369-390). Since a group may hold several classes,
    nothing keeps the class counts; a class that a resample lacks is left out of its means. Of few groups, percentiles
    give too narrow intervals, so they are expanded: see `expanded_tail`.

    Nothing is drawn cell by cell: within a class, a resample is a multinomial draw of how often each pattern of
    predictions (of model 1, model 2, …) occurs, and there are few patterns.

    Args:
        actual: (n,) actual classes, indices below `n_classes`.
        predicted: (m, n) predicted classes of m models, for the same cells.
        n_classes: k.
        resamples: number of resamples.
        seed: the same seed gives the same resamples, whatever the order of the cells.
        clusters: (n,) the group of each cell; None if the cells are independent.

    Raises:
        ValueError: there are no cells.
    """
    truth, by_model = np.asarray(actual, np.int64), np.asarray(predicted, np.int64)
    if not len(truth):
        raise ValueError("there are no cells to resample")
    if clusters is not None:
        return _cluster_bootstrap(truth, by_model, n_classes, resamples, seed, np.asarray(clusters))
    random = np.random.default_rng(seed)
    models = len(by_model)
    observed = np.zeros((models, n_classes, n_classes))
    resampled = np.zeros((resamples, models, n_classes, n_classes))
    for row in np.unique(truth):
        patterns, counts = np.unique(by_model[:, truth == row], axis=1, return_counts=True)
        drawn = random.multinomial(counts.sum(), counts / counts.sum(), size=resamples).astype(np.float64)
        columns = np.eye(n_classes)[patterns.T].reshape(len(counts), -1)  # (patterns, m * k): where each one counts
        observed[:, row] = (counts @ columns).reshape(models, n_classes)
        resampled[:, :, row] = (drawn @ columns).reshape(resamples, models, n_classes)
    return Bootstrap(observed, resampled)


def _cluster_bootstrap(
    truth: Indices, by_model: Indices, n_classes: int, resamples: int, seed: int, clusters: NDArray[np.generic]
) -> Bootstrap:
    numbers = np.unique(clusters, return_inverse=True)[1]
    models, sizes = len(by_model), np.bincount(numbers)
    by_group = np.zeros((len(sizes), models, n_classes, n_classes))
    for model, predicted in enumerate(by_model):
        np.add.at(by_group[:, model], (numbers, truth, predicted), 1)
    flat = by_group.reshape(len(sizes), -1)
    resampled = np.empty((resamples, flat.shape[1]))
    random, step = np.random.default_rng(seed), max(1, _CHUNK // len(sizes))
    for start in range(0, resamples, step):
        part = resampled[start : start + step]
        drawn = random.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=len(part))
        part[:] = drawn.astype(np.float64) @ flat
    return Bootstrap(by_group.sum(axis=0), resampled.reshape(resamples, models, n_classes, n_classes), sizes)


# ---- clustered observations: all rows of an image are resampled together


def resample_counts(strata: ArrayLike, resamples: int, seed: int) -> Floats:
    """Resample images with replacement, as many of each stratum as there are.

    Args:
        strata: (n,) the class of each image.
        resamples: number of resamples.
        seed: the same seed gives the same resamples.

    Returns:
        (1 + resamples, n) how often each image is drawn; the first row is the observation, each image once.
    """
    classes = np.asarray(strata)
    random = np.random.default_rng(seed)
    counts = np.ones((1 + resamples, len(classes)))
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        counts[1:, members] = random.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
    return counts


def clustered_proportion(counts: Floats, successes: ArrayLike, rows: ArrayLike) -> Floats:
    """Return the proportion of successful rows, as observed and in each resample.

    It is a ratio of two sums over the images, so an image with more rows weighs more (A. C. Davison and D. V. Hinkley,
    Bootstrap Methods and their Application, 1997, section 3.8: clusters are resampled whole).

    Args:
        counts: (1 + resamples, n) from `resample_counts`.
        successes: (n,) successful rows of each image.
        rows: (n,) rows of each image.

    Returns:
        (1 + resamples,); NaN where a resample has no rows.

    Raises:
        ValueError: there are no rows.
    """
    hits, totals = counts @ np.asarray(successes, np.float64), counts @ np.asarray(rows, np.float64)
    if not totals[0]:
        raise ValueError("there are no rows")
    return np.asarray(np.divide(hits, totals, out=np.full(len(counts), np.nan), where=totals > 0))


def percentile_estimate(values: Floats) -> Estimate:
    """Return the estimate of what `clustered_proportion` returned, or of a difference of two; NaN is left out."""
    low, high = np.nanquantile(values[1:], QUANTILES)
    return Estimate(float(values[0]), float(low), float(high))
