"""What the page of an external test, and the lines in the terminal, say."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bloodcells.cli.decisions import ABSTAINS
from bloodcells.cli.model import Model
from bloodcells.cli.score.cells import SEVERAL, LabeledCells
from bloodcells.cli.score.origin import Origin
from bloodcells.cli.score.results import Calibrated, Results, Unknown
from bloodcells.cli.score.scores import (
    ACCURACY,
    ALL_ERRORS,
    COVERAGE,
    ERROR_RATE,
    MEANS,
    Difference,
    Kept,
    Score,
    sensitivity_of,
    target_kept,
)
from bloodcells.evaluation.selective_prediction import RAW, SCALED
from bloodcells.inference.threshold import DIGITS
from bloodcells.reporting.markdown import interval, percent

_Z_SQUARED = 1.96**2  # Wilson's upper limit for no errors among n is z² / (n + z²)


@dataclass(frozen=True, eq=False)
class ExternalTest:
    """A finished test, and what was tested on what.

    Attributes:
        dataset: the name of the data set.
        title: of the data set.
        file: name of the model's file.
        model: that predicted.
        origin: where it comes from.
        found: the cells.
        results: of the test.
    """

    dataset: str
    title: str
    file: str
    model: Model
    origin: Origin
    found: LabeledCells
    results: Results

    @property
    def target(self) -> float | None:
        """The target error rate; None for a plain checkpoint, which has none."""
        return self.model.predictor.target_error if self.model.calibrated else None

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the model."""
        return self.model.predictor.checkpoint.classes

    @property
    def name(self) -> str:
        """The model's name, and the data set that it was trained on."""
        return f"{self.origin.model}, trained on {self.origin.dataset}" if self.origin.dataset else self.origin.model

    def count(self, name: str) -> int:
        """Return how many readable cells of a class there are."""
        return sum(count for (actual, _), count in self.results.tables[1].items() if actual == name)


def page_values(test: ExternalTest) -> dict[str, Any]:
    """Return the values of the page's template."""
    results, origin, predictor = test.results, test.origin, test.model.predictor
    present = [name for name in test.classes if test.count(name)]
    errors, target = results.scores[ERROR_RATE], test.target
    every = results.scores.get(ALL_ERRORS)
    forced, answers = results.tables
    return {
        "name": test.name,
        "model": origin.model,
        "dataset": test.dataset,
        "title": test.title,
        "file": test.file,
        "md5": origin.md5,
        "trained_on": origin.dataset,
        "commits": origin.commits,
        "architecture": predictor.checkpoint.architecture,
        "describe": test.model.describe(),
        "fingerprint": test.found.fingerprint,
        "cells": sum(map(test.count, present)),
        "groups": results.groups,
        "corrected": test.found.corrected,
        "unused_groups": test.found.unused_groups,
        "class_rows": [(name, str(test.count(name))) for name in present]
        + [(f"{name} (unknown to the model)", str(one.answered.whole)) for name, one in results.unknown.items()],
        "absent": [name for name in test.classes if name not in present],
        "left_out_rows": [
            (reason, str(rows))
            for reason, rows in [*sorted(test.found.left_out.items()), ("the image can't be read", results.unreadable)]
            if rows
        ],
        "compared": test.found.images_compared,
        "internal": bool(results.internal),
        "internal_cells": results.internal[ACCURACY].whole if results.internal else 0,
        "internal_groups": origin.internal is not None and origin.internal.clusters is not None,
        "internal_unknown": origin.unknown,
        "score_rows": score_rows(results),
        "scores_alone": [row[:2] for row in score_rows(results)],
        "accuracy": results.scores[ACCURACY],
        "no_input": results.no_input,
        "baseline": results.baseline,
        "most_frequent": max(present, key=test.count),
        "sensitivity_rows": [row if results.internal else row[:3] for row in _sensitivities(results, present)],
        "forced_head": ["", *test.classes, *(["no input"] if results.no_input else [])],
        "forced_rows": _counts(forced, present, [*test.classes, *([ABSTAINS] if results.no_input else [])]),
        "answers_head": ["", *test.classes, ABSTAINS],
        "answers_rows": _counts(answers, [*present, *results.unknown], [*test.classes, ABSTAINS]),
        "coverage": results.scores[COVERAGE],
        "errors": errors,
        "target": target,
        "verdict_of_target": _verdict_of_target(errors, target) if target is not None else "",
        "every": every,
        "every_kept": target_kept(every, target) if every and target is not None else "",
        "unknown_rows": [_unknown(name, one) for name, one in results.unknown.items()],
        "degenerate": any(
            score.value in (0, 1) for name in present if (score := results.scores.get(sensitivity_of(name)))
        ),
        "reasons": [(reason, str(count)) for reason, count in results.reasons.most_common()],
        "calibration_rows": [
            (
                kind,
                f"{1.0 if kind == RAW else predictor.temperature:.2f}",
                f"{one.confidence:.3f}",
                f"{one.error.error:.3f}",
                f"{one.error.low:.3f} to {one.error.high:.3f}",
                f"{one.error.expected:.3f}",
                f"{one.brier:.3f}",
            )
            for kind, one in results.calibration.items()
        ],
        "confidence": shipped(results),
        "trust": trust(results),
        "threshold": f"{predictor.threshold:.{DIGITS}f}",
    }


