"""`python -m studies.original_report` on a small synthetic set, after a run with untrained networks."""

import dataclasses
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bloodcells.core.files import read_csv, write_csv
from bloodcells.core.prepared_cells import open_pixels
from bloodcells.inference.probabilities import predict
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.reporting.markdown import WIDTH
from bloodcells.training.fold_training import FoldTraining
from stages import clean, prepare
from studies.original_report import __main__ as study
from studies.original_report.figures import ORIGINAL, PROPOSED, Figure
from tests.stages.prepared import SIZE, TINY, untrained
from tests.support import project, workplace
from tests.support.smallset import CLASSES
from tests.support.workplace import PATHS, error_of, table

RESULTS = Path("studies", "results", "original_report", "rendered")
KEPT = PATHS.artifacts / "original_report" / "resnet"
FOLDS = (0, 1)


@pytest.fixture(scope="module")
def finished(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the study has run once."""
    folder = tmp_path_factory.mktemp("study")
    changes = {
        "clean.n_splits": 3,
        "clean.validation": 0.34,
        "test_folds": [*FOLDS],
        "image.side": SIZE,
        "train.epochs": 2,
        "train.batch_size": 8,
        "train.devices": 2,  # the study trains in one process all the same
        "train.augment.color": 0.9,
        "train.augment.shift": 0.9,
        "evaluate.tta": 8,
        "compare.resamples": 300,
        "models.resnet.architecture": TINY,
    }
    workplace.make(folder, raw)
    project.set_params(folder, changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in (clean, prepare):
            patch.setattr(sys, "argv", ["stage"])
            stage.main()
        for fold in FOLDS:
            untrained(fold).save(PATHS.checkpoint("resnet", fold))
    command = (sys.executable, "-m", "studies.original_report", "resnet")
    printed = project.done(*command, cwd=folder, PYTHONPATH=str(project.ROOT))
    assert printed == (folder / RESULTS / "report.md").read_text()
    return folder


@pytest.fixture
def place(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder to work in."""
    folder = tmp_path / "study"
    shutil.copytree(finished, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["original_report", "resnet"])
    return folder


def no_training(*arguments: object) -> None:
    raise AssertionError("it trains")


def rows_of(predictions: pd.DataFrame, protocol: str, part: str, fold: int) -> pd.DataFrame:
    return predictions.query(f"protocol == '{protocol}' and part == '{part}' and fold == {fold}")


def checkpoint_of(folder: Path, protocol: str, fold: int) -> Checkpoint:
    if protocol == PROPOSED:
        return Checkpoint.load(folder / PATHS.checkpoint("resnet", fold))
    (path,) = (folder / KEPT).glob(f"{fold}-*.ckpt")
    return Checkpoint.load(path)


def test_each_row_is_predicted_by_the_network_of_its_protocol_and_fold(finished: Path) -> None:
    predictions = pd.read_csv(finished / RESULTS / "predictions.csv")
    pixels, labels = open_pixels(finished / PATHS.pixels), pd.read_csv(finished / PATHS.cells, index_col="image")
    for protocol in (ORIGINAL, PROPOSED):
        for fold in FOLDS:
            checkpoint = checkpoint_of(finished, protocol, fold)
            for part in ("validation", "test"):
                rows = rows_of(predictions, protocol, part, fold)
                images = rows["image"].tolist()
                for column, tta in (("unchanged", 1), ("tta", 8)):
                    expected = predict(checkpoint.network(), pixels.take(images), checkpoint, tta).argmax(axis=1)
                    assert rows[column].tolist() == [CLASSES[label] for label in expected]
                assert rows["actual"].tolist() == labels.loc[images, "label"].tolist()
                assert set(rows["perturbed"].str.len()) == {study.DRAWS}


def test_copies_are_in_training_under_the_original_protocol_only_and_both_test_the_same_cells(finished: Path) -> None:
    predictions = pd.read_csv(finished / RESULTS / "predictions.csv")
    in_training = predictions.groupby(["protocol", "part"])["in_training"].sum()
    assert in_training[ORIGINAL, "validation"] > 3
    assert in_training.sum() == in_training[ORIGINAL, "validation"]
    for fold in FOLDS:
        own = [row["image"] for row in table(finished / PATHS.split(fold)) if row["part"] == "test"]
        for protocol in (ORIGINAL, PROPOSED):
            assert sorted(rows_of(predictions, protocol, "test", fold)["image"]) == sorted(own)


def test_the_tables_hold_every_figure_and_the_report_reads_well(finished: Path) -> None:
    rows = read_csv(finished / RESULTS / "figures.csv", Figure._fields)
    figures = {row["figure"]: row for row in rows}
    assert len(figures) == len(rows)
    text = (finished / RESULTS / "report.md").read_text()
    assert max(len(line) for line in text.splitlines() if not line.startswith(("|", "#"))) <= WIDTH
    page = " ".join(text.split())
    for expected in (
        "`resnet` on `rendered`",
        f"the same {figures['original: test accuracy']['n']} cells (folds 0, 1)",
        "300 bootstrap resamples",
        f"{float(figures['original: optimism']['value']):.3f} (",
        f"{float(figures['prediction instability']['value']):.3f} (",
        "of the proposed protocol's 0 %",
        "| monocyte | ",
    ):
        assert expected in page, expected
    assert not re.search(r"\bnan\b|None|\[|\{", page)


def test_a_second_call_trains_nothing_and_writes_the_same_bytes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len([*KEPT.iterdir()]) == len(FOLDS)
    assert not [*(PATHS.artifacts / "unfinished").iterdir()]
    before = {path: path.read_bytes() for path in RESULTS.iterdir()}
    shutil.rmtree(RESULTS)
    monkeypatch.setattr(FoldTraining, "run", no_training)
    study.main()
    assert {path: path.read_bytes() for path in RESULTS.iterdir()} == before


def test_changed_parameters_train_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FoldTraining, "run", no_training)
    project.set_params(place, {"train.seed": 2})
    with pytest.raises(AssertionError, match="it trains"):
        study.main()


