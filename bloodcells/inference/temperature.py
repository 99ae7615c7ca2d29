"""Temperature scaling of probabilities."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax

from bloodcells.inference.predictions import DIGITS

Floats = NDArray[np.float64]


TEMPERATURES = (0.2, 5.0)
"""The limits of a fitted temperature: cells that are all right would draw it to 0, all wrong ones to infinity."""


_LEAST = 0.5 * 10**-DIGITS
"""What a probability of 0 is taken for: half the last digit that the tables keep."""


def fit_temperature(probabilities: ArrayLike, actual: ArrayLike) -> float:
    """Give the temperature under which the actual classes (n,) are likeliest, rounded to four digits.

    C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2. There logits are divided by the
    temperature. Here the probabilities are means over views of a cell and have no logits, so the logarithm of
    the mean takes their place; for a single view the two are the same. The mean negative log-likelihood is convex in
    1 / temperature, so its minimum within `TEMPERATURES` is the only one.

    Raises:
        ValueError: no cell.
    """
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 (slow to import, and `temperature_scaled` can do without it)

    logs, truth = _logs(probabilities), np.asarray(actual, np.int64)
    if not len(truth):
        raise ValueError("a temperature needs cells")

    def loss(log_temperature: float) -> float:
        cooled_logs = log_softmax(logs / np.exp(log_temperature), axis=1)
        return float(-cooled_logs[np.arange(len(truth)), truth].mean())

    found: Any = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-7})
    return round(float(np.exp(found.x)), 4)


def temperature_scaled(probabilities: ArrayLike, temperature: float | Floats) -> Floats:
    """Give p^(1 / temperature), scaled to sum to 1, (n, k): the class predicted stays, its confidence changes.

    The temperature is one, or one for each row (n,).
    """
    by_row = np.asarray(temperature, np.float64).reshape(-1, 1)
    return np.asarray(softmax(_logs(probabilities) / by_row, axis=1), np.float64)


def _logs(probabilities: ArrayLike) -> Floats:
    return np.asarray(np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST)), np.float64)
