from dataclasses import replace

import numpy as np
import pytest

from bloodcells.comparison import COLUMNS, ORIGINAL_REPORT, compare, markdown, table
from bloodcells.errors import InputError
from bloodcells.scores import Predictions, predictions


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
    lines = markdown(compare({"resnet": made_up(9), "efficientnet": made_up(10)}, "neutrophil")).splitlines()
    assert len({len(line) for line in lines}) == 1  # columns stand below each other
    assert len(lines[0]) <= 100
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == [
        "resnet",
        "9 of 10",
        "0.900",
        "0.596 to 0.982",
        "0.875",
        "0.938",
    ]
    assert "0.92" in lines[-3]  # the report's own two digits, and no more
    assert "0.920" not in lines[-3]
