"""The stage on files that earlier stages left, with faults planted in them."""

import csv
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageChops

from bloodcells.core.classes import CLASSES
from bloodcells.core.files import write_csv
from bloodcells.core.geometry import Box
from bloodcells.core.pixels import PixelWriter, open_pixels
from bloodcells.inference.predictions import predictions, write_predictions
from bloodcells.inference.probabilities import predict
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import STD, MEAN
from bloodcells.training.augmentation import Augmentation, augment
from stages import checks, clean
from tests import workplace
from tests.workplace import PUBLISHED, error_of, table

SIZE = 64
ARTIFACTS, PLOTS = Path("artifacts", "rendered"), Path("plots", "rendered")
CHECKPOINT = ARTIFACTS / "models" / "resnet" / "0.ckpt"


def held_out() -> tuple[list[str], list[int], list[int]]:
    """Give image, fold and class of every tested cell."""
    rows = table(ARTIFACTS / "cells.csv")
    return (
        [row["image"] for row in rows],
        [int(row["fold"]) for row in rows],
        [CLASSES.index(row["label"]) for row in rows],
    )


def tell(see: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = lambda pixels: pixels) -> None:
    """Write the predictions of the checkpoint for what it sees of the tested cells."""
    images, folds, actual = held_out()
    checkpoint = Checkpoint.load(CHECKPOINT)
    seen = see(open_pixels(ARTIFACTS / "pixels").take(images))
    p = predictions(images, folds, actual, predict(checkpoint.network(), seen, checkpoint))
    write_predictions(PLOTS / "predictions" / "resnet.csv", p)
    validated = [
        (row["image"], fold, CLASSES.index(row["label"]))
        for fold in range(5)
        for row in table(ARTIFACTS / "splits" / f"{fold}.csv")
        if row["part"] == "validation"
    ]
    of, in_fold, label = zip(*validated, strict=True)
    validation = predictions(of, in_fold, label, np.full((len(validated), 4), 0.25))
    write_predictions(PLOTS / "validation" / "resnet.csv", validation)


def network() -> Checkpoint:
    """Make a network whose probabilities are far apart, as those of a trained one are."""
    state = dict(build("squeezenet1_1", len(CLASSES), SIZE, seed=3).state_dict())
    state["classifier.1.weight"] = state["classifier.1.weight"] * 30
    return Checkpoint("squeezenet1_1", CLASSES, "cell", 256, SIZE, MEAN, STD, 1, state)


