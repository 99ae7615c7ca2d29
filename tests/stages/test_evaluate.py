import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bloodcells.core.classes import CLASSES
from bloodcells.core.pixels import open_pixels
from bloodcells.inference.predictions import read_predictions
from bloodcells.inference.predictor import Predictor
from bloodcells.inference.probabilities import predict
from bloodcells.inference.selective import Rule
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import STD, MEAN
from tests import project
from tests.stages.prepared import PARTS, prepare

CHECKPOINT = Path("artifacts", "rendered", "models", "resnet", "0.ckpt")
PREDICTIONS = Path("plots", "rendered", "predictions", "resnet.csv")
VALIDATION = Path("plots", "rendered", "validation", "resnet.csv")
PREDICTOR = Path("artifacts", "rendered", "predictors", "resnet.ckpt")
TRAINING = Path("artifacts", "rendered", "provenance", "resnet", "0.json")
ORIGIN = Path("plots", "rendered", "provenance", "resnet.json")


def evaluate(folder: Path) -> subprocess.CompletedProcess[str]:
    return project.command(sys.executable, "-m", "stages.evaluate", "resnet", cwd=folder, PYTHONPATH=str(project.ROOT))


def prepared(folder: Path) -> Path:
    prepare(folder)
    state = dict(build("squeezenet1_1", 4, 64, seed=3).state_dict())
    Checkpoint("squeezenet1_1", CLASSES, "cell", 256, 64, MEAN, STD, 1, state).save(folder / CHECKPOINT)
    (folder / TRAINING).parent.mkdir(parents=True)
    (folder / TRAINING).write_text(json.dumps({"identity": "0123456789abcdef", "seconds": 12.5}))
    return folder


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    return prepared(tmp_path)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = prepared(tmp_path_factory.mktemp("evaluated"))
    result = evaluate(folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_the_predictions_are_those_of_the_checkpoint_under_the_right_names(evaluated: Path) -> None:
    with (evaluated / PREDICTIONS).open() as file:
        rows = list(csv.DictReader(file))
    names = [f"test{number}.jpg" for number in range(PARTS["test"])]
    assert [row["image"] for row in rows] == names
    assert [row["actual"] for row in rows] == [CLASSES[number % 4] for number in range(len(names))]
    checkpoint = Checkpoint.load(evaluated / CHECKPOINT)
    pixels = open_pixels(evaluated / "artifacts" / "rendered" / "pixels").take(names)
    expected = predict(checkpoint.network(), pixels, checkpoint)
    assert np.allclose([[float(row[name]) for name in CLASSES] for row in rows], expected, atol=1e-5)
    assert [row["predicted"] for row in rows] == [CLASSES[index] for index in expected.argmax(axis=1)]


def test_tables_metrics_and_the_picture_of_mistakes_are_left(evaluated: Path) -> None:
    scores = json.loads((evaluated / "metrics" / "rendered" / "resnet.json").read_text())
    assert scores["cells"] == PARTS["test"]
    held = read_predictions(evaluated / VALIDATION, validation=True)
    of_label = held.probabilities[np.arange(len(held.actual)), held.actual]
    assert scores["validation_loss"] == round(float(-np.log(of_label).mean()), 4)
    plots = evaluated / "plots" / "rendered"
    with (plots / "classes" / "resnet.csv").open() as file:
        assert [row["class"] for row in csv.DictReader(file)] == list(CLASSES)
    assert (plots / "roc" / "resnet.csv").read_text().startswith("class,fpr,tpr\n")
    with Image.open(plots / "mistakes" / "resnet.png") as picture:
        assert min(picture.size) > 100


def test_the_validation_part_is_predicted_too(evaluated: Path) -> None:
    p = read_predictions(evaluated / VALIDATION, validation=True)
    names = [f"validation{number}.jpg" for number in range(PARTS["validation"])]
    assert list(p.images) == names
    assert p.folds.tolist() == [0] * len(names)
    assert p.actual.tolist() == [number % 4 for number in range(len(names))]
    checkpoint = Checkpoint.load(evaluated / CHECKPOINT)
    pixels = open_pixels(evaluated / "artifacts" / "rendered" / "pixels").take(names)
    assert np.allclose(p.probabilities, predict(checkpoint.network(), pixels, checkpoint), atol=1e-5)


def test_the_predictor_holds_the_first_fold_s_network_and_the_rule_of_all_validation_cells(trained: Path) -> None:
    split = trained / "artifacts" / "rendered" / "splits" / "0.csv"
    split.with_name("2.csv").write_bytes(split.read_bytes())
    checkpoint = Checkpoint.load(trained / CHECKPOINT)
    state = dict(build("squeezenet1_1", 4, 64, seed=4).state_dict())
    dataclasses.replace(checkpoint, state=state).save((trained / CHECKPOINT).with_name("2.ckpt"))
    (trained / TRAINING).with_name("2.json").write_text("{}")
    project.set_params(trained, {"test_folds": [2, 0], "evaluate.target_error": 0.7})
    assert evaluate(trained).returncode == 0
    validation = read_predictions(trained / VALIDATION, validation=True)
    assert validation.folds.tolist() == [0] * PARTS["validation"] + [2] * PARTS["validation"]
    rule = Rule.fit(validation, 0.7)
    found = Predictor.load(trained / PREDICTOR)
    assert (found.name, found.views, found.risk) == ("resnet", 1, 0.7)
    assert (found.temperature, found.threshold) == (rule.temperature, rule.threshold)
    assert (found.smear, found.palest) == ((640, 480), 30.0)
    assert all(torch.equal(found.checkpoint.state[name], checkpoint.state[name]) for name in checkpoint.state)


def test_the_metrics_can_be_traced(evaluated: Path, tmp_path: Path) -> None:
    origin = json.loads((evaluated / ORIGIN).read_text())
    assert (evaluated / origin["metrics"]).is_file()
    assert origin["training"] == {"0": json.loads((evaluated / TRAINING).read_text())}
    assert origin["data"] == {"dataset": "rendered"}
    assert origin["evaluation"]["libraries"]["torchvision"]
    other = prepared(tmp_path)
    project.set_params(other, {"models.resnet.weight_decay": 0.123})
    evaluate(other)
    assert json.loads((other / ORIGIN).read_text())["parameters"] != origin["parameters"]


def test_a_network_of_unknown_origin_is_refused(trained: Path) -> None:
    (trained / TRAINING).unlink()
    result = evaluate(trained)
    assert result.returncode == 1
    assert f"{TRAINING} is missing" in result.stderr


def test_evaluating_twice_gives_the_same_bytes(evaluated: Path) -> None:
    first = [(evaluated / path).read_bytes() for path in (PREDICTIONS, VALIDATION, PREDICTOR)]
    evaluate(evaluated)
    assert [(evaluated / path).read_bytes() for path in (PREDICTIONS, VALIDATION, PREDICTOR)] == first


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
