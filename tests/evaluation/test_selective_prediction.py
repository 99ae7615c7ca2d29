import dataclasses

import numpy as np
import pytest
from sklearn import metrics

from bloodcells.evaluation.calibration import brier_score, negative_log_likelihood
from bloodcells.evaluation.intervals import proportion_interval
from bloodcells.evaluation.selective_prediction import (
    RAW,
    SCALED,
    Selection,
    SelectiveResult,
    calibration_table,
    examine,
    reliability_table,
    risk_coverage,
    risk_coverage_table,
    select,
    selection_table,
)
from bloodcells.inference.predictions import Predictions
from bloodcells.inference.temperature import temperature_scaled
from bloodcells.inference.threshold import REJECT_ALL, SelectiveRule
from tests.support.smallset import CLASSES


def underconfident(cells: int, seed: int) -> Predictions:
    """Cells of folds 0 and 1 whose classes are drawn from probabilities, which are flattened afterwards."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(4, 0.3), cells)
    actual = [random.choice(4, p=row) for row in probabilities]
    flat = np.sqrt(probabilities)
    flat /= flat.sum(axis=1, keepdims=True)
    return Predictions.from_probabilities(
        [f"{i}.jpg" for i in range(cells)], np.arange(cells) % 2, actual, flat, CLASSES
    )


TESTED, VALIDATION = underconfident(200, 1), underconfident(150, 2)


@pytest.fixture(scope="module")
def result() -> SelectiveResult:
    return examine(TESTED, VALIDATION, 1 - VALIDATION.folds, target_error=0.2, resamples=200, seed=1)


def test_coverage_and_error_rate_are_counted_with_their_intervals() -> None:
    found = select([0.9, 0.8, 0.8, 0.4], [True, False, True, False], 0.8)
    assert (found.cells, found.accepted, found.errors) == (4, 3, 1)
    assert (found.coverage, found.error_rate) == (3 / 4, 1 / 3)
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    assert Selection(300, 263, 81).error_interval == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert Selection(148, 15, 0).coverage_interval == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_each_cell_may_have_its_own_threshold() -> None:
    assert select([0.9, 0.8], [True, False], np.array([0.95, 0.5])) == Selection(2, 1, 1)


def test_without_accepted_predictions_there_is_no_error_rate() -> None:
    none = select([1.0, 0.9], [False, True], REJECT_ALL)
    assert (none.coverage, none.error_rate, none.error_interval) == (0, None, None)


def test_the_risk_coverage_curve_is_that_of_precision_at_each_threshold() -> None:
    random = np.random.default_rng(2)
    confidence = np.round(random.uniform(0.3, 1, 60), 1)  # many are equal
    correct = random.random(60) < confidence
    coverage, error = risk_coverage(confidence, correct)
    precision, _, thresholds = metrics.precision_recall_curve(correct, confidence)
    assert (1 - error)[::-1] == pytest.approx(precision[:-1])
    assert coverage[::-1] == pytest.approx([(confidence >= threshold).mean() for threshold in thresholds])
    assert coverage[-1] == 1


def test_each_fold_is_judged_by_its_own_rule(result: SelectiveResult) -> None:
    assert list(result.rules) == [0, 1]
    assert result.rules[0] != result.rules[1]
    for fold, rule in result.rules.items():
        of = TESTED.folds == fold
        confidence = temperature_scaled(TESTED.probabilities[of], rule.temperature).max(axis=1)
        assert result.by_fold[fold] == select(confidence, TESTED.correct[of], rule.threshold)
    summed = [sum(getattr(one, name) for one in result.by_fold.values()) for name in ("cells", "accepted", "errors")]
    assert result.tested == Selection(*summed)


def test_temperature_scaling_improves_underconfident_probabilities(result: SelectiveResult) -> None:
    raw, scaled = result.calibration[RAW], result.calibration[SCALED]
    assert raw.temperature == 1
    assert scaled.temperature == pytest.approx(0.5, abs=0.1)
    assert scaled.temperature == pytest.approx(np.mean([rule.temperature for rule in result.rules.values()]))
    assert raw.nll == negative_log_likelihood(TESTED.probabilities, TESTED.actual) > scaled.nll
    assert raw.brier == brier_score(TESTED.probabilities, TESTED.actual) > scaled.brier
    assert raw.error.error > scaled.error.error
    assert raw.confidence < result.correct / 200 - 0.05


def test_the_rule_for_new_cells_is_fitted_on_all_validation_cells(result: SelectiveResult) -> None:
    assert result.rule == SelectiveRule.fit(VALIDATION, 0.2)
    assert result.validated.cells == 150
    assert result.validated.error_rate is not None
    assert result.validated.error_rate <= 0.2


def test_tables_have_a_row_per_model_and_kind_of_probabilities_bin_and_fold(result: SelectiveResult) -> None:
    models = {"resnet": result, "alexnet": result}
    rows = calibration_table(models).to_dict("records")
    assert [(row["model"], row["probabilities"]) for row in rows] == [(m, p) for m in models for p in (RAW, SCALED)]
    error = tuple(rows[1][name] for name in ("ece", "ece_low", "ece_high", "ece_expected"))
    assert error == dataclasses.astuple(result.calibration[SCALED].error)
    assert rows[0]["accuracy"] == TESTED.correct.mean()

    bins = reliability_table(models)
    assert bins.query("model == 'alexnet' and probabilities == @RAW")["cells"].sum() == 200
    assert (bins["accuracy_low"] <= bins["accuracy"]).all()
    assert (bins["accuracy"] <= bins["accuracy_high"]).all()

    folds = selection_table(models, 0.2).query("model == 'resnet'")
    assert [*zip(folds["part"], folds["fold"], strict=True)] == [
        ("test", "0"),
        ("test", "1"),
        ("test", "all"),
        ("validation", "all"),
    ]
    expected = [result.rules[0].threshold, result.rules[1].threshold, np.nan, result.rule.threshold]
    assert folds["threshold"].tolist() == pytest.approx(expected, nan_ok=True)
    assert folds["accepted"].tolist()[2:] == [result.tested.accepted, result.validated.accepted]
    assert {*folds["target"]} == {0.2}
    assert {*folds["cells_needed"]} == {11}  # 0.8^11 = 0.086 and 0.8^10 = 0.107


def test_the_risk_coverage_table_holds_the_curve_and_the_point_of_the_thresholds(result: SelectiveResult) -> None:
    table = risk_coverage_table({"resnet": result}, 0.2)
    curve, point = table[table["point"] == "curve"], table[table["point"] == "threshold"]
    assert curve["coverage"].iloc[-1] == 1
    assert curve["error_rate"].iloc[-1] == pytest.approx((~TESTED.correct).mean())
    (row,) = point.to_dict("records")
    assert (row["coverage"], row["error_rate"]) == (result.tested.coverage, result.tested.error_rate)
    assert row["error_low"] < row["error_rate"] < row["error_high"]


def test_with_groups_only_the_intervals_change(result: SelectiveResult) -> None:
    groups = {f"{i}.jpg": str(i // 10) for i in range(200)}
    grouped = examine(TESTED, VALIDATION, 1 - VALIDATION.folds, 0.2, 200, 1, groups)
    clusters = np.arange(200) // 10
    assert grouped.accuracy_interval == proportion_interval(TESTED.correct, clusters)
    assert grouped.tested.coverage_interval != result.tested.coverage_interval
    assert (grouped.tested.coverage, grouped.tested.error_rate) == (result.tested.coverage, result.tested.error_rate)
    assert grouped.rules == result.rules
    one, other = grouped.calibration[RAW].error, result.calibration[RAW].error
    assert (one.error, one.expected) == pytest.approx((other.error, other.expected), abs=0.01)
    assert one.low != other.low
    table = selection_table({"resnet": grouped}, 0.2)
    assert table["coverage_low"][2] == grouped.tested.coverage_interval[0]
    assert table["error_rate_high"][2] == grouped.tested.error_interval[1]  # type: ignore[index]


def test_a_model_that_accepts_nothing_has_no_error_rate_in_the_tables(result: SelectiveResult) -> None:
    rejecting = dataclasses.replace(result, tested=Selection(200, 0, 0), by_fold={0: Selection(200, 0, 0)})
    row = selection_table({"resnet": rejecting}, 0.1).iloc[0]
    assert row[["error_rate", "error_rate_low", "error_rate_high"]].isna().all()
    assert (row["coverage"], row["coverage_low"]) == (0, 0)
    assert set(risk_coverage_table({"resnet": rejecting}, 0.1)["point"]) == {"curve"}
