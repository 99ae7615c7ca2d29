"""The stratified bootstrap: how far scores, and differences between models, would vary with the cells drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]

CONFIDENCE = 0.95


def _accuracy(matrices: Floats) -> Floats:
    return np.asarray(_hits(matrices).sum(axis=-1) / matrices.sum(axis=(-2, -1)))


def _mean_sensitivity(matrices: Floats) -> Floats:
    return _mean_share(_hits(matrices), matrices.sum(axis=-1))


def _mean_specificity(matrices: Floats) -> Floats:
    support, taken = matrices.sum(axis=-1), matrices.sum(axis=-2)
    others = matrices.sum(axis=(-2, -1))[..., None] - support
    return _mean_share(others - (taken - _hits(matrices)), others)


def _macro_f1(matrices: Floats) -> Floats:
    support, taken = matrices.sum(axis=-1), matrices.sum(axis=-2)
    return _mean_share(2 * _hits(matrices), np.where(support > 0, support + taken, 0))


def _hits(matrices: Floats) -> Floats:
    return np.diagonal(matrices, axis1=-2, axis2=-1)


def _mean_share(parts: Floats, wholes: Floats) -> Floats:
    """Give the means over the last axis, the classes; one whose whole is nothing is left out."""
    known = wholes > 0
    shares = np.divide(parts, wholes, out=np.zeros_like(parts), where=known)
    return np.asarray(shares.sum(axis=-1) / known.sum(axis=-1))


SCORES: Mapping[str, Callable[[Floats], Floats]] = {
    "accuracy": _accuracy,
    "mean sensitivity": _mean_sensitivity,
    "mean specificity": _mean_specificity,
    "macro F1": _macro_f1,
}
"""The scores, each of confusion matrices (…, k, k) that have a row per actual class.

The means are over the classes, each against the rest; mean sensitivity is also called balanced accuracy. A class
without a cell is left out of mean sensitivity and macro F1, one that has every cell of mean specificity. The F1 of a
class is 2 hits / (its cells + those taken for it).
"""


@dataclass(frozen=True)
class Estimate:
    """A score or a difference as observed, and its 95 % percentile interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """The confusion matrices of m models as `observed` (m, k, k), and `resampled` (resamples, m, k, k).

    A resample holds the same cells for all models, so that their differences are paired.

    The interval runs from the 2.5th to the 97.5th percentile of the resampled values, between two of them by
    linear interpolation: the percentile interval of B. Efron and R. J. Tibshirani, An Introduction to the
    Bootstrap (1993), chapter 13.
    """

    observed: Floats
    resampled: Floats

    def score(self, name: str, model: int) -> Estimate:
        """Estimate one of `SCORES` of the model at that place."""
        of = SCORES[name]
        return _estimate(of(self.observed[model]), of(self.resampled[:, model]))

    def difference(self, name: str, first: int, second: int) -> Estimate:
        """Estimate by how much one of `SCORES` is higher in the second model than in the first."""
        of = SCORES[name]
        return _estimate(
            of(self.observed[second]) - of(self.observed[first]),
            of(self.resampled[:, second]) - of(self.resampled[:, first]),
        )


def _estimate(value: Floats, resampled: Floats) -> Estimate:
    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(value), float(low), float(high))


def bootstrap(actual: ArrayLike, predicted: ArrayLike, classes: int, resamples: int, seed: int) -> Bootstrap:
    """Draw the cells anew, with replacement, as many of each actual class as there are.

    Stratified like this, the intervals condition on the counts of the classes as observed: they tell how the
    scores vary among sets of cells with these very counts, as the folds were dealt too. What a stratum has never
    shown no resample shows: a class all of whose cells are right adds nothing to an interval's width. Cells count
    as independent: near-duplicates stand in one fold, so that none is trained on, but each counts as a cell.

    Nothing is drawn cell by cell: within a class a resample is a multinomial draw of how often each pattern of
    answers (model 1, model 2, …) occurs, and patterns are few.

    Args:
        actual: the actual classes (n,), indices below `classes`.
        predicted: what each of m models said (m, n), its columns the same cells.
        classes: k, the number of classes.
        resamples: how many times to draw.
        seed: the same seed gives the same resamples, whatever the order of the cells.

    Raises:
        ValueError: there are no cells.
    """
    truth, said = np.asarray(actual, np.int64), np.asarray(predicted, np.int64)
    if not len(truth):
        raise ValueError("there are no cells to draw from")
    random = np.random.default_rng(seed)
    models = len(said)
    observed = np.zeros((models, classes, classes))
    resampled = np.zeros((resamples, models, classes, classes))
    for row in np.unique(truth):
        patterns, counts = np.unique(said[:, truth == row], axis=1, return_counts=True)
        drawn = random.multinomial(counts.sum(), counts / counts.sum(), size=resamples).astype(np.float64)
        columns = np.eye(classes)[patterns.T].reshape(len(counts), -1)  # (patterns, m * k): where each one counts
        observed[:, row] = (counts @ columns).reshape(models, classes)
        resampled[:, :, row] = (drawn @ columns).reshape(resamples, models, classes)
    return Bootstrap(observed, resampled)