@pytest.fixture(scope="module")
def ran(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything before this stage has run."""
    folder = workplace.make(
        tmp_path_factory.mktemp("ran"), raw, folds=[0, 1, 2, 3, 4], evaluate__views=1, image__side=SIZE
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        text = Path("params.yaml").read_text()
        Path("params.yaml").write_text(text[: text.index("  efficientnet:")])  # one model is enough
        clean.main()
        images = [row["image"] for row in table(ARTIFACTS / "cells.csv")]
        (ARTIFACTS / "pixels").mkdir()
        writer = PixelWriter(ARTIFACTS / "pixels", len(images), SIZE)
        rng = np.random.default_rng(0)
        for image in images:
            writer.add(
                image, (640, 480), 30.0, Box(0, 0, SIZE, SIZE), rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
            )
        writer.close()
        for fold in range(5):  # one network for all, which is quicker and no matter here
            network().save(CHECKPOINT.with_stem(str(fold)))
        tell()
    return folder


@pytest.fixture
def place(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ran, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def verdicts() -> dict[str, str]:
    with (PLOTS / "checks.csv").open(newline="") as file:
        return {row["what"]: row["holds"] for row in csv.DictReader(file)}


def test_a_run_without_fault_leaves_its_figures(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checks.main()
    assert "all 19 hold" in capsys.readouterr().out
    assert set(verdicts().values()) == {"holds", ""}
    page = (PLOTS / "checks.md").read_text()
    assert page.startswith("# Checks on `rendered`: all 19 hold\n")
    assert "nan" not in page
    assert max(map(len, page.splitlines())) <= 80
    first = page, (PLOTS / "checks.csv").read_bytes()
    checks.main()
    assert ((PLOTS / "checks.md").read_text(), (PLOTS / "checks.csv").read_bytes()) == first


def rewrite_split(change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
    rows = change(table(ARTIFACTS / "splits" / "0.csv"))
    write_csv(ARTIFACTS / "splits" / "0.csv", ("image", "label", "part"), ([*row.values()] for row in rows))


def train_on_a_tested_cell() -> None:
    rewrite_split(lambda rows: [*rows, next(row for row in rows if row["part"] == "test") | {"part": "train"}])


def photograph_a_tested_cell_again() -> None:
    """Let an image of training show the part of a smear that a tested one shows, moved by a fifth."""
    rows = table(ARTIFACTS / "splits" / "0.csv")
    one, other = (next(row["image"] for row in rows if row["part"] == part) for part in ("test", "train"))
    images = ARTIFACTS / "raw" / "JPEGImages"
    with Image.open(images / one) as smear:
        ImageChops.offset(smear, 128, 0).save(images / other)


def shaken_while_tested() -> None:
    """A fault of the original report: random augmentation in the test."""
    strength, generator = Augmentation(180, 0.15, 0.12, 0.1), torch.Generator().manual_seed(0)

    def shaken(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        changed = augment(torch.from_numpy(pixels), strength, generator)
        return np.ascontiguousarray(changed.permute(0, 2, 3, 1).clip(0, 255).byte().numpy())

    tell(shaken)


def permute_the_checkpoint_s_names() -> None:
    checkpoint = Checkpoint.load(CHECKPOINT)
    dataclasses.replace(checkpoint, classes=CLASSES[1:] + CLASSES[:1]).save(CHECKPOINT)


def permute_the_table_s_names() -> None:
    """Let a network that is always right be told under permuted names: the original report's fault."""
    images, folds, actual = held_out()
    chances = np.full((len(images), 4), 0.01)
    chances[np.arange(len(images)), (np.array(actual) + 1) % 4] = 0.97
    write_predictions(PLOTS / "predictions" / "resnet.csv", predictions(images, folds, actual, chances))


def predict_other_cells() -> None:
    path = PLOTS / "predictions" / "resnet.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


def fit_on_tested_cells() -> None:
    """Let what temperature and threshold are fitted on be what they are tested on."""
    shutil.copyfile(PLOTS / "predictions" / "resnet.csv", PLOTS / "validation" / "resnet.csv")


def lose_a_row() -> None:
    path = PLOTS / "dropped.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


@pytest.mark.parametrize(
    ("fault", "fails"),
    [
        (train_on_a_tested_cell, "images on two sides of a split"),
        (photograph_a_tested_cell_again, "near-duplicate pairs on two sides of a split"),
        (shaken_while_tested, "resnet: largest change when computed again"),
        (permute_the_checkpoint_s_names, "checkpoints with classes in another order"),
        (permute_the_table_s_names, "resnet: gain by other class names"),
        (predict_other_cells, "predictions that don't fit the test parts"),
        (fit_on_tested_cells, "predictions that don't fit the validation parts"),
        (lose_a_row, "rows of the label table neither kept nor dropped"),
    ],
)
def test_a_fault_ends_the_stage_after_its_report(place: Path, fault: Callable[[], None], fails: str) -> None:
    fault()
    message = error_of(checks.main)
    assert str(PLOTS / "checks.md") in message
    assert verdicts()[fails] == "FAILS"
    page = (PLOTS / "checks.md").read_text()
    assert " fail (" in page.splitlines()[0]
    assert [line for line in page.splitlines() if fails in line and "FAILS" in line]


def test_a_share_left_out_other_than_the_parameter_s_is_caught(place: Path) -> None:
    """A fault of the original report: its text says 10 % of the neutrophils, its code left out 20 %."""
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("neutrophil: 0.1", "neutrophil: 0.6"))
    assert "share of neutrophil left out of training" in error_of(checks.main)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the real set is not here")
def test_the_published_files_are_known_and_others_told_from_them(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace.ROOT)
    assert checks.published(PUBLISHED)
    assert not checks.published(ran / ARTIFACTS / "raw")
