import sys
from pathlib import Path

import numpy as np
import pytest

from bloodcells.core.files import write_csv
from bloodcells.evaluation.intervals import clustered_wilson
from bloodcells.inference.predictions import Predictions, write_predictions
from stages import compare
from tests.stages.prepared import PATHS
from tests.support import project, workplace
from tests.support.smallset import CLASSES
from tests.support.workplace import error_of, table

CELLS = [("neutrophil", 0), ("neutrophil", 1), ("eosinophil", 0), ("monocyte", 1), ("neutrophil", 1)]
MODELS = ("resnet", "alexnet")
CHARTS = [PATHS.chart(name) for name in ("accuracy", "differences", "class_scores", "roc", "curves")]
TABLES = [PATHS.table(name) for name in ("intervals", "pairs")]


def predict(model: str, correct: int, cells: list[tuple[str, int]] = CELLS) -> None:
    """Write predictions that are correct for the first cells, and lymphocyte for the others."""
    actual = np.array([CLASSES.index(label) for label, _ in cells])
    predicted = np.where(np.arange(len(cells)) < correct, actual, 1)
    images, folds = [f"{i}.jpg" for i in range(len(cells))], [fold for _, fold in cells]
    p = Predictions.from_probabilities(images, folds, actual, np.eye(4)[predicted], CLASSES)
    write_predictions(PATHS.predictions(model), p)


def write_cells(cells: list[tuple[str, int]], groups: str = "") -> None:
    """Write the kept cells; `groups` has a letter for each of the first ones."""
    rows = [(f"{i}.jpg", label, fold, groups[i : i + 1], f"{i}.jpg") for i, (label, fold) in enumerate(cells)]
    write_csv(PATHS.cells, ("image", "label", "fold", "group", "file"), rows)


def write_curves(model: str, fold: int) -> None:
    rows = [(epoch, split, 1 / epoch + fold, 0.5) for epoch in (1, 2) for split in ("train", "validation")]
    write_csv(PATHS.curves(model, fold), ("epoch", "split", "loss", "accuracy"), rows)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which everything before this stage has run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["compare"])
    workplace.configure(tmp_path, "rendered")
    change({"test_folds": [0, 1], "compare.resamples": 200, "models": dict.fromkeys(MODELS)})
    write_cells([*CELLS, ("eosinophil", 2)])
    for model, correct in zip(MODELS, (4, 2), strict=True):
        predict(model, correct)
        for fold in (0, 1):
            write_curves(model, fold)
    return tmp_path


def change(parameters: dict[str, object]) -> None:
    project.set_params(Path(), parameters)


def test_models_are_compared_with_the_majority_class() -> None:
    compare.main()
    rows = table(PATHS.chart("accuracy"))
    assert [(row["model"], row["kind"], row["correct"], row["cells"]) for row in rows] == [
        ("resnet", "model", "4", "5"),
        ("alexnet", "model", "2", "5"),
        ("majority class", "baseline", "3", "5"),
    ]
    assert (rows[0]["accuracy"], rows[0]["accuracy_low"], rows[0]["accuracy_high"]) == ("0.8", "0.375535", "0.963776")


def test_published_results_stand_beside_those_of_the_published_cells_only() -> None:
    result = {"model": "report", "correct": 28, "cells": 35, "mean_sensitivity": 0.92, "mean_specificity": 0.94}
    workplace.publish(results=[result])
    compare.main()
    published = [row for row in table(PATHS.chart("accuracy")) if row["kind"] == "published"]
    assert [(row["model"], row["correct"], row["cells"]) for row in published] == [("report", "28", "35")]
    workplace.publish(results=[result], fingerprint=f"{'0' * 32}.dir")
    compare.main()
    assert {row["kind"] for row in table(PATHS.chart("accuracy"))} == {"model", "baseline"}


def test_the_majority_class_is_that_of_all_kept_cells() -> None:
    """The tested cells alone would give another one."""
    write_cells([*CELLS, *[("eosinophil", 2)] * 3])
    compare.main()
    assert table(PATHS.chart("accuracy"))[2]["correct"] == "1"


def test_curves_of_all_models_and_folds_are_in_one_table() -> None:
    compare.main()
    rows = table(PATHS.chart("curves"))
    assert list(rows[0]) == ["model", "fold", "split", "epoch", "loss", "accuracy"]
    assert {(row["model"], row["fold"]) for row in rows} == {(model, fold) for model in MODELS for fold in "01"}
    assert len(rows) == 16
    assert [row["loss"] for row in rows if row["fold"] == "1" and row["epoch"] == "2"] == ["1.5"] * 4


