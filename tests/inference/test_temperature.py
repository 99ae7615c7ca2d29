import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from bloodcells.inference.temperature import TEMPERATURES, fit_temperature, log_probabilities, temperature_scaled

Floats = NDArray[np.float64]


def sharpened(cells: int = 300, seed: int = 0, power: float = 1.0) -> tuple[Floats, NDArray[np.int64]]:
    """Return probabilities, raised to a power after the actual classes were drawn from them, and these classes."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(4, 0.5), cells)
    actual = np.array([random.choice(4, p=row) for row in probabilities])
    sharp = probabilities**power
    return sharp / sharp.sum(axis=1, keepdims=True), actual


def test_cells_with_the_same_odds_have_a_known_temperature() -> None:
    # If all odds are p : 1-p and a proportion s is correct, the likelihood is largest at
    # p^(1/T) : (1-p)^(1/T) = s : 1-s.
    probabilities = np.tile([0.9, 0.1], (10, 1))
    actual = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    found = fit_temperature(probabilities, actual)
    assert found == pytest.approx(math.log(0.9 / 0.1) / math.log(0.7 / 0.3), abs=1e-4)
    assert temperature_scaled(probabilities, found)[0] == pytest.approx([0.7, 0.3], abs=1e-4)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.5])
def test_the_temperature_reverts_a_sharpening(power: float) -> None:
    assert fit_temperature(*sharpened(4000, power=power)) == pytest.approx(power, rel=0.06)


def test_a_lower_or_higher_temperature_has_a_larger_loss() -> None:
    probabilities, actual = sharpened(power=1.7)
    best = fit_temperature(probabilities, actual)
    losses = [log_loss(actual, temperature_scaled(probabilities, best * factor)) for factor in (0.97, 1.0, 1.03)]
    assert losses[1] == min(losses)


def test_cells_that_are_all_correct_or_all_wrong_give_a_temperature_within_its_limits() -> None:
    probabilities, _ = sharpened(50)
    low, high = TEMPERATURES
    assert fit_temperature(probabilities, probabilities.argmax(axis=1)) == pytest.approx(low, abs=1e-3)
    assert fit_temperature(probabilities, probabilities.argmin(axis=1)) == pytest.approx(high, abs=1e-3)
    assert np.isfinite(fit_temperature([[1.0, 0.0], [1.0, 0.0]], [0, 1]))


def test_a_temperature_can_not_be_fitted_without_cells() -> None:
    with pytest.raises(ValueError, match="needs cells"):
        fit_temperature(np.zeros((0, 4)), [])


def test_scaling_keeps_the_class_and_the_sum_and_takes_a_temperature_per_row() -> None:
    probabilities, _ = sharpened(40)
    assert temperature_scaled(probabilities, 1.0) == pytest.approx(probabilities, abs=1e-5)
    temperatures = np.linspace(0.3, 3, 40)
    found = temperature_scaled(probabilities, temperatures)
    assert found.sum(axis=1) == pytest.approx(np.ones(40))
    assert (found.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert found[7] == pytest.approx(temperature_scaled(probabilities[7:8], temperatures[7])[0])


def test_a_probability_rounded_to_0_counts_as_half_of_the_last_digit() -> None:
    assert log_probabilities([[1, 0]])[0] == pytest.approx([0, math.log(5e-7)])
    assert np.isfinite(temperature_scaled([[1.0, 0.0, 0.0, 0.0]], 5.0)).all()
