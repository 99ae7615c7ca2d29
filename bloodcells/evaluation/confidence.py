"""What a model's confidence is worth on the cells that it was tested on: calibration, and answers at a threshold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bloodcells.evaluation.calibration import (
    Bin,
    CalibrationError,
    brier,
    calibration_error,
    negative_log_likelihood,
    reliability,
)
from bloodcells.evaluation.intervals import wilson
from bloodcells.evaluation.selective_prediction import Answers, answers, risk_coverage
from bloodcells.inference.predictions import Predictions
from bloodcells.inference.selective import Rule, confidence, rules_by_fold
from bloodcells.inference.temperature import temperature_scaled
from bloodcells.reporting.markdown import listed, percent, table

Floats = NDArray[np.float64]
Row = tuple[str | float | int | None, ...]

RAW, COOLED = "as it is", "with temperature"
"""The two settings: the probabilities as the network gives them, and under the temperatures fitted on validation."""


@dataclass(frozen=True, eq=False)
class Setting:
    """A model's probabilities in one setting, and how they fit the truth.

    `temperature` is the mean over the tested cells, each of which has that of its fold. `confidence` is the mean of
    the largest probabilities; perfectly calibrated, it would be near the accuracy.
    """

    temperature: float
    confidence: float
    error: CalibrationError
    brier: float
    nll: float
    bins: list[Bin]


@dataclass(frozen=True, eq=False)
class Confidence:
    """What one model's confidence is worth.

    Attributes:
        settings: `RAW` and `COOLED`.
        accuracy: share of the tested cells that are right.
        rules: of each tested fold, fitted without the labels of its cells.
        fitted: how many validation cells a rule was fitted on, at the fewest.
        by_fold: the answers under these rules.
        tested: their sum.
        rule: fitted on all validation cells: that of `bloodcells predict`.
        validated: what it answers on the very cells that it was fitted on.
        curve: coverage and risk at every threshold, of the tested cells under the folds' temperatures.
    """

    settings: Mapping[str, Setting]
    accuracy: float
    rules: Mapping[int, Rule]
    fitted: int
    by_fold: Mapping[int, Answers]
    tested: Answers
    rule: Rule
    validated: Answers
    curve: tuple[Floats, Floats]


def examine(
    tested: Predictions, validation: Predictions, homes: ArrayLike, risk: float, resamples: int, seed: int
) -> Confidence:
    """Fit temperatures and thresholds on validation, and hold them against the tested cells.

    Args:
        tested: each cell once.
        validation: what the networks of all folds said of their validation parts.
        homes: (len(validation.images),) the fold in which each of its cells is tested.
        risk: the share of wrong answers for which thresholds are fitted.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    folds = sorted(set(tested.folds.tolist()))
    rules = rules_by_fold(validation, homes, folds, risk)
    of_cells = [rules[fold] for fold in tested.folds.tolist()]
    temperatures = np.array([rule.temperature for rule in of_cells])
    thresholds = np.array([rule.threshold for rule in of_cells])
    right = tested.predicted == tested.actual
    chances = temperature_scaled(tested.probabilities, temperatures)
    sure = confidence(chances)

    def setting(temperature: float, probabilities: Floats) -> Setting:
        largest = probabilities.max(axis=1)
        return Setting(
            temperature,
            float(largest.mean()),
            calibration_error(largest, right, resamples, seed),
            brier(probabilities, tested.actual),
            negative_log_likelihood(probabilities, tested.actual),
            reliability(largest, right),
        )

    rule = Rule.fit(validation, risk)
    validation_sure = confidence(temperature_scaled(validation.probabilities, rule.temperature))
    return Confidence(
        settings={RAW: setting(1.0, tested.probabilities), COOLED: setting(float(temperatures.mean()), chances)},
        accuracy=float(right.mean()),
        rules=rules,
        fitted=min(int((np.asarray(homes) != fold).sum()) for fold in folds),
        by_fold={
            fold: answers(sure[tested.folds == fold], right[tested.folds == fold], rules[fold].threshold)
            for fold in folds
        },
        tested=answers(sure, right, thresholds),
        rule=rule,
        validated=answers(validation_sure, validation.predicted == validation.actual, rule.threshold),
        curve=risk_coverage(sure, right),
    )


CALIBRATION_COLUMNS = (
    "model",
    "setting",
    "temperature",
    "ece",
    "ece_low",
    "ece_high",
    "ece_perfect",
    "brier",
    "nll",
)
"""The columns of `calibration_table`."""


def calibration_table(models: Mapping[str, Confidence]) -> list[Row]:
    """Give a row per model and setting for `CALIBRATION_COLUMNS`, rounded to four digits.

    ece is the expected calibration error of the confidence, from ece_low to ece_high its 95 % interval, ece_perfect
    what it would be on average if the confidence were perfectly calibrated; nll is in nats.
    """
    return [
        (name, kind, *_rounded(one.temperature, *_error(one.error), one.brier, one.nll))
        for name, model in models.items()
        for kind, one in model.settings.items()
    ]


