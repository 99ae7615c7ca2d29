import dataclasses
from typing import Any

import numpy as np
import pytest

from bloodcells.evaluation import confidence
from bloodcells.evaluation.calibration import brier, negative_log_likelihood
from bloodcells.evaluation.confidence import COOLED, RAW, Confidence
from bloodcells.evaluation.selective_prediction import Answers, answers
from bloodcells.inference.predictions import Predictions, predictions
from bloodcells.inference.selective import Rule
from bloodcells.inference.temperature import temperature_scaled


def modest(cells: int, seed: int, power: float = 0.5) -> Predictions:
    """Cells of folds 0 and 1 whose classes are drawn from probabilities, these drawn towards each other then."""
    random = np.random.default_rng(seed)
    chances = random.dirichlet(np.full(4, 0.3), cells)
    actual = [random.choice(4, p=row) for row in chances]
    flat = chances**power
    flat /= flat.sum(axis=1, keepdims=True)
    return predictions([f"{i}.jpg" for i in range(cells)], np.arange(cells) % 2, actual, flat)


TESTED, VALIDATION = modest(200, 1), modest(150, 2)
HOMES = 1 - VALIDATION.folds


@pytest.fixture(scope="module")
def found() -> Confidence:
    return confidence.examine(TESTED, VALIDATION, HOMES, risk=0.2, resamples=200, seed=1)


def test_each_fold_is_judged_by_its_own_rule(found: Confidence) -> None:
    assert list(found.rules) == [0, 1]
    assert found.rules[0] != found.rules[1]
    for fold, rule in found.rules.items():
        of = TESTED.folds == fold
        sure = temperature_scaled(TESTED.probabilities[of], rule.temperature).max(axis=1)
        assert found.by_fold[fold] == answers(sure, (TESTED.predicted == TESTED.actual)[of], rule.threshold)
    summed = [sum(getattr(one, name) for one in found.by_fold.values()) for name in ("cells", "answered", "wrong")]
    assert found.tested == Answers(*summed)


def test_modest_probabilities_are_mended_by_the_temperature(found: Confidence) -> None:
    raw, warm = found.settings[RAW], found.settings[COOLED]
    assert raw.temperature == 1
    assert warm.temperature == pytest.approx(0.5, abs=0.1)
    assert warm.temperature == pytest.approx(np.mean([rule.temperature for rule in found.rules.values()]))
    assert raw.nll == negative_log_likelihood(TESTED.probabilities, TESTED.actual) > warm.nll
    assert raw.brier == brier(TESTED.probabilities, TESTED.actual) > warm.brier
    assert raw.error.error > warm.error.error
    assert raw.confidence < found.accuracy - 0.05


def test_the_rule_to_predict_with_is_that_of_all_validation_cells(found: Confidence) -> None:
    assert found.rule == Rule.fit(VALIDATION, 0.2)
    assert found.validated.cells == 150
    assert found.validated.risk is not None
    assert found.validated.risk <= 0.2


def test_the_tables_hold_a_row_per_model_and_setting_and_per_fold(found: Confidence) -> None:
    models = {"resnet": found, "alexnet": found}
    rows = [dict(zip(confidence.CALIBRATION_COLUMNS, row, strict=True)) for row in confidence.calibration_table(models)]
    assert [(row["model"], row["setting"]) for row in rows] == [(m, s) for m in models for s in (RAW, COOLED)]
    assert rows[0]["ece"] == round(found.settings[RAW].error.error, 4)
    assert [rows[1][name] for name in ("ece_low", "ece_high", "ece_perfect")] == [
        round(value, 4) for value in dataclasses.astuple(found.settings[COOLED].error)[1:]
    ]
    bins: list[dict[str, Any]] = [
        dict(zip(confidence.RELIABILITY_COLUMNS, row, strict=True)) for row in confidence.reliability_table(models)
    ]
    assert sum(int(row["cells"]) for row in bins if row["setting"] == RAW and row["model"] == "alexnet") == 200
    assert all(row["right_low"] <= row["right"] <= row["right_high"] for row in bins)
    folds = [
        dict(zip(confidence.ABSTENTION_COLUMNS, row, strict=True)) for row in confidence.abstention_table(models, 0.1)
    ]
    of_resnet = [(row["part"], row["fold"], row["threshold"]) for row in folds if row["model"] == "resnet"]
    assert of_resnet == [
        ("test", 0, found.rules[0].threshold),
        ("test", 1, found.rules[1].threshold),
        ("test", "all", None),
        ("validation", "all", found.rule.threshold),
    ]
    assert (folds[2]["answered"], folds[2]["cells"]) == (found.tested.answered, 200)
    assert {row["target"] for row in folds} == {0.1}


def test_words_say_what_the_figures_say(found: Confidence) -> None:
    assert "resnet is too modest" in confidence.calibration_in_words("resnet", found)
    sharp = confidence.examine(modest(200, 1, power=3), VALIDATION, HOMES, 0.1, resamples=10, seed=1)
    assert "too sure" in confidence.calibration_in_words("resnet", sharp)
    fitting = confidence.examine(modest(200, 1, power=1), VALIDATION, HOMES, 0.1, resamples=10, seed=1)
    assert "about as sure as right" in confidence.calibration_in_words("resnet", fitting)
    bad = dataclasses.replace(found, tested=Answers(200, 100, 40))
    good = dataclasses.replace(found, tested=Answers(200, 100, 11))
    said = confidence.abstention_in_words({"resnet": bad, "alexnet": good}, 0.1)
    assert said == "The answers of resnet are wrong more often than the 10.0 % asked for: its interval lies above it."
    assert "No interval lies above the 10.0 %" in confidence.abstention_in_words({"alexnet": good}, 0.1)


def test_a_model_that_answers_nothing_has_no_risk(found: Confidence) -> None:
    silent = dataclasses.replace(found, tested=Answers(200, 0, 0), by_fold={0: Answers(200, 0, 0)})
    row = confidence.abstention_table({"resnet": silent}, 0.1)[0]
    assert row[confidence.ABSTENTION_COLUMNS.index("risk") :] == (None, None, None, 0.1)
    assert "0 (0 %)" in confidence.abstention_markdown({"resnet": silent})
    assert "No interval" in confidence.abstention_in_words({"resnet": silent}, 0.1)
