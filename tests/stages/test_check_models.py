"""The stage on the files that the stages before it leave, with faults planted in them."""

import dataclasses
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray

from bloodcells.core.geometry import Box
from bloodcells.core.prepared_cells import PixelWriter, open_pixels
from bloodcells.inference.predictions import Predictions, write_predictions
from bloodcells.inference.probabilities import predict
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.training.augmentation import Augmentation, augment
from stages import check_models, clean
from tests.stages.prepared import PATHS, SIZE, untrained
from tests.support import workplace
from tests.support.project import set_params
from tests.support.smallset import CLASSES
from tests.support.workplace import error_of, table

CHECKPOINT, CHECKS = PATHS.checkpoint("resnet", 0), PATHS.checks("models")
FOLDS = range(5)

Pixels = NDArray[np.uint8]


def all_cells() -> tuple[list[str], list[int], list[int]]:
    """Return image, fold and class of each cell; all folds are tested."""
    rows = table(PATHS.cells)
    return (
        [row["image"] for row in rows],
        [int(row["fold"]) for row in rows],
        [CLASSES.index(row["label"]) for row in rows],
    )


def write_test_predictions(change: Callable[[Pixels], Pixels] = lambda pixels: pixels) -> None:
    """Write what the checkpoint predicts for the tested cells, as `change` shows them."""
    images, folds, actual = all_cells()
    checkpoint = Checkpoint.load(CHECKPOINT)
    shown = change(open_pixels(PATHS.pixels).take(images))
    probabilities = predict(checkpoint.network(), shown, checkpoint)
    write_predictions(
        PATHS.predictions("resnet"), Predictions.from_probabilities(images, folds, actual, probabilities, CLASSES)
    )


def write_validation_predictions() -> None:
    validated = [
        (row["image"], fold, CLASSES.index(row["label"]))
        for fold in FOLDS
        for row in table(PATHS.split(fold))
        if row["part"] == "validation"
    ]
    images, folds, actual = zip(*validated, strict=True)
    probabilities = np.full((len(validated), 4), 0.25)
    p = Predictions.from_probabilities(images, folds, actual, probabilities, CLASSES)
    write_predictions(PATHS.validation("resnet"), p)


def decided() -> Checkpoint:
    """Return a network whose probabilities differ as much as those of a trained one."""
    checkpoint = untrained()
    checkpoint.state["classifier.1.weight"] *= 30
    return checkpoint


@pytest.fixture(scope="module")
def evaluated(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything before this stage has run."""
    folder = workplace.make(
        tmp_path_factory.mktemp("evaluated"), raw, test_folds=[*FOLDS], evaluate__tta=1, image__side=SIZE
    )
    models = yaml.safe_load((folder / "params.yaml").read_text())["models"]
    set_params(folder, {"models": {"resnet": models["resnet"]}})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["clean"])
        clean.main()
        images, _, _ = all_cells()
        PATHS.pixels.mkdir()
        writer = PixelWriter(PATHS.pixels, len(images), SIZE)
        random = np.random.default_rng(0)
        for image in images:
            crop = random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
            writer.add(image, (640, 480), 30.0, Box(0, 0, SIZE, SIZE), crop)
        writer.close()
        for fold in FOLDS:  # one network for all folds is enough here
            decided().save(PATHS.checkpoint("resnet", fold))
        write_test_predictions()
        write_validation_predictions()
    return folder


@pytest.fixture(autouse=True)
def place(evaluated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(evaluated, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["check_models"])


def results() -> dict[str, str]:
    return {row["description"]: row["passed"] for row in table(CHECKS)}


def test_all_checks_of_correct_files_pass(capsys: pytest.CaptureFixture[str]) -> None:
    check_models.main()
    assert "5 checks of the models passed" in capsys.readouterr().out
    assert [*results().values()] == ["yes"] * 5
    first = CHECKS.read_bytes()
    check_models.main()
    assert CHECKS.read_bytes() == first


def augment_test_images() -> None:
    """A fault of the original report: random augmentation while testing."""
    strength, generator = Augmentation(180, 0.15, 0.12, 0.1), torch.Generator().manual_seed(0)

    def changed(pixels: Pixels) -> Pixels:
        images = augment(torch.from_numpy(pixels), strength, generator)
        return np.ascontiguousarray(images.permute(0, 2, 3, 1).clip(0, 255).byte().numpy())

    write_test_predictions(changed)


def permute_classes_of_the_checkpoint() -> None:
    checkpoint = Checkpoint.load(CHECKPOINT)
    dataclasses.replace(checkpoint, classes=CLASSES[1:] + CLASSES[:1]).save(CHECKPOINT)


def permute_classes_of_the_table() -> None:
    """A fault of the original report: a network that is always correct, with permuted class names."""
    images, folds, actual = all_cells()
    probabilities = np.full((len(images), 4), 0.01)
    probabilities[np.arange(len(images)), (np.array(actual) + 1) % 4] = 0.97
    write_predictions(
        PATHS.predictions("resnet"), Predictions.from_probabilities(images, folds, actual, probabilities, CLASSES)
    )


def leave_out_a_tested_cell() -> None:
    path = PATHS.predictions("resnet")
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


def validate_on_tested_cells() -> None:
    """Fit temperature and threshold on the cells on which they are judged."""
    shutil.copyfile(PATHS.predictions("resnet"), PATHS.validation("resnet"))


@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        (augment_test_images, "resnet: largest difference when computed again"),
        (permute_classes_of_the_checkpoint, "checkpoints with another order of classes"),
        (permute_classes_of_the_table, "resnet: gain from permuting class labels"),
        (leave_out_a_tested_cell, "predictions that don't match the test parts"),
        (validate_on_tested_cells, "predictions that don't match the validation parts"),
    ],
)
def test_a_fault_ends_with_one_line_after_the_table(fault: Callable[[], None], failing: str) -> None:
    fault()
    assert str(CHECKS) in error_of(check_models.main)
    assert results()[failing] == "no"


@pytest.mark.parametrize("path", [CHECKPOINT, PATHS.predictions("resnet"), PATHS.validation("resnet")])
def test_a_missing_file_is_named(path: Path) -> None:
    path.unlink()
    assert f"{path} is missing" in error_of(check_models.main)