def test_class_scores_and_roc_curves_of_all_models_are_in_one_table_each() -> None:
    compare.main()
    scores = table(PATHS.chart("class_scores"))
    assert [(row["model"], row["class"]) for row in scores] == [(model, name) for model in MODELS for name in CLASSES]
    lymphocyte = scores[1]
    assert (lymphocyte["sensitivity"], lymphocyte["specificity"], lymphocyte["support"]) == ("", "0.8", "0")
    roc = table(PATHS.chart("roc"))
    assert list(roc[0]) == ["model", "class", "fpr", "tpr"]
    assert {row["model"] for row in roc} == set(MODELS)


def test_intervals_and_pairs_have_tables() -> None:
    compare.main()
    (row,) = [row for row in table(PATHS.table("intervals")) if (row["model"], row["score"]) == ("alexnet", "accuracy")]
    assert row == {
        "model": "alexnet",
        "score": "accuracy",
        "value": "0.4",
        "low": "0.117621",
        "high": "0.769276",
        "method": "Wilson",
        "groups": "",
    }
    (pair,) = table(PATHS.table("pairs"))
    assert (pair["first"], pair["second"], pair["difference"]) == ("resnet", "alexnet", "-0.4")
    assert (pair["only_first_correct"], pair["only_second_correct"], pair["p"]) == ("2", "0", "0.5")
    assert (pair["verdict"], pair["cells_needed"]) == ("no difference shown", "18")
    assert (pair["test"], pair["groups"]) == ("exact McNemar test", "")
    assert [row["score"] for row in table(PATHS.chart("differences"))][:2] == ["accuracy", "mean sensitivity"]


def test_cells_of_patients_are_resampled_and_tested_together() -> None:
    write_cells([*CELLS, ("eosinophil", 2)], groups="aabbb")
    compare.main()
    rows = [row for row in table(PATHS.table("intervals")) if row["score"] in ("accuracy", "macro F1")]
    assert {(row["method"], row["groups"]) for row in rows} == {("Wilson, clustered", "2"), ("cluster bootstrap", "2")}
    accuracy = table(PATHS.chart("accuracy"))[1]
    low, high = clustered_wilson([2, 0], [2, 3])
    assert [float(accuracy[column]) for column in ("accuracy_low", "accuracy_high")] == pytest.approx(
        [low, high], abs=1e-6
    )
    (difference,) = [row for row in table(PATHS.chart("differences")) if row["score"] == "accuracy"]
    assert (difference["low"], difference["high"]) == ("-0.666667", "0.0")  # twice the second group, or the first
    assert [(row["image"], row["group"]) for row in table(PATHS.table("groups"))] == [
        *((f"{i}.jpg", "0" if i < 2 else "1") for i in range(5)),
        ("5.jpg", "2"),
    ]
    (pair,) = table(PATHS.table("pairs"))
    assert (pair["test"], pair["groups"], pair["p"]) == (
        "exact sign-flip test of groups",
        "2",
        "1.0",
    )  # one of two differs


def test_resamples_depend_on_the_seed_and_a_second_run_writes_the_same_bytes() -> None:
    predict("resnet", 23, CELLS * 6)
    predict("alexnet", 10, CELLS * 6)

    def written() -> list[bytes]:
        compare.main()
        return [path.read_bytes() for path in (*CHARTS, *TABLES)]

    first = written()
    assert written() == first
    change({"compare.seed": 2})
    second = written()
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, False, *[True] * 3, False, False]


def test_one_model_is_compared_with_none() -> None:
    change({"models": {"resnet": {}}})
    compare.main()
    assert table(PATHS.table("pairs")) == table(PATHS.chart("differences")) == []
    assert len(table(PATHS.chart("accuracy"))) == 2


def test_models_tested_on_other_cells_leave_no_table() -> None:
    predict("alexnet", 2, CELLS[:-1])
    assert "resnet and alexnet can't be compared" in error_of(compare.main)
    assert not [path for path in (*CHARTS, *TABLES) if path.exists()]


@pytest.mark.parametrize("path", [PATHS.curves("alexnet", 1), PATHS.predictions("alexnet"), PATHS.cells])
def test_a_missing_file_is_named(path: Path) -> None:
    path.unlink()
    assert f"{path} is missing" in error_of(compare.main)
