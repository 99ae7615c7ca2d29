"""What models accept on cells that their rules were not fitted on, how much of it is wrong, and their calibration."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bloodcells.evaluation.calibration import (
    Bin,
    CalibrationError,
    brier_score,
    calibration_error,
    negative_log_likelihood,
    reliability,
)
from bloodcells.evaluation.clusters import Groups, cluster_numbers
from bloodcells.evaluation.intervals import Interval, proportion_interval, wilson
from bloodcells.inference.predictions import Predictions
from bloodcells.inference.temperature import temperature_scaled
from bloodcells.inference.threshold import SelectiveRule, cells_needed, confidence_of, rules_by_fold

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

RAW, SCALED = "raw", "temperature-scaled"


@dataclass(frozen=True)
class Selection:
    """How many cells there are, how many predictions are accepted, and how many of those are wrong.

    `clustered` are the intervals of coverage and error rate if cells have groups.
    """

    cells: int
    accepted: int
    errors: int
    clustered: tuple[Interval, Interval] | None = None

    @property
    def coverage(self) -> float:
        """Proportion of the cells that are accepted."""
        return self.accepted / self.cells

    @property
    def coverage_interval(self) -> Interval:
        """Its 95 % Wilson interval."""
        return self.clustered[0] if self.clustered else wilson(self.accepted, self.cells)

    @property
    def error_rate(self) -> float | None:
        """Proportion of the accepted predictions that are wrong; None if none is accepted."""
        return self.errors / self.accepted if self.accepted else None

    @property
    def error_interval(self) -> Interval | None:
        """Its 95 % Wilson interval."""
        if not self.accepted:
            return None
        return self.clustered[1] if self.clustered else wilson(self.errors, self.accepted)


def select(
    confidence: ArrayLike, correct: ArrayLike, threshold: float | Floats, clusters: Indices | None = None
) -> Selection:
    """Count what is accepted at a threshold, or at one threshold per cell (n,); `clusters` are the cells' groups."""
    accepted = np.asarray(confidence, np.float64) >= threshold
    wrong = ~np.asarray(correct, np.bool_)
    intervals = None
    if clusters is not None:
        intervals = (
            proportion_interval(accepted, clusters),
            proportion_interval(wrong[accepted], clusters[accepted]),
        )
    return Selection(len(accepted), int(accepted.sum()), int((accepted & wrong).sum()), intervals)


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    """Return coverage and error rate at each threshold, from the most confident cells to all cells.

    Cells of equal confidence are accepted together.
    """
    sure, wrong = np.asarray(confidence, np.float64), ~np.asarray(correct, np.bool_)
    order = np.argsort(-sure, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(sure[order])), len(sure) - 1)  # the last of each run of equal confidences
    accepted = ends + 1
    return accepted / len(sure), np.cumsum(wrong[order])[ends] / accepted


@dataclass(frozen=True, eq=False)
class Calibration:
    """How well one kind of probabilities of a model fits the actual classes.

    `temperature` is the mean over the tested cells, each of which has that of its fold; `confidence` is the mean
    confidence.
    """

    temperature: float
    confidence: float
    error: CalibrationError
    brier: float
    nll: float
    bins: list[Bin]


@dataclass(frozen=True, eq=False)
class SelectiveResult:
    """Calibration and selective prediction of one model.

    Attributes:
        calibration: of `RAW` and `SCALED` probabilities, on the tested cells.
        correct: number of tested cells that are correct.
        accuracy_interval: the 95 % Wilson interval of their proportion.
        rules: of each tested fold, fitted without the labels of its cells.
        fitted_on: the number of predictions that each of these rules was fitted on.
        by_fold: what is accepted under these rules.
        tested: their sum.
        rule: fitted on all validation cells; `bloodcells predict` uses it.
        validated: what it accepts on the very cells that it was fitted on.
        curve: coverage and error rate at every threshold, on the tested cells.
    """

    calibration: Mapping[str, Calibration]
    correct: int
    accuracy_interval: Interval
    rules: Mapping[int, SelectiveRule]
    fitted_on: Mapping[int, int]
    by_fold: Mapping[int, Selection]
    tested: Selection
    rule: SelectiveRule
    validated: Selection
    curve: tuple[Floats, Floats]


