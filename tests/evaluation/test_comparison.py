from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError
from bloodcells.evaluation.bootstrap import Estimate
from bloodcells.evaluation.comparison import (
    COLUMNS,
    DIFFERENCE_COLUMNS,
    INTERVAL_COLUMNS,
    ORIGINAL_REPORT,
    PAIR_COLUMNS,
    Pair,
    compare,
    difference_table,
    entry_lines,
    in_words,
    interval_lines,
    interval_table,
    pair_table,
    pairs,
    resample,
    table,
    too_sure,
)
from bloodcells.evaluation.intervals import wilson
from bloodcells.evaluation.metrics import class_scores, confusion, mean_specificity
from bloodcells.inference.predictions import Predictions, predictions


def made_up(right: int, cells: int = 10) -> Predictions:
    """Cells of which six are neutrophils (class 3) and the others eosinophils; the first `right` are right."""
    actual = np.array([3] * 6 + [0] * (cells - 6))
    said = np.where(np.arange(cells) < right, actual, 3 - actual)
    return predictions([f"{i}.jpg" for i in range(cells)], np.arange(cells) % 2, actual, np.eye(4)[said])


def test_entries_are_models_then_the_largest_class_then_the_report() -> None:
    entries = compare({"resnet": made_up(9), "alexnet": made_up(5)}, "neutrophil")
    assert [entry.name for entry in entries[:3]] == ["resnet", "alexnet", "largest class"]
    assert [(entry.right, entry.cells) for entry in entries[:3]] == [(9, 10), (5, 10), (6, 10)]
    assert entries[2].mean_sensitivity == 0.5
    assert entries[3:] == list(ORIGINAL_REPORT)


def test_the_largest_class_is_the_one_that_is_named() -> None:
    assert compare({"resnet": made_up(9)}, "eosinophil")[1].right == 4


def test_the_report_s_figures_are_those_it_printed() -> None:
    printed = {entry.name: (entry.right, entry.cells, round(entry.accuracy, 3)) for entry in ORIGINAL_REPORT}
    assert printed == {
        "original report: ResNet": (28, 35, 0.8),
        "original report: EfficientNet": (32, 35, 0.914),
        "original report: AlexNet": (6, 35, 0.171),
    }


