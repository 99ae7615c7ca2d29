import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bloodcells.core.prepared_cells import open_pixels
from bloodcells.evaluation.metrics import headline
from bloodcells.inference.predictions import read_predictions
from bloodcells.inference.predictor import Predictor
from bloodcells.inference.probabilities import predict
from bloodcells.inference.threshold import SelectiveRule
from bloodcells.models.checkpoints import Checkpoint
from stages import evaluate
from tests.stages.prepared import PARTS, PATHS, prepare, untrained
from tests.support import project
from tests.support.smallset import CLASSES
from tests.support.workplace import error_of, table

CHECKPOINT, TRAINING = PATHS.checkpoint("resnet", 0), PATHS.training_provenance("resnet", 0)
PREDICTIONS, VALIDATION = PATHS.predictions("resnet"), PATHS.validation("resnet")
PREDICTOR, METRICS, PROVENANCE = PATHS.predictor("resnet"), PATHS.metrics("resnet"), PATHS.provenance("resnet")


def trained(folder: Path) -> Path:
    prepare(folder)
    untrained().save(folder / CHECKPOINT)
    (folder / TRAINING).write_text(json.dumps({"fingerprint": "0123456789abcdef", "seconds": 12.5}))
    return folder


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = trained(tmp_path_factory.mktemp("evaluated"))
    project.done(sys.executable, "-m", "stages.evaluate", "resnet", cwd=folder, PYTHONPATH=str(project.ROOT))
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which everything before this stage has run."""
    monkeypatch.chdir(trained(tmp_path))
    monkeypatch.setattr(sys, "argv", ["evaluate", "resnet"])
    return tmp_path


def expected(folder: Path, part: str) -> tuple[list[str], np.ndarray]:
    """Return the images of a part, and the probabilities that the checkpoint gives them."""
    images = [f"{part}{number}.jpg" for number in range(PARTS[part])]
    checkpoint = Checkpoint.load(folder / CHECKPOINT)
    return images, predict(checkpoint.network(), open_pixels(folder / PATHS.pixels).take(images), checkpoint)


def test_test_cells_are_predicted_by_the_checkpoint_with_the_right_class_names(evaluated: Path) -> None:
    rows = table(evaluated / PREDICTIONS)
    images, probabilities = expected(evaluated, "test")
    assert [row["image"] for row in rows] == images
    assert [row["actual"] for row in rows] == [CLASSES[number % 4] for number in range(len(images))]
    assert np.allclose([[float(row[name]) for name in CLASSES] for row in rows], probabilities, atol=1e-5)
    assert [row["predicted"] for row in rows] == [CLASSES[index] for index in probabilities.argmax(axis=1)]


def test_validation_cells_are_predicted_too(evaluated: Path) -> None:
    p = read_predictions(evaluated / VALIDATION, validation=True)
    images, probabilities = expected(evaluated, "validation")
    assert list(p.images) == images
    assert p.folds.tolist() == [0] * len(images)
    assert p.actual.tolist() == [number % 4 for number in range(len(images))]
    assert np.allclose(p.probabilities, probabilities, atol=1e-5)


def test_metrics_and_the_picture_of_mistakes_belong_to_the_predictions(evaluated: Path) -> None:
    scores = json.loads((evaluated / METRICS).read_text())
    validation = read_predictions(evaluated / VALIDATION, validation=True)
    of_label = validation.probabilities[np.arange(len(validation.actual)), validation.actual]
    assert scores.pop("val_loss") == round(float(-np.log(of_label).mean()), 4)
    tested = read_predictions(evaluated / PREDICTIONS)
    assert scores == {name: round(value, 4) for name, value in headline(tested).items()}
    with Image.open(evaluated / PATHS.plots / "mistakes" / "resnet.png") as picture:
        assert min(picture.size) > 100


def test_the_predictor_holds_the_network_of_the_first_fold_and_the_rule_of_all_validation_cells(place: Path) -> None:
    shutil.copyfile(PATHS.split(0), PATHS.split(2))
    untrained(seed=4).save(PATHS.checkpoint("resnet", 2))
    PATHS.training_provenance("resnet", 2).write_text("{}")
    project.set_params(place, {"test_folds": [2, 0], "evaluate.target_error": 0.7})
    evaluate.main()
    validation = read_predictions(VALIDATION, validation=True)
    assert validation.folds.tolist() == [0] * PARTS["validation"] + [2] * PARTS["validation"]
    rule = SelectiveRule.fit(validation, 0.7)
    found, state = Predictor.load(PREDICTOR), untrained().state
    assert (found.name, found.tta, found.target_error) == ("resnet", 1, 0.7)
    assert (found.temperature, found.threshold) == (rule.temperature, rule.threshold)
    assert found.calibration_cells == PARTS["validation"]  # the same cells in both folds count once
    assert (found.image_size, found.min_stain) == ((640, 480), 30.0)
    assert all(torch.equal(found.checkpoint.state[name], state[name]) for name in state)


def test_the_metrics_can_be_traced_to_data_parameters_and_trainings(evaluated: Path, place: Path) -> None:
    provenance = json.loads((evaluated / PROVENANCE).read_text())
    assert provenance["metrics"] == METRICS.as_posix()
    assert provenance["training"] == {"0": json.loads((evaluated / TRAINING).read_text())}
    assert provenance["data"] == {"dataset": "rendered", **json.loads((evaluated / PATHS.source).read_text())}
    assert provenance["evaluation"]["libraries"]["torchvision"]
    project.set_params(place, {"models.resnet.weight_decay": 0.123})
    evaluate.main()
    assert json.loads(PROVENANCE.read_text())["parameters"] != provenance["parameters"]


def test_evaluating_twice_gives_the_same_bytes(evaluated: Path, place: Path) -> None:
    evaluate.main()
    for path in (PREDICTIONS, VALIDATION, PREDICTOR, METRICS):
        assert path.read_bytes() == (evaluated / path).read_bytes()


def test_a_model_without_mistakes_still_has_a_picture(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    perfect = np.eye(4)[[number % 4 for number in range(PARTS["test"])]]
    monkeypatch.setattr(evaluate, "predict", lambda _, pixels, *__: perfect[: len(pixels)])
    evaluate.main()
    assert json.loads(METRICS.read_text())["accuracy"] == 1
    assert (PATHS.plots / "mistakes" / "resnet.png").is_file()


def test_a_checkpoint_with_permuted_classes_is_refused(place: Path) -> None:
    """A fault of the original report: indices in one order, names in another."""
    dataclasses.replace(untrained(), classes=CLASSES[1:] + CLASSES[:1]).save(CHECKPOINT)
    assert "class names would be permuted" in error_of(evaluate.main)
    assert not PREDICTIONS.exists()


def test_a_checkpoint_of_another_input_is_refused(place: Path) -> None:
    dataclasses.replace(untrained(), input="full").save(CHECKPOINT)
    assert "another input (input full, crop 256, side 64)" in error_of(evaluate.main)


@pytest.mark.parametrize("path", [CHECKPOINT, TRAINING, PATHS.split(0), PATHS.classes, PATHS.source])
def test_a_missing_file_is_named(place: Path, path: Path) -> None:
    path.unlink()
    assert f"{path} is missing" in error_of(evaluate.main)
    assert not METRICS.exists()


def test_an_unknown_model_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluate", "resnot"])
    assert "no model 'resnot'" in error_of(evaluate.main)
