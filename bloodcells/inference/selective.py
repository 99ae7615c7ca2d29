"""When not to answer: the least confidence that an answer needs, and what that costs in answers.

Selective classification by confidence: R. El-Yaniv and Y. Wiener, On the Foundations of Noise-free Selective
Classification, JMLR 11 (2010), 1605-1641; Y. Geifman and R. El-Yaniv, Selective Classification for Deep Neural
Networks, NIPS 2017. Coverage is the share of the cells that are answered, risk the share of the answers that are wrong.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr

from bloodcells.inference.predictions import Predictions
from bloodcells.inference.temperature import temperature_scaled, fit_temperature

Floats = NDArray[np.float64]

NEVER = 1.0001
"""A threshold that no confidence reaches."""

ASSURANCE = 0.9
"""With which the validation cells must show that the risk is kept."""

DIGITS = 4
"""Of thresholds, of the confidence that is held against them, and of what `bloodcells predict` shows."""

_GRID = np.arange(10**DIGITS + 1) / 10**DIGITS


def confidence(chances: Floats) -> Floats:
    """Give the largest of the temperature_scaled probabilities in each row (n, k), rounded as it is held against a threshold."""
    return np.asarray(chances.max(axis=1).round(DIGITS))


def cells_needed(risk: float) -> int:
    """Give how many answers, none of them wrong, it takes to show with `ASSURANCE` that at most `risk` are wrong."""
    return math.ceil(math.log(1 - ASSURANCE) / math.log1p(-risk))


def fit_threshold(confidence: ArrayLike, right: ArrayLike, risk: float) -> float:
    """Give the smallest threshold whose answers show that at most `risk` of such answers are wrong.

    A cell is answered where its confidence (n,) is at least the threshold; `right` (n,) tells which answers are.
    With `ASSURANCE` 0.9, answers show it if so few would be wrong in at most one set in ten at a larger risk: an exact
    one-sided binomial test, or Clopper and Pearson's upper bound, Biometrika 26 (1934), at or below `risk`. A bound,
    since the mere share of wrong answers is an underestimate: the epoch and the temperature were fitted on the same
    cells. It holds for one threshold, and this is the smallest of several, uncorrected (Geifman and El-Yaniv's
    algorithm 1 would correct for that, at a price in coverage that a few hundred cells can't pay). So judge it
    on other cells, with the interval of `Answers`.

    Fewer cells than `cells_needed` can't show it at all. With them this is the smallest threshold at which at
    most `risk` of these very answers are wrong.

    Returns:
        The threshold; `NEVER` if there is none.
    """
    sure, wrong = np.asarray(confidence, np.float64), ~np.asarray(right, np.bool_)
    answered = len(sure) - np.searchsorted(np.sort(sure), _GRID)
    mistakes = wrong.sum() - np.searchsorted(np.sort(sure[wrong]), _GRID)
    if len(sure) < cells_needed(risk):
        kept = mistakes <= risk * answered
    else:
        kept = bdtr(mistakes, answered, risk) <= 1 - ASSURANCE + 1e-12  # that rounding doesn't refuse the very limit
    enough = np.flatnonzero((answered > 0) & kept)
    return float(_GRID[enough[0]]) if len(enough) else NEVER


@dataclass(frozen=True)
class Rule:
    """How a model's probabilities are temperature_scaled, and the least confidence, so temperature_scaled, at which it answers."""

    temperature: float
    threshold: float

    @classmethod
    def fit(cls, validation: Predictions, risk: float) -> Self:
        """Fit both on predictions of cells that the networks did not train on; `risk` as in `fit_threshold`."""
        temperature = fit_temperature(validation.probabilities, validation.actual)
        sure = confidence(temperature_scaled(validation.probabilities, temperature))
        return cls(temperature, fit_threshold(sure, validation.predicted == validation.actual, risk))


def rules_by_fold(validation: Predictions, homes: ArrayLike, folds: Iterable[int], risk: float) -> dict[int, Rule]:
    """Give for each tested fold a rule that was fitted without the labels of its cells.

    Args:
        validation: what the networks of all folds said of their validation parts.
        homes: (n,) the fold in which each of its cells is tested. Near-duplicates share a fold.
        folds: those that are tested.
        risk: as in `fit_threshold`.

    The rule of a fold is fitted on the validation cells of all other folds, whichever network saw them. Networks of
    other folds trained on the tested cells, so their labels reach the rule's two numbers through the weights still;
    the fold's own network alone would have too few validation cells.

    Raises:
        ValueError: a fold leaves no cell to fit on.
    """
    home = np.asarray(homes, np.int64)
    return {fold: Rule.fit(_rows(validation, home != fold), risk) for fold in folds}


def _rows(p: Predictions, chosen: NDArray[np.bool_]) -> Predictions:
    images = tuple(image for image, one in zip(p.images, chosen, strict=True) if one)
    return Predictions(
        images, p.folds[chosen], p.actual[chosen], p.predicted[chosen], p.probabilities[chosen], p.classes
    )