def test_table_has_the_shares_with_four_digits() -> None:
    row = dict(zip(COLUMNS, table(compare({"resnet": made_up(9)}, "neutrophil"))[0], strict=True))
    assert row == {
        "model": "resnet",
        "accuracy": 0.9,
        "accuracy_low": 0.5958,
        "accuracy_high": 0.9821,
        "mean_sensitivity": 0.875,
        "mean_specificity": 0.9375,
        "cells": 10,
        "right": 9,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": ("x.jpg", *(f"{i}.jpg" for i in range(1, 10)))}, "0.jpg .*alexnet did not test it"),
        ({"folds": np.zeros(10, np.int64)}, "resnet tested it in fold 1 as .*alexnet tested it in fold 0"),
        ({"actual": np.zeros(10, np.int64)}, "as neutrophil, alexnet tested it in fold 0 as eosinophil"),
    ],
)
def test_models_tested_on_other_cells_are_refused(change: dict[str, object], message: str) -> None:
    other = replace(made_up(8), **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        compare({"resnet": made_up(9), "alexnet": other}, "neutrophil")


def test_the_order_of_the_cells_does_not_matter() -> None:
    p = made_up(8)
    turned = Predictions(p.images[::-1], p.folds[::-1], p.actual[::-1], p.predicted[::-1], p.probabilities[::-1])
    assert compare({"resnet": made_up(9), "alexnet": turned}, "neutrophil")[1].right == 8


def test_markdown_reads_as_plain_text_too() -> None:
    lines = entry_lines(compare({"resnet": made_up(9), "efficientnet": made_up(10)}, "neutrophil")).splitlines()
    assert len({len(line) for line in lines}) == 1  # columns stand below each other
    assert len(lines[0]) <= 80
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == [
        "resnet",
        "9 of 10",
        "0.900 (0.596 to 0.982)",
        "0.875",
        "0.938",
    ]
    assert "0.92" in lines[-3]  # the report's own two digits, and no more
    assert "0.920" not in lines[-3]


def answers(right: str) -> Predictions:
    """A model of eight neutrophils, six eosinophils and as many lymphocytes as remain; right where marked 1."""
    actual = np.array([3] * 8 + [0] * 6 + [1] * (len(right) - 14))
    said = np.where([mark == "1" for mark in right], actual, 2)
    return predictions([f"{i}.jpg" for i in range(len(right))], np.zeros(len(right)), actual, np.eye(4)[said])


MODELS = {
    "resnet": answers("1" * 19 + "0"),
    "efficientnet": answers("1" * 18 + "01"),
    "alexnet": answers("1" + "0" * 10 + "1" * 8 + "0"),
}


def pairs_of(models: dict[str, Predictions] = MODELS) -> list[Pair]:
    return pairs(models, resample(models, resamples=1000, seed=1))


def test_proportions_have_wilson_s_intervals_and_means_the_bootstrap_s() -> None:
    drawn = resample(MODELS, 1000, 1)
    rows: list[dict[str, Any]] = [
        dict(zip(INTERVAL_COLUMNS, row, strict=True)) for row in interval_table(MODELS, drawn)
    ]
    of = {(row["model"], row["score"]): row for row in rows}
    assert len(of) == len(rows) == 3 * (1 + 3 * 4 + 3)
    for name, p in MODELS.items():
        matrix = confusion(p.actual, p.predicted, 4)
        for label, scores in zip(CLASSES, class_scores(matrix), strict=True):
            for score in ("sensitivity", "specificity", "precision"):
                expected = getattr(scores, score)
                row = of[name, f"{score}: {label}"]
                assert row["value"] == (None if expected is None else round(expected, 4))
                assert (row["low"] is None) == (expected is None)
        assert of[name, "mean specificity"]["value"] == round(mean_specificity(matrix), 4)
    low, high = wilson(5, 6)
    row = of["efficientnet", "sensitivity: lymphocyte"]
    assert (row["low"], row["high"], row["method"]) == (round(low, 4), round(high, 4), "Wilson")
    mean = drawn.score("macro F1", 2)
    row = of["alexnet", "macro F1"]
    assert (row["low"], row["high"], row["method"]) == (round(mean.low, 4), round(mean.high, 4), "stratified bootstrap")
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows if row["value"] is not None)


def test_pairs_are_tested_and_their_p_adjusted_together() -> None:
    rows: list[dict[str, Any]] = [dict(zip(PAIR_COLUMNS, row, strict=True)) for row in pair_table(pairs_of())]
    assert [(row["first"], row["second"]) for row in rows] == [
        ("resnet", "efficientnet"),
        ("resnet", "alexnet"),
        ("efficientnet", "alexnet"),
    ]
    assert rows[0] | {"low": 0, "high": 0} == {
        "first": "resnet",
        "second": "efficientnet",
        "difference": 0,
        "low": 0,
        "high": 0,
        "only_first_right": 1,
        "only_second_right": 1,
        "p": 1,
        "p_holm": 1,
        "verdict": "no difference shown",
        "cells_needed": None,
    }
    second = rows[1]
    assert (second["only_first_right"], second["only_second_right"], second["difference"]) == (10, 0, -0.5)
    assert (second["p"], second["p_holm"]) == (0.00195, 0.00586)  # 2 / 2 ** 10, times 3
    assert (second["verdict"], second["cells_needed"]) == ("resnet better than alexnet", 18)  # at 5 % / 3
    assert second["low"] < -0.5 < second["high"] < 0
    assert (rows[2]["p"], rows[2]["p_holm"]) == (0.00635, 0.0127)  # 2 * 13 / 2 ** 12, times 2


def test_holm_s_correction_decides_the_verdict() -> None:
    first, second = answers("1" * 13 + "0" * 7), answers("1" * 20)
    assert pairs_of({"a": first, "b": second})[0].better == "b"  # p = 0.016
    together = pairs_of({"a": first, "b": second, "c": second, "d": first, "e": second})
    assert together[0].paired.p < 0.05 < together[0].p_holm  # six of the ten pairs differ like this
    assert [pair.better for pair in together] == [None] * 10


def test_a_better_model_is_named_whichever_stands_first() -> None:
    turned = pairs_of({"alexnet": MODELS["alexnet"], "resnet": MODELS["resnet"]})[0]
    assert turned.verdict == "resnet better than alexnet"
    assert turned.paired.difference == pytest.approx(0.5)


