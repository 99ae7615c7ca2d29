from pathlib import Path
from typing import Any

import pytest
import yaml

from bloodcells.core.errors import InputError
from bloodcells.core.parameters import (
    ImageParameters,
    ModelNames,
    StageParameters,
    TestFolds,
    read_parameters,
    read_yaml,
    select_model,
)
from bloodcells.splits.parameters import CleanParameters
from stages import check_parameters
from tests.support.project import ROOT, set_params


class StageWithTwoSections(StageParameters):
    test_folds: TestFolds
    image: ImageParameters
    clean: CleanParameters
    models: ModelNames


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return tmp_path / "params.yaml"


def test_the_committed_parameters_are_valid() -> None:
    params = read_parameters(check_parameters.Parameters, ROOT / "params.yaml")
    assert {"resnet", "efficientnet", "alexnet"} <= set(params.models)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("test_folds", [0, 1, 2, 3, 4]),
        ("dataset", "bccd"),
        ("image.input", "full"),
        ("train.precision", 32),  # YAML reads a number
        ("models.resnet.learning_rate", "1e-05"),  # as `dvc exp run -S` writes it
        ("models.vgg", {"architecture": "vgg11", "weights": "none", "learning_rate": 1e-4, "weight_decay": 0}),
    ],
)
def test_a_valid_value_is_accepted(path: Path, key: str, value: Any) -> None:
    set_params(path.parent, {key: value})
    read_parameters(check_parameters.Parameters, path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset", "../blood"),
        ("dataset", None),
        ("test_folds", []),
        ("test_folds", [0, 0]),
        ("test_folds", [5]),
        ("test_folds", [-1]),
        ("test_folds", 0),
        ("clean", None),
        ("clean.n_splits", 1),
        ("clean.seed", 2**32),
        ("clean.validation", 0),
        ("clean.validation", float("nan")),
        ("clean.downsample", {"neutrophil": 0.1}),
        ("clean.downsample", -0.1),
        ("clean.oversample", 1.5),
        ("clean.typo", 1),
        ("synthetic.images", 5),
        ("image.input", "half"),
        ("image.crop", 4),
        ("image.side", 0),
        ("train.epochs", 0),
        ("train.epochs", "many"),
        ("train.precision", 16),
        ("train.selection_window", 0),
        ("train.augment.color", 1),
        ("evaluate.tta", 3),
        ("evaluate.target_error", 0),
        ("compare.resamples", 0),
        ("review.min_accuracy", 2),
        ("models", {}),
        ("models.resnet.learning_rate", -1),
        ("models.resnet.learning_rate", float("inf")),
        ("models.resnet.architecture", "../secret"),
        ("models.resnet.rate", 1),
        ("optimizer", "adam"),
    ],
)
def test_an_error_names_the_key(path: Path, key: str, value: Any) -> None:
    set_params(path.parent, {key: value})
    with pytest.raises(InputError) as caught:
        read_parameters(check_parameters.Parameters, path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {key}")
    assert "\n" not in message


def test_an_error_names_all_wrong_keys(path: Path) -> None:
    params = yaml.safe_load(path.read_text())
    params["image"]["side"] = 0
    del params["clean"]["seed"], params["test_folds"]
    path.write_text(yaml.safe_dump(params))
    expected = r"test_folds: Field required; image\.side: .*\(got 0\); clean\.seed: Field required$"
    with pytest.raises(InputError, match=expected):
        read_parameters(StageWithTwoSections, path)


def test_a_stage_ignores_the_sections_that_it_does_not_declare(path: Path) -> None:
    set_params(path.parent, {"train": None, "models.resnet.rate": 1, "new": {"key": 1}})
    params = read_parameters(StageWithTwoSections, path)
    assert params.image.side == 96
    assert params.paths.dataset == "rendered"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "holds no keys"),
        (b"- dataset\n", "holds no keys"),
        (b"rendered", "holds no keys"),
        (b"a: 1\nb: [", "line 2: not YAML"),
        (b"a: 1\n\tb: 2\n", "line 2: not YAML"),
        (b'a: !!python/object/apply:os.system ["true"]', "line 1: not YAML"),
        (b"\xff\xfe\x00", "not YAML"),
        (b"caf\xe9: 1", "not YAML"),
        (b"\x00\x01", "not YAML"),
    ],
)
def test_a_file_without_parameters_is_an_error(path: Path, content: bytes, expected: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=expected) as caught:
        read_parameters(StageWithTwoSections, path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run this in the root of the project"):
        read_parameters(StageWithTwoSections, tmp_path / "params.yaml")
    with pytest.raises(InputError, match="can't be read"):
        read_parameters(StageWithTwoSections, tmp_path)


def test_an_unknown_model_is_an_error_that_names_the_others(path: Path) -> None:
    models = read_parameters(StageWithTwoSections, path).models
    assert select_model(models, "alexnet") == models["alexnet"]
    with pytest.raises(InputError, match=r"'resnt'.*resnet, efficientnet, alexnet\); did you mean resnet\?"):
        select_model(models, "resnt")


def test_a_key_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: 1\nlabel_map: {1: one, 2: two, 1: two}\n")
    with pytest.raises(InputError, match="line 2: not YAML: the key '1' is there twice"):
        read_yaml(path)
