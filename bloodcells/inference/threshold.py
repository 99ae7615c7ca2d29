"""Selective prediction: the confidence below which a model abstains.

R. El-Yaniv and Y. Wiener, On the Foundations of Noise-free Selective Classification, JMLR 11 (2010), 1605-1641;
Y. Geifman and R. El-Yaniv, Selective Classification for Deep Neural Networks, NIPS 2017. Coverage is the proportion of
cells that are accepted; the error rate is the proportion of accepted predictions that are wrong.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr

from bloodcells.inference.predictions import Predictions
from bloodcells.inference.temperature import fit_temperature, temperature_scaled

Floats = NDArray[np.float64]

REJECT_ALL = 1.0001
"""A threshold that no confidence reaches."""

CONFIDENCE_LEVEL = 0.9
"""Confidence with which the validation cells must show that the target error rate is met."""

DIGITS = 4
"""Digits of thresholds, of the confidence compared with them, and of what `bloodcells predict` prints."""

_GRID = np.arange(10**DIGITS + 1) / 10**DIGITS


def confidence_of(probabilities: Floats) -> Floats:
    """Return the largest probability of each row (n, k), rounded as it is compared with a threshold."""
    return np.asarray(probabilities.max(axis=1).round(DIGITS))


def cells_needed(target_error: float) -> int:
    """Return how many accepted predictions, all correct, show an error rate of at most `target_error`."""
    return math.ceil(math.log(1 - CONFIDENCE_LEVEL) / math.log1p(-target_error))


def fit_threshold(confidence: ArrayLike, correct: ArrayLike, target_error: float) -> float:
    """Return the smallest threshold whose accepted predictions show that at most `target_error` of them are wrong.

    They show it if, at a larger error rate, so few errors would occur in at most one of ten samples
    (`CONFIDENCE_LEVEL` 0.9): an exact one-sided binomial test, equivalent to an upper bound of Clopper and Pearson,
    Biometrika 26 (1934), at or below the target. The observed error rate alone would be too low, because the epoch and
    the temperature were fitted on the same cells. The test holds for one threshold, and this is the smallest of
    several, without correction (algorithm 1 of Geifman and El-Yaniv corrects for that, at a cost in coverage that a
    few hundred cells cannot pay). So judge the threshold on other cells.

    Fewer cells than `cells_needed` cannot show it at all. With those, this is the smallest threshold at which at most
    `target_error` of these very predictions are wrong.

    Args:
        confidence: (n,) of the predictions; a prediction is accepted if its confidence is at least the threshold.
        correct: (n,) whether the prediction is correct.
        target_error: the target error rate.

    Returns:
        The threshold, or `REJECT_ALL` if there is none.
    """
    sure, wrong = np.asarray(confidence, np.float64), ~np.asarray(correct, np.bool_)
    accepted = len(sure) - np.searchsorted(np.sort(sure), _GRID)
    errors = wrong.sum() - np.searchsorted(np.sort(sure[wrong]), _GRID)
    if len(sure) < cells_needed(target_error):
        met = errors <= target_error * accepted
    else:
        met = bdtr(errors, accepted, target_error) <= 1 - CONFIDENCE_LEVEL + 1e-12  # rounding must not refuse the limit
    passing = np.flatnonzero((accepted > 0) & met)
    return float(_GRID[passing[0]]) if len(passing) else REJECT_ALL


@dataclass(frozen=True)
class SelectiveRule:
    """The temperature of a model's probabilities, and the least confidence, so scaled, that it accepts."""

    temperature: float
    threshold: float

    @classmethod
    def fit(cls, validation: Predictions, target_error: float) -> Self:
        """Fit both on predictions of cells that the networks did not train on."""
        temperature = fit_temperature(validation.probabilities, validation.actual)
        confidence = confidence_of(temperature_scaled(validation.probabilities, temperature))
        return cls(temperature, fit_threshold(confidence, validation.correct, target_error))


def rules_by_fold(
    validation: Predictions, test_fold: ArrayLike, folds: Iterable[int], target_error: float
) -> dict[int, SelectiveRule]:
    """Return for each tested fold a rule that was fitted without the labels of its cells.

    The rule of a fold is fitted on the validation cells of all other folds, whichever network predicted them. Networks
    of other folds trained on the tested cells, so their labels still reach the two numbers of the rule through the
    weights; the fold's own network alone would have too few validation cells.

    Args:
        validation: predictions of the validation parts of all folds.
        test_fold: (n,) the fold in which each of these cells is tested. Near-duplicates share a fold.
        folds: those that are tested.
        target_error: as in `fit_threshold`.

    Raises:
        ValueError: a fold leaves no cell to fit on.
    """
    tested_in = np.asarray(test_fold, np.int64)
    return {fold: SelectiveRule.fit(validation.select(tested_in != fold), target_error) for fold in folds}
