import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv
from bloodcells.inference.predictions import predictions, write_predictions
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
    params |= {"dataset": "rendered", "test_folds": [0, 1], "compare": {"resamples": 200, "seed": 1}}
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
    flowing = " ".join(page.split())
    for said in ("resnet", "5 of the 6 kept cells", "folds 0, 1", "every cell neutrophil", "drawn by the project"):
        assert said in flowing
    assert "200 bootstrap resamples" in flowing
    assert "resnet and alexnet: **no difference shown**. resnet is ahead by 0.400" in flowing
    assert "Too narrow for resnet, alexnet: right on all cells of some class" in flowing
    assert "dvc metrics show" in printed
    assert max(len(line) for line in printed.splitlines()) <= 80


def test_intervals_and_pairs_are_tables_of_their_own(project: Path) -> None:
    compare.main()
    row = next(row for row in rows_of("intervals.csv") if (row["model"], row["score"]) == ("alexnet", "accuracy"))
    assert row == {
        "model": "alexnet",
        "score": "accuracy",
        "value": "0.4",
        "low": "0.1176",
        "high": "0.7693",
        "method": "Wilson",
    }
    (pair,) = rows_of("pairs.csv")
    assert (pair["first"], pair["second"], pair["difference"]) == ("resnet", "alexnet", "-0.4")
    assert (pair["only_first_right"], pair["only_second_right"], pair["p"]) == ("2", "0", "0.5")
    assert (pair["verdict"], pair["cells_needed"]) == ("no difference shown", "18")
    assert [row["score"] for row in rows_of("differences.csv")][:2] == ["accuracy", "mean sensitivity"]
    with Image.open("plots/rendered/differences.png") as picture:
        assert picture.width > 800


def test_the_seed_decides_the_resamples_and_a_second_run_writes_the_very_same(project: Path) -> None:
    predict("resnet", 23, CELLS * 6)
    predict("alexnet", 10, CELLS * 6)
    names = ("comparison.md", "intervals.csv", "pairs.csv", "differences.csv")

    def written() -> list[bytes]:
        compare.main()
        return [Path("plots", "rendered", name).read_bytes() for name in names]

    first = written()
    assert written() == first
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["compare"]["seed"] = 2
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    assert written()[1] != first[1]


def test_one_model_alone_is_compared_with_none(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    del params["models"]["alexnet"]
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    compare.main()
    assert rows_of("pairs.csv") == rows_of("differences.csv") == []
    assert "Which model is better" not in capsys.readouterr().out
    assert Path("plots", "rendered", "differences.png").is_file()


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
