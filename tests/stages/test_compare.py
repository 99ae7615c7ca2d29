import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from bloodcells.errors import InputError
from bloodcells.files import write_csv
from bloodcells.labels import CLASSES
from bloodcells.scores import predictions, write_predictions
from stages import compare

PARAMS = Path(__file__).parents[2] / "params.yaml"
CELLS = [("neutrophil", 0), ("neutrophil", 1), ("eosinophil", 0), ("monocyte", 1), ("neutrophil", 1)]


def predict(model: str, right: int, cells: list[tuple[str, int]] = CELLS) -> None:
    """Let a model be right for the first cells, and say lymphocyte for the others."""
    actual = np.array([CLASSES.index(label) for label, _ in cells])
    said = np.where(np.arange(len(cells)) < right, actual, 1)
    p = predictions([f"{i}.jpg" for i in range(len(cells))], [fold for _, fold in cells], actual, np.eye(4)[said])
    write_predictions(Path("plots", "rendered", "predictions", f"{model}.csv"), p)


def learn(model: str, fold: int) -> None:
    rows = [(epoch, split, 1 / epoch + fold, 0.5) for epoch in (1, 2) for split in ("train", "validation")]
    path = Path("artifacts", "rendered", "curves", model, str(fold), "curves.csv")
    write_csv(path, ("epoch", "split", "loss", "accuracy"), rows)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which everything before this stage has run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["compare"])
    params = yaml.safe_load(PARAMS.read_text())
    params |= {"dataset": "rendered", "folds": [0, 1]}
    params["models"] = dict.fromkeys(("resnet", "alexnet"), params["models"]["resnet"])
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    kept = [*CELLS, ("eosinophil", 2)]
    rows = [(f"{i}.jpg", label, fold) for i, (label, fold) in enumerate(kept)]
    write_csv(Path("artifacts", "rendered", "cells.csv"), ("image", "label", "fold"), rows)
    for model, right in (("resnet", 4), ("alexnet", 2)):
        predict(model, right)
        learn(model, 0)
        learn(model, 1)
    return tmp_path


def rows_of(name: str) -> list[dict[str, str]]:
    with Path("plots", "rendered", name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_models_stand_beside_the_largest_class_and_the_report(project: Path) -> None:
    compare.main()
    rows = rows_of("comparison.csv")
    assert [(row["model"], row["right"], row["cells"]) for row in rows[:3]] == [
        ("resnet", "4", "5"),
        ("alexnet", "2", "5"),
        ("largest class", "3", "5"),
    ]
    assert [row["model"] for row in rows[3:]] == [
        f"original report: {m}" for m in ("ResNet", "EfficientNet", "AlexNet")
    ]
    with Image.open("plots/rendered/comparison.png") as picture:
        assert picture.width > 800


def test_curves_of_all_models_and_folds_are_in_one_table(project: Path) -> None:
    compare.main()
    rows = rows_of("curves.csv")
    assert list(rows[0]) == ["model", "fold", "split", "epoch", "loss", "accuracy"]
    assert {(row["model"], row["fold"]) for row in rows} == {(m, f) for m in ("resnet", "alexnet") for f in "01"}
    assert len(rows) == 16
    assert [row["loss"] for row in rows if row["fold"] == "1" and row["epoch"] == "2"] == ["1.5"] * 4


def test_the_page_is_printed_and_says_what_a_reader_must_know(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare.main()
    page = Path("plots", "rendered", "comparison.md").read_text()
    printed = capsys.readouterr().out
    assert printed.startswith(page)
    for said in ("resnet", "5 of the 6 kept cells", "folds 0, 1", "every cell neutrophil", "drawn by the project"):
        assert said in page
    assert "dvc metrics show" in printed
    assert max(len(line) for line in printed.splitlines()) <= 104


def test_show_prints_what_was_written_and_does_nothing_else(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compare.main()
    first = capsys.readouterr().out
    Path("plots", "rendered", "comparison.csv").unlink()
    monkeypatch.setattr(sys, "argv", ["compare", "--show"])
    compare.main()
    assert capsys.readouterr().out == first
    assert not Path("plots", "rendered", "comparison.csv").exists()


def test_show_before_anything_ran(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["compare", "--show"])
    with pytest.raises(InputError, match=r"comparison\.md is missing"):
        compare.main()


def test_models_tested_on_other_cells_leave_no_table(project: Path) -> None:
    predict("alexnet", 2, CELLS[:-1])
    with pytest.raises(InputError, match=r"resnet and alexnet can't be compared"):
        compare.main()
    assert not Path("plots", "rendered", "comparison.csv").exists()


def test_a_model_without_predictions_and_a_fold_without_curves_are_named(project: Path) -> None:
    Path("artifacts", "rendered", "curves", "alexnet", "1", "curves.csv").unlink()
    with pytest.raises(InputError, match=r"alexnet/1/curves\.csv is missing"):
        compare.main()
    Path("plots", "rendered", "predictions", "alexnet.csv").unlink()
    with pytest.raises(InputError, match=r"predictions/alexnet\.csv is missing"):
        compare.main()
