from dataclasses import replace
from pathlib import Path

import pytest

from bloodcells.cli.model import find_model, load_model
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_json
from bloodcells.models.weights import read_weights, write_weights
from tests.cli.slides import PROBABILITIES, checkpoint, predictor
from tests.support import project


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a project in which three models were evaluated."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((project.ROOT / "params.yaml").read_bytes())
    project.set_params(tmp_path, {"dataset": "rendered"})
    for name, loss in (("resnet", 0.4), ("efficientnet", 0.2), ("alexnet", 0.3)):
        path = Path("artifacts", "rendered", "predictors", f"{name}.ckpt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        write_json(Path("metrics", "rendered", f"{name}.json"), {"accuracy": 0.9, "val_loss": loss})
    return tmp_path


def test_the_default_is_the_model_with_the_lowest_validation_loss(run: Path) -> None:
    assert find_model(None) == Path("artifacts/rendered/predictors/efficientnet.ckpt")


def test_a_model_is_found_by_its_name_and_any_file_by_its_path(run: Path) -> None:
    assert find_model("alexnet") == Path("artifacts/rendered/predictors/alexnet.ckpt")
    assert find_model("elsewhere/net.ckpt") == Path("elsewhere/net.ckpt")
    Path("weights").touch()
    assert find_model("weights") == Path("weights")


def test_the_error_for_an_unknown_name_lists_the_known_ones(run: Path) -> None:
    with pytest.raises(InputError, match=r"no predictor 'vgg' \(it has alexnet, efficientnet, resnet\)"):
        find_model("vgg")


def test_without_metrics_there_is_no_default(run: Path) -> None:
    Path("metrics", "rendered", "resnet.json").unlink()
    with pytest.raises(
        InputError, match=r"resnet.json has no validation loss .*: run `dvc repro`, or choose a model with --model"
    ):
        find_model(None)
    assert find_model("resnet").name == "resnet.ckpt"


def test_the_predictor_of_a_removed_model_is_not_the_default(run: Path) -> None:
    left = Path("artifacts", "rendered", "predictors", "mobilenet.ckpt")
    left.touch()
    assert find_model(None).name == "efficientnet.ckpt"
    assert find_model("mobilenet") == left
    for name in ("resnet", "efficientnet", "alexnet"):
        left.with_name(f"{name}.ckpt").unlink()
    with pytest.raises(InputError, match=r"no model of params.yaml has a predictor yet.*--model mobilenet"):
        find_model(None)


def test_before_a_run_there_is_no_model(run: Path) -> None:
    project.set_params(run, {"dataset": "bccd"})
    with pytest.raises(InputError, match=r"the run on bccd has no predictor yet: run `dvc repro`"):
        find_model(None)


def test_outside_the_project_a_path_must_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"--model is missing.*give --model the path of a predictor"):
        find_model(None)
    with pytest.raises(InputError, match=r"'resnet' is not a file"):
        find_model("resnet")


def test_a_plain_checkpoint_is_not_calibrated(tmp_path: Path) -> None:
    checkpoint(PROBABILITIES).save(tmp_path / "0.ckpt")
    model = load_model(tmp_path / "0.ckpt")
    assert not model.calibrated
    assert (model.predictor.temperature, model.predictor.threshold, model.predictor.tta) == (1, 0, 8)
    assert "not calibrated" in model.describe()


@pytest.mark.parametrize(
    ("threshold", "cells", "message"),
    [
        (0.625, 100, "tiny, calibrated on 100 cells: it abstains below a confidence of 0.6250"),
        (0.625, 44, "calibrated on 44 cells, too few to rely on: it abstains below"),
        (0.0, 100, "it never abstains because of low confidence"),
        (1.0001, 100, "it rejects all predictions, because no threshold meets the target error rate of 5 %."),
    ],
)
def test_a_model_describes_when_it_abstains(tmp_path: Path, threshold: float, cells: int, message: str) -> None:
    model = load_model(predictor(tmp_path / "a.ckpt", threshold=threshold, cells=cells))
    assert model.calibrated
    assert message in model.describe()


def test_a_file_that_is_not_a_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("text")
    (tmp_path / "empty.ckpt").touch()
    (tmp_path / "image.ckpt").write_bytes(bytes(range(256)))
    wrong = (("text", "holds no weights"), ("empty", "holds no weights"), ("image", "holds no"), ("none", "is missing"))
    for name, message in wrong:
        with pytest.raises(InputError, match=f"{name}.ckpt {message}"):
            load_model(tmp_path / f"{name}.ckpt")


def test_a_predictor_of_another_version_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = predictor(tmp_path / "a.ckpt")
    write_weights(read_weights(path) | {"format": 99}, path)
    with pytest.raises(InputError, match=r"a\.ckpt is not a predictor of this version"):
        load_model(path)


def test_weights_of_another_network_are_an_error(tmp_path: Path) -> None:
    replace(checkpoint(PROBABILITIES), architecture="squeezenet1_1").save(tmp_path / "0.ckpt")
    with pytest.raises(InputError, match="the weights of squeezenet1_1 don't fit squeezenet1_1"):
        load_model(tmp_path / "0.ckpt").network()
