import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bloodcells.labels import CLASSES
from bloodcells.networks import DEVIATION, MEAN, Checkpoint, build, predict
from bloodcells.pixels import open_pixels
from tests import project
from tests.stages.prepared import PARTS, prepare

CHECKPOINT = Path("artifacts", "rendered", "models", "resnet", "0.ckpt")
PREDICTIONS = Path("plots", "rendered", "predictions", "resnet.csv")


def evaluate(folder: Path) -> subprocess.CompletedProcess[str]:
    return project.command(sys.executable, "-m", "stages.evaluate", "resnet", cwd=folder, PYTHONPATH=str(project.ROOT))


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    folder = prepare(tmp_path)
    state = dict(build("squeezenet1_1", 4, 64, seed=3).state_dict())
    Checkpoint("squeezenet1_1", CLASSES, "cell", 256, 64, MEAN, DEVIATION, 1, state).save(folder / CHECKPOINT)
    return folder


def test_the_predictions_are_those_of_the_checkpoint_under_the_right_names(trained: Path) -> None:
    result = evaluate(trained)
    assert result.returncode == 0, result.stderr
    with (trained / PREDICTIONS).open() as file:
        rows = list(csv.DictReader(file))
    names = [f"test{number}.jpg" for number in range(PARTS["test"])]
    assert [row["image"] for row in rows] == names
    assert [row["actual"] for row in rows] == [CLASSES[number % 4] for number in range(len(names))]
    checkpoint = Checkpoint.load(trained / CHECKPOINT)
    pixels = open_pixels(trained / "artifacts" / "rendered" / "pixels").take(names)
    expected = predict(checkpoint.network(), pixels, checkpoint)
    assert np.allclose([[float(row[name]) for name in CLASSES] for row in rows], expected, atol=1e-5)
    assert [row["predicted"] for row in rows] == [CLASSES[index] for index in expected.argmax(axis=1)]


def test_tables_metrics_and_the_picture_of_mistakes_are_left(trained: Path) -> None:
    evaluate(trained)
    scores = json.loads((trained / "metrics" / "rendered" / "resnet.json").read_text())
    assert scores["cells"] == PARTS["test"]
    plots = trained / "plots" / "rendered"
    with (plots / "classes" / "resnet.csv").open() as file:
        assert [row["class"] for row in csv.DictReader(file)] == list(CLASSES)
    assert (plots / "roc" / "resnet.csv").read_text().startswith("class,fpr,tpr\n")
    with Image.open(plots / "mistakes" / "resnet.png") as picture:
        assert min(picture.size) > 100


def test_evaluating_twice_gives_the_same_bytes(trained: Path) -> None:
    evaluate(trained)
    first = (trained / PREDICTIONS).read_bytes()
    evaluate(trained)
    assert (trained / PREDICTIONS).read_bytes() == first


def test_permuted_class_names_are_refused(trained: Path) -> None:
    # The original report's fault: indices in one order, names in another.
    checkpoint = Checkpoint.load(trained / CHECKPOINT)
    dataclasses.replace(checkpoint, classes=CLASSES[1:] + CLASSES[:1]).save(trained / CHECKPOINT)
    result = evaluate(trained)
    assert result.returncode == 1
    assert "names would be permuted" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (trained / PREDICTIONS).exists()


def test_a_checkpoint_of_another_input_is_refused(trained: Path) -> None:
    checkpoint = Checkpoint.load(trained / CHECKPOINT)
    dataclasses.replace(checkpoint, frame="whole").save(trained / CHECKPOINT)
    result = evaluate(trained)
    assert result.returncode == 1
    assert "another input" in result.stderr


def test_a_missing_checkpoint_is_named(trained: Path) -> None:
    (trained / CHECKPOINT).unlink()
    result = evaluate(trained)
    assert result.returncode == 1
    assert f"{CHECKPOINT} is missing" in result.stderr
