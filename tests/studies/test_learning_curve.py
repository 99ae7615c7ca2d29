"""`python -m studies.learning_curve` on made-up cells, whose class is their hue."""

import sys
from pathlib import Path

import numpy as np
import pytest

from studies import learning_curve
from bloodcells.core.classes import CLASSES
from bloodcells.core.files import read_csv
from bloodcells.core.parameters import read_params
from bloodcells.inference.predictions import predictions, write_predictions
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import STD, MEAN
from tests.project import set_params
from tests.stages.prepared import PARTS, SIZE, prepare
from tests.workplace import error_of

SPLIT = Path("artifacts", "rendered", "splits", "0.csv")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run on all cells that has the first three of 16 wrong."""
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, {"train.epochs": 8, "test_folds": [0]})
    actual = np.arange(PARTS["test"]) % 4
    chances = np.eye(4)[np.where(np.arange(len(actual)) < 3, (actual + 1) % 4, actual)]
    names = [f"test{number}.jpg" for number in range(len(actual))]
    path = Path("plots", "rendered", "predictions", "resnet.csv")
    write_predictions(path, predictions(names, np.zeros(len(names)), actual, chances))
    architecture, image = read_params().models["resnet"].architecture, read_params().image
    state = build(architecture, len(CLASSES), SIZE).state_dict()
    of_run = Checkpoint(architecture, CLASSES, image.frame, image.crop, SIZE, MEAN, STD, 1, state)
    of_run.save(Path("artifacts", "rendered", "models", "resnet", "0.ckpt"))
    return tmp_path


def test_a_share_is_trained_on_and_stands_beside_the_run(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["learning_curve", "resnet", "--shares", "0.5"])
    learning_curve.main()
    lines = capsys.readouterr().out.splitlines()
    half, whole = (next(line for line in lines if line.startswith(f"| {share} ")) for share in ("0.5", "1"))
    assert [cell.strip() for cell in whole.split("|")][2:5] == ["40", "13 of 16", "0.812 (0.570 to 0.934)"]
    cells, right = half.split("|")[2:4]
    assert cells.strip() == "20"
    assert int(right.split()[0]) >= 12  # by chance 4: the hue of a class is soon learned
    assert "cells that are wrong with all cells are wrong with each share" in " ".join(lines)


def test_a_smaller_share_is_part_of_a_larger_one_and_balanced_anew(place: Path) -> None:
    params = read_params()
    rows = read_csv(SPLIT, ("image", "label", "part"))
    few = [row for row in rows if row["part"] != "train" or row["label"] != CLASSES[1]]
    few += [row for row in rows if row["part"] == "train" and row["label"] == CLASSES[1]][:2]
    half, quarter = (learning_curve.thinned(few, share, params, 0) for share in (0.5, 0.25))
    assert learning_curve.different(quarter) < learning_curve.different(half) < learning_curve.different(few)
    assert [row for row in half if row["part"] != "train"] == [row for row in few if row["part"] != "train"]
    rare = [row["image"] for row in half if row["part"] == "train" and row["label"] == CLASSES[1]]
    assert (len(set(rare)), len(rare)) == (
        1,
        4,
    )  # of two cells one, repeated up to 0.8 of the five of the largest class


def test_what_it_can_t_work_with_is_told(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["learning_curve", "resnet"])
    path = Path("plots", "rendered", "predictions", "resnet.csv")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]))
    assert "resnet has no predictions of 2 cells of these folds: run `dvc repro`" in error_of(learning_curve.main)
    set_params(place, {"test_folds": [0, 1]})
    assert "1.csv is missing" in error_of(learning_curve.main)
    monkeypatch.setattr(sys, "argv", ["learning_curve", "resnet", "--shares", "1.5"])
    with pytest.raises(SystemExit):
        learning_curve.main()
    assert "1.5 is no share between 0 and 1" in capsys.readouterr().err