def score_rows(results: Results) -> list[tuple[str, ...]]:
    """Return the rows of the table of scores: external, internal, difference, verdict."""
    rows: list[tuple[str, ...]] = []
    for name in (ACCURACY, *MEANS, COVERAGE, ERROR_RATE):
        if name not in results.scores:
            continue
        score, own, drop = results.scores[name], results.internal.get(name), results.differences.get(name)
        rows.append((name, _shown(score), _shown(own), _drop(drop), drop.verdict(name == ERROR_RATE) if drop else ""))
    return rows


def _sensitivities(results: Results, classes: Sequence[str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name in classes:
        score = results.scores.get(sensitivity_of(name))
        own, drop = results.internal.get(sensitivity_of(name)), results.differences.get(sensitivity_of(name))
        if score:
            verdict = drop.verdict() if drop else ""
            rows.append((name, f"{score.part} of {score.whole}", _shown(score), _shown(own), verdict))
    return rows


def _shown(score: Score | None) -> str:
    return interval(score.value, score.low, score.high) if score and score.whole != 0 else ""


def _drop(drop: Difference | None) -> str:
    return interval(drop.value, drop.low, drop.high) if drop else ""


def _counts(table: Counter[tuple[str, str]], rows: Sequence[str], columns: Sequence[str]) -> list[tuple[str, ...]]:
    return [(row, *(str(table[row, column]) for column in columns)) for row in rows]


def shipped(results: Results) -> Calibrated | None:
    """Return the calibration of the probabilities that `bloodcells predict` shows."""
    return results.calibration.get(SCALED) or results.calibration.get(RAW)


def trust(results: Results) -> str:
    """Say whether the mean confidence lies within the interval of the accuracy."""
    one, accuracy = shipped(results), results.scores[ACCURACY]
    if not one:
        return ""
    if one.confidence > accuracy.high:
        return "overconfident"
    return "underconfident" if one.confidence < accuracy.low else "about as confident as correct"


def _verdict_of_target(errors: Score, target: float) -> str:
    kept = target_kept(errors, target)
    if kept == "can't tell":
        needed = math.ceil(_Z_SQUARED * (1 - target) / target)
        few = f"; to show it takes at least {needed} answers" if (errors.whole or 0) < needed else ""
        why = "the interval includes it" if errors.whole else "there are no answers"
        return f"Whether the target error rate of {percent(target)} is kept: **can't tell**, {why}{few}."
    side = "at or below" if kept == "kept" else "above"
    return f"The target error rate of {percent(target)} is **{kept}**: the whole interval lies {side} it."


def _unknown(name: str, one: Unknown) -> str:
    what = "images with several labels" if name == SEVERAL else f"cells of {name}"
    most = f", most often with {next(iter(one.answers))}" if one.answers else ""
    return f"{one.answered.part} of {one.answered.whole} {what}{most}"


_KEPT: dict[Kept, str] = {"kept": "kept", "not kept": "NOT kept", "can't tell": "can't tell"}


def headline(test: ExternalTest) -> str:
    """Return the lines for the terminal, each shorter than 80 columns."""
    results = test.results
    drop, accuracy, errors = results.differences.get(ACCURACY), results.scores[ACCURACY], results.scores[ERROR_RATE]
    own, coverage = results.internal.get(ACCURACY), results.scores[COVERAGE]
    lines = [
        ("accuracy", f"{_shown(accuracy)}, if it always had to answer"),
        ("internal", f"{own.value:.3f}: {drop.verdict()}, by {_drop(drop)}" if own and drop else "not known"),
        ("answered", f"{coverage.part} of {coverage.whole} cells, {percent(coverage.value)}"),
        ("of these wrong", f"{errors.part}, {errors.value:.3f} ({errors.low:.3f} to {errors.high:.3f})"),
        ("confidence", f"{one.confidence:.3f} on average: {trust(results)}" if (one := shipped(results)) else ""),
    ]
    if not errors.whole:
        lines[3] = ("of these wrong", "none answered")
    if test.target is not None:
        kept = _KEPT[target_kept(errors, test.target)]
        lines.insert(4, ("target error rate", f"{percent(test.target, 0)}: {kept}"))
    if results.reasons:
        reason, count = results.reasons.most_common(1)[0]
        lines.insert(3, ("abstains mostly", f"{reason} ({count} cells)"))
    answered = sum(one.answered.part or 0 for one in results.unknown.values())
    cells = sum(one.answered.whole or 0 for one in results.unknown.values())
    if cells:
        lines.append(("unknown classes", f"{cells} cells, {answered} answered nevertheless"))
    return "\n".join([f"{test.name}, on {test.dataset}:", *(f"  {key:<18} {text}" for key, text in lines if text)])
