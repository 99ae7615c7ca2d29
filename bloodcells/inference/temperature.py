"""Temperature scaling: probabilities that are as confident as they are correct."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax

from bloodcells.inference.predictions import DIGITS

Floats = NDArray[np.float64]

TEMPERATURES = (0.2, 5.0)
"""Limits of a fitted temperature: cells that are all correct would draw it to 0, all wrong ones to infinity."""

_LEAST = 0.5 * 10**-DIGITS
"""Stands for a probability of 0: half the last digit that the tables keep."""


def log_probabilities(probabilities: ArrayLike) -> Floats:
    """Return natural logarithms; a probability of 0 counts as half the last digit of the tables."""
    return np.asarray(np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST)), np.float64)


def fit_temperature(probabilities: ArrayLike, actual: ArrayLike) -> float:
    """Return the temperature that minimizes the mean negative log-likelihood of the actual classes, to four digits.

    C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2, divide logits by the temperature.
    Probabilities averaged over test-time augmentation have no logits, so the logarithm of the mean takes their place;
    without augmentation the two are the same. The likelihood is convex in 1 / temperature, so the minimum within
    `TEMPERATURES` is the only one.

    Args:
        probabilities: (n, k).
        actual: (n,) indices of classes.

    Raises:
        ValueError: there are no cells.
    """
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 (slow to import, and applying a temperature needs none)

    logs, truth = log_probabilities(probabilities), np.asarray(actual, np.int64)
    if not len(truth):
        raise ValueError("fitting a temperature needs cells")

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logs / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(truth)), truth].mean())

    found: Any = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-7})
    return round(float(np.exp(found.x)), 4)


def temperature_scaled(probabilities: ArrayLike, temperature: float | Floats) -> Floats:
    """Return p^(1 / temperature), normalized, (n, k): the predicted class stays, its confidence changes.

    Args:
        probabilities: (n, k).
        temperature: one, or one per row (n,).
    """
    by_row = np.asarray(temperature, np.float64).reshape(-1, 1)
    return np.asarray(softmax(log_probabilities(probabilities) / by_row, axis=1), np.float64)