def test_near_duplicates_that_folds_separate_are_counted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell becomes a second photograph of one that another fold tests."""
    before = pd.read_csv(RESULTS / "near_duplicates.csv")
    assert before["folds"].value_counts().to_dict() == {"grouped": 1, "ungrouped": study.SEEDS}
    assert before["n_leaked"][0] == 0
    lymphocytes = [row for row in table(PATHS.cells) if row["label"] == "lymphocyte"]
    first, second = (next(row["image"] for row in lymphocytes if row["fold"] == str(fold)) for fold in FOLDS)
    shutil.copyfile(workplace.IMAGE_FOLDER / first, workplace.IMAGE_FOLDER / "again.jpg")
    rows = [row | ({"file": "again.jpg"} if row["image"] == second else {}) for row in table(PATHS.cells)]
    write_csv(PATHS.cells, [*rows[0]], [[*row.values()] for row in rows])
    study.main()
    more = pd.read_csv(RESULTS / "near_duplicates.csv")["n_leaked"] - before["n_leaked"]
    assert more[0] > 0
    assert np.isin(more, (0, 1, 2)).all()
    assert more[1:].max() == 2  # each is tested by a network that was trained on the other


def test_errors_name_the_file_and_the_remedy(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, right = PATHS.checkpoint("resnet", 1), untrained()
    dataclasses.replace(right, classes=CLASSES[::-1]).save(path)
    assert f"{path} has its logits in the order" in error_of(study.main)
    dataclasses.replace(right, crop=128).save(path)
    assert f"{path} was trained on another input" in error_of(study.main)
    path.unlink()
    assert f"{path} is missing" in error_of(study.main)
    PATHS.cells.unlink()
    assert "cells.csv is missing: run `dvc repro`" in error_of(study.main)
    monkeypatch.setattr(sys, "argv", ["original_report", "resnot"])
    assert "no model 'resnot' under `models:`" in error_of(study.main)