def test_differences_of_all_scores_are_the_second_less_the_first() -> None:
    rows: list[dict[str, Any]] = [
        dict(zip(DIFFERENCE_COLUMNS, row, strict=True)) for row in difference_table(pairs_of())
    ]
    scores = ["accuracy", "mean sensitivity", "mean specificity", "macro F1"]
    assert [row["score"] for row in rows] == scores * 3
    value: dict[Any, Any] = {row[:2]: row[2] for row in interval_table(MODELS, resample(MODELS, 100, 1))}
    for row in rows:
        above = value[row["second"], row["score"]] - value[row["first"], row["score"]]
        assert row["difference"] == pytest.approx(above, abs=1e-4)
        assert row["low"] <= row["difference"] <= row["high"]
    for row, pair in zip(rows[::4], pair_table(pairs_of()), strict=True):
        assert (row["difference"], row["low"], row["high"]) == pair[2:5]  # one figure, wherever it stands


def test_words_say_who_is_ahead_and_what_it_takes() -> None:
    equal, better, _ = (" ".join(in_words(pair).split()) for pair in pairs_of())
    assert equal.startswith("- resnet and efficientnet: **no difference shown**. They are right equally often: 0.000")
    assert "Only efficientnet is right on 1 of the cells, only resnet on 1: p = 1, after Holm p = 1." in equal
    assert "takes about" not in equal
    of = pairs_of()[1].paired  # resnet stands first: turned, so that the one ahead is above
    assert better.startswith(
        f"- **resnet better than alexnet**. resnet is ahead by 0.500 ({-of.high:.3f} to {-of.low:.3f})"
    )
    assert -of.high < 0.5 < -of.low
    assert "Only resnet is right on 10 of the cells, only alexnet on 0: p = 0.00195, after Holm p = 0.00586." in better
    assert better.endswith("To show such a difference takes about 18 cells.")
    lines = [line for pair in pairs_of() for line in in_words(pair).splitlines()]
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith((" p", " ="))]


def test_words_of_models_that_are_right_on_the_same_cells() -> None:
    same = pairs_of({"a": MODELS["resnet"], "b": MODELS["resnet"]})[0]
    assert "They are right on the same cells" in " ".join(in_words(same).split())
    assert (same.better, same.cells_needed, same.p_holm) == (None, None, 1)


def test_a_tiny_p_is_not_called_none() -> None:
    many = pairs_of({"a": answers("0" * 40), "b": answers("1" * 40)})[0]
    assert "p < 0.0001" in in_words(many)
    assert 0 < pair_table([many])[0][7] < 1e-10  # type: ignore[operator]


def test_no_figure_is_minus_nothing() -> None:
    pair = pairs_of({"a": answers("1" * 20), "b": answers("1" * 19 + "0")})[0]
    assert pair.paired.high == 0  # in words, where a is ahead, its negative
    assert "-0.000" not in in_words(pair)
    tiny = {"accuracy": Estimate(-1e-6, -2e-5, -1e-7)}
    assert [str(cell) for cell in difference_table([replace(pair, differences=tiny)])[0][3:]] == ["0.0"] * 3


def test_models_that_are_right_on_all_or_none_of_a_class_are_named() -> None:
    assert too_sure(MODELS) == ["resnet", "efficientnet"]
    assert too_sure({"a": answers("0" * 8 + "01" * 6), "b": answers("01" * 10)}) == ["a"]


def test_means_stand_in_columns_with_their_intervals() -> None:
    drawn = resample(MODELS, 1000, 1)
    lines = interval_lines([*MODELS], drawn).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(lines) == 2 + 3 * 3
    of = drawn.score("mean sensitivity", 2)
    assert [cell.strip() for cell in lines[4].strip("|").split("|")] == [
        "",
        "alexnet",
        f"{of.value:.3f} ({of.low:.3f} to {of.high:.3f})",
    ]


def test_one_model_alone_has_intervals_and_no_pair() -> None:
    alone = {"resnet": MODELS["resnet"]}
    assert pairs_of(alone) == []
    assert len(interval_table(alone, resample(alone, 100, 1))) == 16
