"""How far a probability can be believed: temperature, calibration error, Brier score, and reliability diagrams.

Probabilities are (n, k), a column per class; the confidence of a prediction is its largest probability.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bloodcells.evaluation.intervals import wilson
from bloodcells.inference.temperature import _logs

Floats = NDArray[np.float64]

BINS = 10
"""Bins of a reliability diagram, and of the calibration error."""


_CHUNK = 4_000_000  # numbers at a time


def negative_log_likelihood(probabilities: ArrayLike, actual: ArrayLike) -> float:
    """Give the mean negative logarithm of the actual class's probability, in nats."""
    truth = np.asarray(actual, np.int64)
    return float(-_logs(probabilities)[np.arange(len(truth)), truth].mean()) + 0.0  # never -0.0


def brier(probabilities: ArrayLike, actual: ArrayLike) -> float:
    """Give the mean squared distance between the probabilities and the truth: 0 is perfect, 2 the worst.

    G. W. Brier, Monthly Weather Review 78 (1950), 1-3: the sum over all classes, which for two classes is twice
    what is often called by that name.
    """
    chances = np.asarray(probabilities, np.float64)
    truth = np.eye(chances.shape[1])[np.asarray(actual, np.int64)]
    return float(((chances - truth) ** 2).sum(axis=1).mean())


@dataclass(frozen=True)
class Bin:
    """The cells of one bin: their mean confidence, and how many of them are right."""

    confidence: float
    right: int
    cells: int

    @property
    def share(self) -> float:
        """Share of the cells that are right."""
        return self.right / self.cells

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the share."""
        return wilson(self.right, self.cells)


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> list[Bin]:
    """Give the bins of a reliability diagram, from the least confidence to the largest.

    Bins hold equally many cells, as in K. Nguyen and B. O'Connor, Posterior calibration and exploratory analysis
    for natural language processing models, EMNLP 2015: their edges are quantiles of the confidence (n,). Cells of
    equal confidence are in one bin, so that the cells' order does not matter; a bin left empty by that is left out.
    """
    sure, hits = _by_confidence(confidence, right)
    at = _bounds(sure[None], bins)[0]
    return [
        Bin(float(sure[start:end].mean()), int(hits[start:end].sum()), int(end - start))
        for start, end in pairwise(at)
        if end > start
    ]


@dataclass(frozen=True)
class CalibrationError:
    """The expected calibration error, its 95 % interval, and what it would be if all were well.

    `perfect` is the mean error that perfectly calibrated predictions of the same confidences would show: few cells
    in a bin scatter about their mean, which the error counts in full.
    """

    error: float
    low: float
    high: float
    perfect: float


def expected_calibration_error(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """Give the mean over the cells of how far share right and mean confidence of their bin are apart.

    The bins are those of `reliability`. Equal-mass bins scatter less than equally wide ones: J. Nixon et al.,
    Measuring Calibration in Deep Learning, CVPR Workshops 2019.
    """
    sure, hits = _by_confidence(confidence, right)
    return float(_errors(sure[None], hits[None], bins)[0])


def calibration_error(
    confidence: ArrayLike, right: ArrayLike, resamples: int, seed: int, bins: int = BINS
) -> CalibrationError:
    """Give the expected calibration error with its basic bootstrap interval, cells drawn with replacement.

    The basic interval (A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997, section 5.2)
    mirrors the resamples' quantiles about the estimate. Absolute differences make the error too large in a sample
    and larger again in each resample, so that the quantiles themselves would miss the truth most of the time; the
    mirror takes that off. It is cut at 0, and reaches up to the estimate at least. Near 0 it stays a rough guide: hold
    the estimate against `perfect` there, which comes from drawing, for each cell, whether it is right with its
    confidence as probability (J. Bröcker and L. A. Smith, Weather and Forecasting 22 (2007), 651-661).
    """
    sure, hits = _by_confidence(confidence, right)
    error = float(_errors(sure[None], hits[None], bins)[0])
    random = np.random.default_rng(seed)
    drawn, perfect = [], []
    for size in _chunks(resamples, len(sure)):
        rows = np.sort(random.integers(0, len(sure), (size, len(sure))), axis=1)  # sorted rows: sorted confidences
        drawn.append(_errors(sure[rows], hits[rows], bins))
        perfect.append(_errors(sure[None], random.random((size, len(sure))) < sure, bins))
    low, high = np.quantile(np.concatenate(drawn), [0.025, 0.975])
    return CalibrationError(
        error,
        max(0.0, 2 * error - float(high)),
        max(error, 2 * error - float(low)),
        float(np.concatenate(perfect).mean()),
    )


def _chunks(resamples: int, cells: int) -> list[int]:
    """Split the resamples so that a chunk of them fits into little memory."""
    most = max(1, _CHUNK // cells)
    return [min(most, resamples - start) for start in range(0, resamples, most)]


def _by_confidence(confidence: ArrayLike, right: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    sure, hits = np.asarray(confidence, np.float64), np.asarray(right, np.bool_)
    if not len(sure) == len(hits) > 0:
        raise ValueError(f"{len(sure)} confidences of {len(hits)} cells")
    order = np.argsort(sure, kind="stable")
    return sure[order], hits[order]


def _bounds(sure: Floats, bins: int) -> NDArray[np.int64]:
    """Give for rows (m, n) of sorted confidences where their bins begin and the last one ends, (m, bins + 1).

    A bin reaches up to its upper edge, that included.
    """
    edges = np.quantile(sure, np.linspace(0, 1, bins + 1)[1:-1], axis=1)
    inner = [(sure <= edge[:, None]).sum(axis=1) for edge in edges]
    return np.stack([np.zeros(len(sure), np.int64), *inner, np.full(len(sure), sure.shape[1])], axis=1)


def _errors(sure: Floats, hits: NDArray[np.bool_], bins: int) -> Floats:
    """Give the calibration error (m,) of rows (m, n) sorted by confidence; one row of confidences does for all."""
    gaps = hits - sure
    before = np.concatenate([np.zeros((len(gaps), 1)), np.cumsum(gaps, axis=1)], axis=1)
    at = np.broadcast_to(_bounds(sure, bins), (len(gaps), bins + 1))
    total = np.diff(np.take_along_axis(before, at, axis=1), axis=1)
    return np.asarray(np.abs(total).sum(axis=1) / sure.shape[1], np.float64)
