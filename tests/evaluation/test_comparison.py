from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from bloodcells.core.errors import InputError
from bloodcells.datasets.record import PublishedResult
from bloodcells.evaluation.comparison import (
    Entry,
    Pair,
    accuracy_table,
    compare,
    difference_table,
    interval_table,
    pair_table,
    pairs,
    published_entries,
    resample,
)
from bloodcells.evaluation.intervals import clustered_wilson, wilson
from bloodcells.evaluation.metrics import class_scores, headline
from bloodcells.inference.predictions import Predictions
from tests.support.smallset import CLASSES


def ten_cells(correct: int) -> Predictions:
    """Six neutrophils (class 3) and four eosinophils; the first `correct` predictions are correct."""
    actual = np.array([3] * 6 + [0] * 4)
    predicted = np.where(np.arange(10) < correct, actual, 3 - actual)
    images = [f"{i}.jpg" for i in range(10)]
    return Predictions.from_probabilities(images, np.arange(10) % 2, actual, np.eye(4)[predicted], CLASSES)


def test_models_come_first_then_the_majority_class_then_published_results() -> None:
    published = Entry("ResNet (report)", "published", 28, 35, 0.92, 0.94)
    entries = compare({"resnet": ten_cells(9), "alexnet": ten_cells(5)}, "neutrophil", [published])
    assert [(entry.name, entry.kind, entry.correct, entry.cells) for entry in entries] == [
        ("resnet", "model", 9, 10),
        ("alexnet", "model", 5, 10),
        ("majority class", "baseline", 6, 10),
        ("ResNet (report)", "published", 28, 35),
    ]
    assert entries[2].mean_sensitivity == 0.5


def test_the_majority_class_is_the_one_that_is_named() -> None:
    assert compare({"resnet": ten_cells(9)}, "eosinophil")[1].correct == 4


def test_a_published_result_has_its_accuracy_and_its_means() -> None:
    result = PublishedResult(model="report", correct=28, cells=35, mean_sensitivity=0.92, mean_specificity=0.94)
    (entry,) = published_entries([result])
    assert entry == Entry("report", "published", 28, 35, 0.92, 0.94)
    assert entry.accuracy == 0.8


