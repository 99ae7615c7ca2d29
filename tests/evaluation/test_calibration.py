import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.calibration import calibration_curve

from bloodcells.evaluation import calibration

Floats = NDArray[np.float64]


def drawn(cells: int = 300, seed: int = 0, sharpness: float = 1.0) -> tuple[Floats, NDArray[np.int64]]:
    """Cells whose classes are drawn from the probabilities given, these raised to a power after that."""
    random = np.random.default_rng(seed)
    chances = random.dirichlet(np.full(4, 0.5), cells)
    actual = np.array([random.choice(4, p=row) for row in chances])
    sharp = chances**sharpness
    return sharp / sharp.sum(axis=1, keepdims=True), actual


def two_classes(cells: int = 90, digits: int = 6) -> tuple[Floats, NDArray[np.bool_]]:
    random = np.random.default_rng(4)
    confidence = np.round(random.uniform(0.5, 1, cells), digits)
    return confidence, random.random(cells) < confidence - 0.1


def test_the_temperature_of_cells_all_alike_is_that_of_their_odds() -> None:
    # With the same odds p : 1-p everywhere and a share s right, the likeliest is p^(1/T) : (1-p)^(1/T) = s : 1-s.
    probabilities = np.tile([0.9, 0.1], (10, 1))
    actual = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    found = calibration.fit_temperature(probabilities, actual)
    assert found == pytest.approx(math.log(0.9 / 0.1) / math.log(0.7 / 0.3), abs=1e-4)
    assert calibration.temperature_scaled(probabilities, found)[0] == pytest.approx([0.7, 0.3], abs=1e-4)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_a_sharpening(power: float) -> None:
    assert calibration.fit_temperature(*drawn(4000, sharpness=power)) == pytest.approx(power, rel=0.06)


def test_no_other_temperature_is_likelier() -> None:
    probabilities, actual = drawn(sharpness=1.7)
    best = calibration.fit_temperature(probabilities, actual)
    losses = [
        metrics.log_loss(actual, calibration.temperature_scaled(probabilities, best * factor)) for factor in (0.97, 1.0, 1.03)
    ]
    assert losses[1] == min(losses)


def test_cells_all_right_or_all_wrong_leave_the_temperature_within_its_limits() -> None:
    probabilities, _ = drawn(50)
    low, high = calibration.TEMPERATURES
    assert calibration.fit_temperature(probabilities, probabilities.argmax(axis=1)) == pytest.approx(low, abs=1e-3)
    assert calibration.fit_temperature(probabilities, probabilities.argmin(axis=1)) == pytest.approx(high, abs=1e-3)
    assert np.isfinite(calibration.fit_temperature([[1.0, 0.0], [1.0, 0.0]], [0, 1]))
    with pytest.raises(ValueError, match="needs cells"):
        calibration.fit_temperature(np.zeros((0, 4)), [])


