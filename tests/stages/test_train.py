import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bloodcells.core.cell_classes import write_classes
from bloodcells.models.checkpoints import Checkpoint
from tests.stages.prepared import PATHS, prepare
from tests.support import project
from tests.support.smallset import CLASSES

CHECKPOINT, CURVES = PATHS.checkpoint("resnet", 0), PATHS.curves("resnet", 0)
TRAINED = PATHS.trained("resnet", 0)
UNFINISHED = Path("artifacts", "rendered", "unfinished")


def train(folder: Path, model: str = "resnet", *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    call = (sys.executable, "-m", "stages.train", model, "0", *options)
    return project.command(*call, cwd=folder, PYTHONPATH=str(project.ROOT), **environment)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = prepare(tmp_path_factory.mktemp("whole"), {"train.epochs": 6})
    result = train(folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_a_checkpoint_and_curves_are_left_and_nothing_else(whole: Path) -> None:
    checkpoint = Checkpoint.load(whole / CHECKPOINT)
    assert (checkpoint.architecture, checkpoint.classes, checkpoint.side) == ("squeezenet1_1", CLASSES, 64)
    with (whole / CURVES).open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["split"]) for row in rows] == [
        (str(epoch), split) for epoch in range(1, 7) for split in ("train", "validation")
    ]
    held = [float(row["loss"]) for row in rows if row["split"] == "validation"]
    assert checkpoint.epoch == 1 + held.index(min(held))
    for split in ("train", "validation"):
        assert (
            len((whole / TRAINED / "dvclive" / "plots" / "metrics" / split / "loss.tsv").read_text().splitlines()) == 7
        )
    assert not list((whole / UNFINISHED).iterdir())
    assert not list(whole.rglob("*.part"))
    assert not list(whole.rglob("dvc.yaml"))  # DVCLive writes one unless it is told not to


def test_the_provenance_is_beside_the_checkpoint(whole: Path) -> None:
    origin = json.loads((whole / PATHS.training_provenance("resnet", 0)).read_text())
    assert origin["seconds"] > 0
    assert len(origin["fingerprint"]) == 16
    assert origin["precision"] == "32-true"
    assert {"finished", "commit", "changed", "device", "libraries"} <= set(origin)
    assert {"processor", "features", "threads"} <= set(origin["device"])


def test_a_model_may_be_trained_for_longer_than_others(tmp_path: Path) -> None:
    folder = prepare(tmp_path, {"train.epochs": 2, "models.resnet.epochs_factor": 2.5})
    result = train(folder)
    assert result.returncode == 0, result.stderr
    assert len((folder / CURVES).read_text().splitlines()) == 1 + 2 * 5


def test_a_network_has_as_many_outputs_as_the_data_set_has_classes(tmp_path: Path) -> None:
    folder = prepare(tmp_path, {"train.epochs": 1})
    classes = ("blast", *CLASSES, "promyelocyte")
    write_classes(folder / PATHS.classes, classes)
    result = train(folder)
    assert result.returncode == 0, result.stderr
    checkpoint = Checkpoint.load(folder / CHECKPOINT)
    assert checkpoint.classes == classes
    assert checkpoint.state["classifier.1.bias"].shape == (6,)


KILLED = """
import os, signal, sys
from bloodcells.training import callbacks
from stages import train

callbacks.SAVE_INTERVAL = 0

def add(self, epoch, add=train._Curves.add):
    if epoch.epoch == {epoch}:
        os.kill(os.getpid(), signal.SIGKILL)
    add(self, epoch)

train._Curves.add = add
sys.argv = ["train", "resnet", "0"]
train.main()
"""


@pytest.mark.parametrize("epoch", [2, 5])
def test_a_killed_run_resumes_and_ends_with_the_same_bytes(whole: Path, tmp_path: Path, epoch: int) -> None:
    folder = prepare(tmp_path, {"train.epochs": 6})
    root = str(project.ROOT)
    killed = project.command(sys.executable, "-c", KILLED.format(epoch=epoch), cwd=folder, PYTHONPATH=root)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (folder / CHECKPOINT).exists()
    for name in ("resnet-0-0123456789abcdef", "resnet-1-0123456789abcdef"):
        (folder / UNFINISHED / name).mkdir()
    result = train(folder)
    assert result.returncode == 0, result.stderr
    assert [left.name for left in (folder / UNFINISHED).iterdir()] == ["resnet-1-0123456789abcdef"]
    assert f"resumes after epoch {epoch - 1} of 6" in result.stderr
    assert (folder / CHECKPOINT).read_bytes() == (whole / CHECKPOINT).read_bytes()
    assert (folder / CURVES).read_bytes() == (whole / CURVES).read_bytes()


def test_two_processes_train_together(tmp_path: Path) -> None:
    folder = prepare(tmp_path, {"train.epochs": 2, "train.devices": 2})
    result = train(folder)
    assert result.returncode == 0, result.stderr
    assert Checkpoint.load(folder / CHECKPOINT).epoch in (1, 2)
    assert len((folder / CURVES).read_text().splitlines()) == 5
    assert result.stdout.count("selected epoch") == 1


@pytest.mark.parametrize(
    ("changes", "model", "message"),
    [
        ({}, "resnot", "no model 'resnot' under `models:`"),
        ({"models.resnet.architecture": "resnet81"}, "resnet", "unknown architecture 'resnet81'"),
        ({"models.resnet.weights": "lost.pt"}, "resnet", "lost.pt is missing"),
        ({"train.epochs": 0}, "resnet", "train.epochs"),
        ({"image.side": 96}, "resnet", "another image.side"),
        ({"models.resnet.learning_rate": 1e30}, "resnet", "lower the model's learning_rate"),
    ],
)
def test_an_error_that_the_user_can_fix_is_one_line(
    tmp_path: Path, changes: dict[str, object], model: str, message: str
) -> None:
    result = train(prepare(tmp_path, changes), model)
    assert result.returncode == 1
    error = result.stderr.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error
    assert "Traceback" not in result.stderr
    assert not (tmp_path / CHECKPOINT).exists()


@pytest.mark.parametrize(
    "launched",
    [{"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2"}, {"SLURM_STEP_NUM_TASKS": "2"}],
    ids=["torchrun", "srun"],
)
def test_one_of_several_processes_does_not_take_itself_for_the_only_one(
    tmp_path: Path, launched: dict[str, str]
) -> None:
    result = train(prepare(tmp_path), **launched)
    assert result.returncode == 1
    assert result.stderr.startswith(
        "error: the launcher started 2 processes for one training, but train.devices × train.nodes"
    )
    assert not (tmp_path / CHECKPOINT).exists()


def test_pixels_that_lack_a_cell_are_named(tmp_path: Path) -> None:
    folder = prepare(tmp_path)
    split = folder / "artifacts" / "rendered" / "splits" / "0.csv"
    split.write_text(split.read_text() + "stranger.jpg,monocyte,train\n")
    result = train(folder)
    assert result.returncode == 1
    assert "stranger.jpg is not among the prepared cells" in result.stderr
