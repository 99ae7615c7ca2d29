"""Calibration: whether predictions are as confident as they are correct.

Probabilities are (n, k), one column per class; the confidence of a prediction is its largest probability.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import brier_score_loss

from bloodcells.evaluation.intervals import Interval, expanded_tail, wilson
from bloodcells.inference.temperature import log_probabilities

Floats = NDArray[np.float64]

BINS = 10
"""Bins of a reliability diagram, and of the expected calibration error."""

_CHUNK = 4_000_000  # numbers at a time


def negative_log_likelihood(probabilities: ArrayLike, actual: ArrayLike) -> float:
    """Return the mean negative logarithm of the actual class's probability, in nats.

    Not scikit-learn's log_loss: it clips at 1e-16, where the tables keep six digits, so that one probability of
    0.000000 would count as 36 nats.
    """
    truth = np.asarray(actual, np.int64)
    return float(-log_probabilities(probabilities)[np.arange(len(truth)), truth].mean()) + 0.0  # never -0.0


def brier_score(probabilities: ArrayLike, actual: ArrayLike) -> float:
    """Return the mean squared distance between probabilities and actual classes: 0 is perfect, 2 the worst.

    G. W. Brier, Monthly Weather Review 78 (1950), 1-3: the sum over all classes.
    """
    p = np.asarray(probabilities, np.float64)
    exact = p / p.sum(axis=1, keepdims=True)  # rounded in the tables
    return float(brier_score_loss(actual, exact, labels=range(p.shape[1]), scale_by_half=False))


@dataclass(frozen=True)
class Bin:
    """The cells of one bin of a reliability diagram: their mean confidence, and how many are correct."""

    confidence: float
    correct: int
    cells: int

    @property
    def accuracy(self) -> float:
        """Proportion of correct predictions."""
        return self.correct / self.cells

    @property
    def interval(self) -> Interval:
        """The 95 % Wilson interval of the accuracy."""
        return wilson(self.correct, self.cells)


def reliability(confidence: ArrayLike, correct: ArrayLike, bins: int = BINS) -> list[Bin]:
    """Return the bins of a reliability diagram, from the least confident to the most.

    Bins hold equally many cells: K. Nguyen and B. O'Connor, Posterior calibration and exploratory analysis for natural
    language processing models, EMNLP 2015. Their edges are quantiles of the confidence (n,). Cells of equal confidence
    are in one bin, so that the order of the cells does not matter; a bin left empty by that is left out.
    """
    sure, hits = _by_confidence(confidence, correct)
    edges = _bin_edges(sure[None], bins)[0]
    return [
        Bin(float(sure[start:end].mean()), int(hits[start:end].sum()), int(end - start))
        for start, end in pairwise(edges)
        if end > start
    ]


@dataclass(frozen=True)
class CalibrationError:
    """The expected calibration error (ECE), its 95 % interval, and what perfect calibration would show.

    `expected` is the mean ECE of a perfectly calibrated model with the same confidences at this sample size: few cells
    in a bin scatter around their mean, and the ECE counts that in full.
    """

    error: float
    low: float
    high: float
    expected: float


def calibration_error(
    confidence: ArrayLike,
    correct: ArrayLike,
    resamples: int,
    seed: int,
    bins: int = BINS,
    clusters: ArrayLike | None = None,
) -> CalibrationError:
    """Return the expected calibration error with its basic bootstrap interval.

    It is the mean, over the cells, of the gap between accuracy and mean confidence of their bin. The bins are those of
    `reliability`: bins of equal mass scatter less than bins of equal width (J. Nixon et al., Measuring Calibration in
    Deep Learning, CVPR Workshops 2019).

    The basic interval (A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997, section 5.2)
    mirrors the quantiles of the resamples about the estimate. Absolute differences make the error too large in a
    sample, and larger again in each resample, so that the quantiles themselves would miss the true value most of the
    time; mirroring removes that. The interval is cut at 0 and includes the estimate. Near 0 it is a rough guide:
    compare the estimate with `expected` there, for which each cell is correct with its confidence as probability
    (J. Bröcker and L. A. Smith, Weather and Forecasting 22 (2007), 651-661).

    With `clusters`, the groups (n,) of the cells, whole groups are resampled, and the quantiles are expanded as by
    `bloodcells.evaluation.intervals.expanded_tail`.
    """
    sure, hits = _by_confidence(confidence, correct)
    error = float(_errors(sure[None], hits[None], bins)[0])
    random, tail = np.random.default_rng(seed), 0.025
    drawn, perfect = [], []
    for size in _chunks(resamples, len(sure)):
        if clusters is None:
            rows = np.sort(random.integers(0, len(sure), (size, len(sure))), axis=1)  # sorted rows: sorted confidences
            drawn.append(_errors(sure[rows], hits[rows], bins))
        perfect.append(_errors(sure[None], random.random((size, len(sure))) < sure, bins))
    if clusters is not None:
        order = np.argsort(np.asarray(confidence, np.float64), kind="stable")
        numbers = np.unique(np.asarray(clusters)[order], return_inverse=True)[1]
        sizes = np.bincount(numbers)
        tail = expanded_tail(sizes)
        for times in random.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=resamples):
            row = np.repeat(np.arange(len(sure)), times[numbers])
            drawn.append(_errors(sure[row][None], hits[row][None], bins))
        if len(sizes) == 1:  # it tells nothing of other groups
            return CalibrationError(error, 0.0, 1.0, float(np.concatenate(perfect).mean()))
    low, high = np.quantile(np.concatenate(drawn), [tail, 1 - tail])
    return CalibrationError(
        error,
        max(0.0, 2 * error - float(high)),
        max(error, 2 * error - float(low)),
        float(np.concatenate(perfect).mean()),
    )


def _chunks(resamples: int, cells: int) -> list[int]:
    """Split the resamples so that each chunk needs little memory."""
    most = max(1, _CHUNK // cells)
    return [min(most, resamples - start) for start in range(0, resamples, most)]


def _by_confidence(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    sure, hits = np.asarray(confidence, np.float64), np.asarray(correct, np.bool_)
    if not len(sure) == len(hits) > 0:
        raise ValueError(f"{len(sure)} confidences of {len(hits)} cells")
    order = np.argsort(sure, kind="stable")
    return sure[order], hits[order]


def _bin_edges(sure: Floats, bins: int) -> NDArray[np.int64]:
    """Return for rows (m, n) of sorted confidences where bins begin, and where the last one ends, (m, bins + 1).

    A bin includes its upper edge.
    """
    edges = np.quantile(sure, np.linspace(0, 1, bins + 1)[1:-1], axis=1)
    inner = [(sure <= edge[:, None]).sum(axis=1) for edge in edges]
    return np.stack([np.zeros(len(sure), np.int64), *inner, np.full(len(sure), sure.shape[1])], axis=1)


def _errors(sure: Floats, hits: NDArray[np.bool_], bins: int) -> Floats:
    """Return the calibration error (m,) of rows (m, n) sorted by confidence; one row of confidences serves all."""
    gaps = hits - sure
    before = np.concatenate([np.zeros((len(gaps), 1)), np.cumsum(gaps, axis=1)], axis=1)
    edges = np.broadcast_to(_bin_edges(sure, bins), (len(gaps), bins + 1))
    total = np.diff(np.take_along_axis(before, edges, axis=1), axis=1)
    return np.asarray(np.abs(total).sum(axis=1) / sure.shape[1], np.float64)