def _error(of: CalibrationError) -> tuple[float, float, float, float]:
    return of.error, of.low, of.high, of.perfect


def calibration_markdown(models: Mapping[str, Confidence]) -> str:
    """Give the calibration of each model in both settings as a table of Markdown."""
    head = ("", "T", "sure", "error", "95 % interval", "perfect", "Brier", "NLL")
    rows = [
        (
            name,
            f"{one.temperature:.2f}",
            f"{one.confidence:.3f}",
            f"{one.error.error:.3f}",
            f"{one.error.low:.3f} to {one.error.high:.3f}",
            f"{one.error.perfect:.3f}",
            f"{one.brier:.3f}",
            f"{one.nll:.3f}",
        )
        for name, model in models.items()
        for one in model.settings.values()
    ]
    return table(head, rows)


def calibration_in_words(name: str, model: Confidence) -> str:
    """Say whether a model is as sure as it is right, and what the temperature changes."""
    raw, warm = model.settings[RAW], model.settings[COOLED]
    low, high = wilson(round(model.accuracy * model.tested.cells), model.tested.cells)
    kind = "too modest" if raw.confidence < low else "too sure" if raw.confidence > high else "about as sure as right"
    return (
        f"{name} is {kind}: {raw.confidence:.3f} sure on average, {model.accuracy:.3f} right. "
        f"The temperature takes its error from {raw.error.error:.3f} to {warm.error.error:.3f}; "
        f"perfect calibration would show {warm.error.perfect:.3f}."
    )


RELIABILITY_COLUMNS = ("model", "setting", "confidence", "right", "right_low", "right_high", "cells")
"""The columns of `reliability_table`."""


def reliability_table(models: Mapping[str, Confidence]) -> list[Row]:
    """Give a row per model, setting and bin for `RELIABILITY_COLUMNS`, rounded to four digits."""
    return [
        (name, kind, *_rounded(one.confidence, one.share, *one.interval), one.cells)
        for name, model in models.items()
        for kind, setting in model.settings.items()
        for one in setting.bins
    ]


ABSTENTION_COLUMNS = (
    "model",
    "part",
    "fold",
    "temperature",
    "threshold",
    "cells",
    "answered",
    "wrong",
    "coverage",
    "coverage_low",
    "coverage_high",
    "risk",
    "risk_low",
    "risk_high",
    "target",
)
"""The columns of `abstention_table`."""


def abstention_table(models: Mapping[str, Confidence], target: float) -> list[Row]:
    """Give rows for `ABSTENTION_COLUMNS`: for each model its tested folds, their sum, and validation.

    The sum has no temperature and no threshold of its own, since each fold has one. Those of validation are the ones
    that `bloodcells predict` uses, and its risk is that on the very cells that the threshold was fitted on.
    """
    rows: list[Row] = []
    for name, model in models.items():
        for fold, found in model.by_fold.items():
            rows.append((name, "test", fold, *_rule(model.rules[fold]), *_answers(found), target))
        rows.append((name, "test", "all", None, None, *_answers(model.tested), target))
        rows.append((name, "validation", "all", *_rule(model.rule), *_answers(model.validated), target))
    return rows


def _rule(rule: Rule) -> Row:
    return rule.temperature, rule.threshold


def _answers(found: Answers) -> Row:
    return (
        found.cells,
        found.answered,
        found.wrong,
        *_rounded(found.coverage, *found.coverage_interval),
        *_rounded(found.risk, *(found.risk_interval or (None, None))),
    )


def _rounded(*values: float | None) -> tuple[float | None, ...]:
    return tuple(None if value is None else round(value, 4) for value in values)


def abstention_markdown(models: Mapping[str, Confidence]) -> str:
    """Give what each model answers, and how many answers are wrong, as a table of Markdown."""
    head = ("", "answers", "of them wrong", "95 % interval", "wrong of all")
    return table(head, [(name, *_cells(model)) for name, model in models.items()])


def _cells(model: Confidence) -> tuple[str, ...]:
    found = model.tested
    return (
        f"{found.answered} ({percent(found.coverage, 0)})",
        "" if found.risk is None else f"{found.wrong} ({percent(found.risk)})",
        ""
        if found.risk_interval is None
        else f"{100 * found.risk_interval[0]:.1f} to {percent(found.risk_interval[1])}",
        percent(1 - model.accuracy),
    )


def abstention_in_words(models: Mapping[str, Confidence], target: float) -> str:
    """Say for which models the interval of the risk lies above what was asked for."""
    missed = [name for name, one in models.items() if one.tested.risk_interval and one.tested.risk_interval[0] > target]
    if not missed:
        return f"No interval lies above the {percent(target)} asked for."
    return (
        f"The answers of {listed(missed)} are wrong more often than the {percent(target)} asked for: "
        f"{'its interval lies' if len(missed) == 1 else 'their intervals lie'} above it."
    )