def test_the_accuracy_table_has_intervals_and_unrounded_numbers() -> None:
    (row,) = accuracy_table(compare({"resnet": ten_cells(9)}, "neutrophil")[:1]).to_dict("records")
    assert row == pytest.approx(
        {
            "model": "resnet",
            "kind": "model",
            "correct": 9,
            "cells": 10,
            "accuracy": 0.9,
            "accuracy_low": wilson(9, 10)[0],
            "accuracy_high": wilson(9, 10)[1],
            "mean_sensitivity": 0.875,
            "mean_specificity": 0.9375,
        }
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": ("x.jpg", *(f"{i}.jpg" for i in range(1, 10)))}, "0.jpg .*alexnet did not test it"),
        ({"folds": np.zeros(10, np.int64)}, "resnet tested it in fold 1 as .*alexnet tested it in fold 0"),
        ({"actual": np.zeros(10, np.int64)}, "as neutrophil, alexnet tested it in fold 0 as eosinophil"),
    ],
)
def test_models_tested_on_other_cells_are_refused(change: dict[str, object], message: str) -> None:
    other = replace(ten_cells(8), **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        compare({"resnet": ten_cells(9), "alexnet": other}, "neutrophil")


def test_the_order_of_the_cells_does_not_matter() -> None:
    reverse = ten_cells(8).select(np.arange(10)[::-1])
    assert compare({"resnet": ten_cells(9), "alexnet": reverse}, "neutrophil")[1].correct == 8


def twenty_cells(correct: str) -> Predictions:
    """Eight neutrophils, six eosinophils, then lymphocytes; predictions are correct where marked 1, else monocyte."""
    actual = np.array([3] * 8 + [0] * 6 + [1] * (len(correct) - 14))
    predicted = np.where([mark == "1" for mark in correct], actual, 2)
    images = [f"{i}.jpg" for i in range(len(correct))]
    return Predictions.from_probabilities(images, np.zeros(len(correct)), actual, np.eye(4)[predicted], CLASSES)


MODELS = {
    "resnet": twenty_cells("1" * 19 + "0"),
    "efficientnet": twenty_cells("1" * 18 + "01"),
    "alexnet": twenty_cells("1" + "0" * 10 + "1" * 8 + "0"),
}


def pairs_of(models: Mapping[str, Predictions] = MODELS) -> list[Pair]:
    return pairs(models, resample(models, resamples=1000, seed=1))


def test_proportions_have_wilson_intervals_and_means_have_bootstrap_intervals() -> None:
    drawn = resample(MODELS, 1000, 1)
    table = interval_table(MODELS, drawn)
    rows = {(row["model"], row["score"]): row for row in table.to_dict("records")}
    assert len(rows) == len(table) == 3 * (1 + 3 * 4 + 3)
    for name, p in MODELS.items():
        for scores in class_scores(p).to_dict("records"):
            for score in ("sensitivity", "specificity", "precision"):
                row = rows[name, f"{score}: {scores['class']}"]
                assert row["value"] == pytest.approx(scores[score], nan_ok=True)
                assert np.isnan(row["low"]) == np.isnan(row["value"])
        assert rows[name, "mean specificity"]["value"] == pytest.approx(headline(p)["mean_specificity"])
    row = rows["efficientnet", "sensitivity: lymphocyte"]
    assert (row["low"], row["high"], row["method"]) == (*wilson(5, 6), "Wilson")
    mean, row = drawn.score("macro F1", 2), rows["alexnet", "macro F1"]
    assert (row["value"], row["low"], row["high"]) == (mean.value, mean.low, mean.high)
    assert row["method"] == "stratified bootstrap"
    known = table.dropna()
    assert (known["low"] <= known["value"]).all()
    assert (known["value"] <= known["high"]).all()


def test_pairs_are_tested_and_their_p_adjusted_together() -> None:
    equal, second, third = pair_table(pairs_of()).to_dict("records")
    assert (equal["first"], equal["second"]) == ("resnet", "efficientnet")
    assert (equal["difference"], equal["only_first_correct"], equal["only_second_correct"]) == (0, 1, 1)
    assert (equal["p"], equal["p_holm"], equal["verdict"]) == (1, 1, "no difference shown")
    assert pair_table(pairs_of())["cells_needed"].isna().tolist() == [True, False, False]
    assert (second["first"], second["second"]) == ("resnet", "alexnet")
    assert (second["only_first_correct"], second["only_second_correct"]) == (10, 0)
    assert second["difference"] == pytest.approx(-0.5)
    assert (second["p"], second["p_holm"]) == pytest.approx((2 / 2**10, 3 * 2 / 2**10))
    assert (second["verdict"], second["cells_needed"]) == ("resnet better than alexnet", 18)  # at 5 % / 3
    assert second["low"] < -0.5 < second["high"] < 0
    assert (third["first"], third["second"]) == ("efficientnet", "alexnet")
    assert (third["p"], third["p_holm"]) == pytest.approx((2 * 13 / 2**12, 2 * 2 * 13 / 2**12))


def test_the_verdict_follows_holm_s_correction() -> None:
    first, second = twenty_cells("1" * 13 + "0" * 7), twenty_cells("1" * 20)
    assert pairs_of({"a": first, "b": second})[0].better == "b"  # p = 0.016
    together = pairs_of({"a": first, "b": second, "c": second, "d": first, "e": second})
    assert together[0].paired.p < 0.05 < together[0].p_holm  # six of the ten pairs differ like this
    assert [pair.better for pair in together] == [None] * 10


def test_the_better_model_is_named_whichever_comes_first() -> None:
    (reverse,) = pairs_of({"alexnet": MODELS["alexnet"], "resnet": MODELS["resnet"]})
    assert reverse.verdict == "resnet better than alexnet"
    assert reverse.paired.difference == pytest.approx(0.5)


def test_models_that_are_correct_on_the_same_cells_are_not_different() -> None:
    (same,) = pairs_of({"a": MODELS["resnet"], "b": MODELS["resnet"]})
    assert (same.better, same.cells_needed, same.p_holm) == (None, None, 1)


def test_a_tiny_p_is_not_0() -> None:
    many = pairs_of({"a": twenty_cells("0" * 40), "b": twenty_cells("1" * 40)})
    assert 0 < pair_table(many)["p"][0] < 1e-10


def test_differences_of_all_scores_are_second_minus_first() -> None:
    table = difference_table(pairs_of())
    assert table["score"].tolist() == ["accuracy", "mean sensitivity", "mean specificity", "macro F1"] * 3
    value = interval_table(MODELS, resample(MODELS, 100, 1)).set_index(["model", "score"])["value"]
    for row in table.to_dict("records"):
        expected = value[row["second"], row["score"]] - value[row["first"], row["score"]]
        assert row["difference"] == pytest.approx(expected)
        assert row["low"] <= row["difference"] <= row["high"]
        assert (row["verdict"] == "") == np.isnan(row["p"]) == (row["score"] != "accuracy")
    shared = ["first", "second", "difference", "low", "high", "p", "p_holm", "verdict"]
    accuracy = table[table["score"] == "accuracy"].reset_index(drop=True)
    assert accuracy[shared].equals(pair_table(pairs_of())[shared])  # the same numbers in both tables


# ---- groups

GROUPS = {f"{i}.jpg": f"patient {i // 4}" for i in range(20)}


def test_with_groups_the_scores_stay_and_the_intervals_and_tests_are_those_of_groups() -> None:
    drawn = resample(MODELS, 1000, 1, GROUPS)
    cells, groups = interval_table(MODELS, resample(MODELS, 1000, 1)), interval_table(MODELS, drawn, GROUPS)
    assert groups["value"].equals(cells["value"])
    assert cells["groups"].isna().all()
    by_score = groups[groups["model"] == "alexnet"].set_index("score")
    assert by_score["method"].value_counts().to_dict() == {"Wilson, clustered": 13, "cluster bootstrap": 3}
    assert by_score["groups"][["accuracy", "macro F1", "sensitivity: lymphocyte"]].tolist() == [5, 5, 2]
    expected = clustered_wilson([1, 0, 1, 4, 3], [4] * 5)
    assert (by_score["low"]["accuracy"], by_score["high"]["accuracy"]) == pytest.approx(expected)
    assert by_score["low"]["macro F1"] <= by_score["value"]["macro F1"] <= by_score["high"]["macro F1"]

    rows = pair_table(pairs(MODELS, drawn, GROUPS))
    assert rows["test"].tolist() == ["exact sign-flip test of groups"] * 3
    assert rows["groups"].tolist() == [5] * 3
    assert rows["only_first_correct"].tolist() == pair_table(pairs_of())["only_first_correct"].tolist()
    assert rows["p"][1] == 2 / 2**3  # of 3, 4 and 3 cells that only resnet gets right in three groups
    assert rows["cells_needed"][1] > pair_table(pairs_of())["cells_needed"][1]
    assert pair_table(pairs_of())["groups"].isna().all()


def test_with_groups_the_accuracy_of_each_entry_but_published_ones_has_their_interval() -> None:
    published = Entry("ResNet (report)", "published", 28, 35, 0.92, 0.94)
    models, groups = {"resnet": ten_cells(8)}, {f"{i}.jpg": f"{i // 2}" for i in range(10)}
    table = accuracy_table(compare(models, "neutrophil", [published], groups)).set_index("model")
    bounds = table[["accuracy_low", "accuracy_high"]].apply(tuple, axis=1)
    assert bounds["resnet"] == pytest.approx(clustered_wilson([2, 2, 2, 2, 0], [2] * 5))
    assert bounds["majority class"] == pytest.approx(clustered_wilson([2, 2, 2, 0, 0], [2] * 5))
    assert bounds["ResNet (report)"] == wilson(28, 35)


def test_one_model_has_intervals_and_no_pair() -> None:
    alone = {"resnet": MODELS["resnet"]}
    assert pairs_of(alone) == []
    assert len(interval_table(alone, resample(alone, 100, 1))) == 16
    assert list(pair_table([])) == list(pair_table(pairs_of()))