def examine(
    tested: Predictions,
    validation: Predictions,
    test_fold: ArrayLike,
    target_error: float,
    resamples: int,
    seed: int,
    groups: Groups | None = None,
) -> SelectiveResult:
    """Fit temperatures and thresholds on validation cells, and judge them on the tested cells.

    Args:
        tested: each cell once.
        validation: predictions of the validation parts of all folds.
        test_fold: (len(validation.images),) the fold in which each of those cells is tested.
        target_error: the error rate for which thresholds are fitted.
        resamples, seed: of the bootstrap.
        groups: of the cells, which intervals take as independent; None if the cells are. Rules and the bins of
            reliability diagrams count cells either way.
    """
    clusters = cluster_numbers(tested.images, groups)
    folds = sorted(set(tested.folds.tolist()))
    rules = rules_by_fold(validation, test_fold, folds, target_error)
    temperatures = np.array([rules[fold].temperature for fold in tested.folds.tolist()])
    thresholds = np.array([rules[fold].threshold for fold in tested.folds.tolist()])
    scaled = temperature_scaled(tested.probabilities, temperatures)
    confidence = confidence_of(scaled)

    def calibration(temperature: float, probabilities: Floats) -> Calibration:
        largest = probabilities.max(axis=1)
        return Calibration(
            temperature,
            float(largest.mean()),
            calibration_error(largest, tested.correct, resamples, seed, clusters=clusters),
            brier_score(probabilities, tested.actual),
            negative_log_likelihood(probabilities, tested.actual),
            reliability(largest, tested.correct),
        )

    rule = SelectiveRule.fit(validation, target_error)
    on_validation = confidence_of(temperature_scaled(validation.probabilities, rule.temperature))
    return SelectiveResult(
        calibration={
            RAW: calibration(1.0, tested.probabilities),
            SCALED: calibration(float(temperatures.mean()), scaled),
        },
        correct=int(tested.correct.sum()),
        accuracy_interval=proportion_interval(tested.correct, clusters),
        rules=rules,
        fitted_on={fold: int((np.asarray(test_fold) != fold).sum()) for fold in folds},
        by_fold={
            fold: select(
                confidence[of], tested.correct[of], rules[fold].threshold, None if clusters is None else clusters[of]
            )
            for fold in folds
            for of in [tested.folds == fold]
        },
        tested=select(confidence, tested.correct, thresholds, clusters),
        rule=rule,
        validated=select(on_validation, validation.correct, rule.threshold, cluster_numbers(validation.images, groups)),
        curve=risk_coverage(confidence, tested.correct),
    )


# ---- tables


def calibration_table(models: Mapping[str, SelectiveResult]) -> pd.DataFrame:
    """Return a row per model and kind of probabilities; nll is in nats."""
    rows = []
    for name, model in models.items():
        accuracy = (model.correct / model.tested.cells, *model.accuracy_interval)
        for kind, one in model.calibration.items():
            ece = (one.error.error, one.error.low, one.error.high, one.error.expected)
            rows.append((name, kind, one.temperature, one.confidence, *accuracy, *ece, one.brier, one.nll))
    columns = ["model", "probabilities", "temperature", "confidence", "accuracy", "accuracy_low", "accuracy_high"]
    columns += ["ece", "ece_low", "ece_high", "ece_expected", "brier", "nll"]
    return pd.DataFrame(rows, columns=columns)


def reliability_table(models: Mapping[str, SelectiveResult]) -> pd.DataFrame:
    """Return a row per model, kind of probabilities and bin."""
    rows = [
        (name, kind, one.confidence, one.accuracy, *one.interval, one.cells)
        for name, model in models.items()
        for kind, calibration in model.calibration.items()
        for one in calibration.bins
    ]
    columns = ["model", "probabilities", "confidence", "accuracy", "accuracy_low", "accuracy_high", "cells"]
    return pd.DataFrame(rows, columns=columns)


def selection_table(models: Mapping[str, SelectiveResult], target_error: float) -> pd.DataFrame:
    """Return for each model a row per tested fold, one for all of them, and one for validation.

    The row for all folds has no temperature and no threshold, since each fold has its own. Those of validation are the
    ones that `bloodcells predict` uses; its error rate is that on the very cells that the threshold was fitted on.
    `fitted_on` is how many predictions a rule was fitted on (the fewest of all folds), `cells_needed` how many it takes
    to show the target error rate at all.
    """
    rows: list[tuple[object, ...]] = []
    for name, model in models.items():
        for fold, found in model.by_fold.items():
            rule, cells = model.rules[fold], model.fitted_on[fold]
            rows.append((name, "test", str(fold), rule.temperature, rule.threshold, cells, *_columns(found)))
        least = min(model.fitted_on.values())
        rows.append((name, "test", "all", np.nan, np.nan, least, *_columns(model.tested)))
        rule, cells = model.rule, model.validated.cells
        rows.append((name, "validation", "all", rule.temperature, rule.threshold, cells, *_columns(model.validated)))
    columns = ["model", "part", "fold", "temperature", "threshold", "fitted_on", "cells", "accepted", "errors"]
    columns += ["coverage", "coverage_low", "coverage_high", "error_rate", "error_rate_low", "error_rate_high"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(target=target_error, cells_needed=cells_needed(target_error))


def _columns(found: Selection) -> tuple[float, ...]:
    error = np.nan if found.error_rate is None else found.error_rate
    counts = (found.cells, found.accepted, found.errors)
    return (*counts, found.coverage, *found.coverage_interval, error, *(found.error_interval or (np.nan, np.nan)))


def risk_coverage_table(models: Mapping[str, SelectiveResult], target_error: float) -> pd.DataFrame:
    """Return each model's curve, and the point that its thresholds give on the tested cells."""
    rows: list[tuple[object, ...]] = []
    for name, model in models.items():
        for coverage, error in zip(*model.curve, strict=True):
            rows.append((name, "curve", coverage, error, np.nan, np.nan, target_error))
        found = model.tested
        if found.error_rate is not None and found.error_interval is not None:
            rows.append((name, "threshold", found.coverage, found.error_rate, *found.error_interval, target_error))
    columns = ["model", "point", "coverage", "error_rate", "error_low", "error_high", "target"]
    return pd.DataFrame(rows, columns=columns)