def test_cooling_keeps_the_class_and_sums_to_1_and_takes_a_temperature_per_row() -> None:
    probabilities, _ = drawn(40)
    assert calibration.temperature_scaled(probabilities, 1.0) == pytest.approx(probabilities, abs=1e-5)
    temperatures = np.linspace(0.3, 3, 40)
    found = calibration.temperature_scaled(probabilities, temperatures)
    assert found.sum(axis=1) == pytest.approx(np.ones(40))
    assert (found.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert found[7] == pytest.approx(calibration.temperature_scaled(probabilities[7:8], temperatures[7])[0])
    assert np.isfinite(calibration.temperature_scaled([[1.0, 0.0, 0.0, 0.0]], 5.0)).all()


def test_brier_is_scikit_learn_s_and_twice_that_of_two_classes() -> None:
    probabilities, actual = drawn()
    ours = calibration.brier(probabilities, actual)
    assert ours == pytest.approx(metrics.brier_score_loss(actual, probabilities, scale_by_half=False))
    chance, truth = two_classes()
    binary = calibration.brier(np.stack([1 - chance, chance], axis=1), truth)
    assert binary == pytest.approx(2 * metrics.brier_score_loss(truth, chance))
    assert (calibration.brier([[1, 0]], [0]), calibration.brier([[1, 0]], [1])) == (0, 2)


def test_negative_log_likelihood_is_scikit_learn_s_and_finite_for_a_probability_rounded_to_0() -> None:
    probabilities, actual = drawn()
    assert calibration.negative_log_likelihood(probabilities, actual) == pytest.approx(
        metrics.log_loss(actual, probabilities), abs=1e-4
    )
    assert calibration.negative_log_likelihood([[1, 0]], [1]) == pytest.approx(-math.log(5e-7))
    assert str(calibration.negative_log_likelihood([[1, 0]], [0])) == "0.0"


@pytest.mark.parametrize("digits", [6, 1])  # with one digit many are equal
@pytest.mark.parametrize("cells", [90, 97])
def test_bins_and_error_are_those_of_scikit_learn_s_quantiles(cells: int, digits: int) -> None:
    confidence, right = two_classes(cells, digits)
    found = calibration.reliability(confidence, right)
    share, mean = calibration_curve(right, confidence, n_bins=10, strategy="quantile")
    assert [one.share for one in found] == pytest.approx(list(share))
    assert [one.confidence for one in found] == pytest.approx(list(mean))
    assert sum(one.cells for one in found) == cells
    by_bins = sum(abs(one.share - one.confidence) * one.cells for one in found) / cells
    assert calibration.expected_calibration_error(confidence, right) == pytest.approx(by_bins)


def test_the_order_of_the_cells_does_not_matter_even_where_confidences_are_equal() -> None:
    confidence, right = two_classes(90, digits=1)
    order = np.random.default_rng(1).permutation(90)
    assert calibration.reliability(confidence[order], right[order]) == calibration.reliability(confidence, right)
    same = calibration.reliability([0.9] * 7, [True] * 6 + [False])
    assert [(one.right, one.cells) for one in same] == [(6, 7)]
    assert same[0].interval == pytest.approx((0.4869, 0.9743), abs=5e-5)  # statsmodels, proportion_confint


def test_the_error_of_known_bins() -> None:
    confidence = [0.6] * 5 + [0.9] * 5
    right = [True, True, False, False, False] + [True] * 5
    assert calibration.expected_calibration_error(confidence, right, bins=2) == pytest.approx((0.2 + 0.1) / 2)
    with pytest.raises(ValueError, match="confidences of"):
        calibration.expected_calibration_error([], [])


def test_the_interval_is_the_mirrored_one_of_plain_resampling() -> None:
    confidence, right = two_classes(60)
    found = calibration.calibration_error(confidence, right, resamples=4000, seed=2)
    random = np.random.default_rng(5)
    resampled = []
    for _ in range(2000):
        rows = random.integers(0, 60, 60)
        resampled.append(calibration.expected_calibration_error(confidence[rows], right[rows]))
    low, high = np.quantile(resampled, [0.025, 0.975])
    assert found.low == pytest.approx(max(0, 2 * found.error - high), abs=0.012)
    assert found.high == pytest.approx(max(found.error, 2 * found.error - low), abs=0.012)
    calm = [calibration.expected_calibration_error(confidence, random.random(60) < confidence) for _ in range(2000)]
    assert found.perfect == pytest.approx(np.mean(calm), abs=0.003)


def test_the_interval_is_the_same_for_a_seed_however_many_resamples_fit_into_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    confidence, right = two_classes()
    first = calibration.calibration_error(confidence, right, resamples=50, seed=1)
    assert calibration.calibration_error(confidence, right, resamples=50, seed=1) == first
    assert calibration.calibration_error(confidence, right, resamples=50, seed=2) != first
    monkeypatch.setattr(calibration, "_CHUNK", 90 * 7)
    apart = calibration.calibration_error(confidence, right, resamples=1000, seed=1)
    together = calibration.calibration_error(confidence, right, resamples=1000, seed=3)
    assert (apart.low, apart.high, apart.perfect) == pytest.approx(
        (together.low, together.high, together.perfect), abs=0.02
    )


def test_a_clear_miscalibration_is_no_chance_and_a_perfect_one_is_near_what_chance_shows() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 400)
    wild = calibration.calibration_error(confidence, random.random(400) < confidence - 0.2, resamples=500, seed=1)
    assert wild.low > 0.1 > wild.perfect
    calm = calibration.calibration_error(confidence, random.random(400) < confidence, resamples=500, seed=1)
    assert calm.low == 0
    assert calm.error < 2 * calm.perfect
