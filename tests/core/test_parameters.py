from pathlib import Path
from typing import Any

import pytest
import yaml

from bloodcells.core.errors import InputError
from bloodcells.core.parameters import Params, read_params

COMMITTED = Path(__file__).parents[2] / "params.yaml"


def changed(key: str, value: Any) -> dict[str, Any]:
    params: dict[str, Any] = yaml.safe_load(COMMITTED.read_text())
    *parents, last = key.split(".")
    section = params
    for parent in parents:
        section = section[parent]
    section[last] = value
    return params


def read(tmp_path: Path, content: Any) -> Params:
    path = tmp_path / "params.yaml"
    path.write_bytes(content if isinstance(content, bytes) else yaml.safe_dump(content).encode())
    return read_params(path)


def test_the_committed_parameters_are_right() -> None:
    params = read_params(COMMITTED)
    assert {"resnet", "efficientnet", "alexnet"} <= set(params.models)
    assert params.model("alexnet") == params.models["alexnet"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("folds", [0, 1, 2, 3, 4]),
        ("dataset", "bccd"),
        ("train.precision", 32),  # YAML has it as a number
        ("models.resnet.learning_rate", "1e-05"),  # as `dvc exp run -S` writes it
        ("models.vgg", {"architecture": "vgg11", "weights": "none", "learning_rate": 1e-4, "weight_decay": 0}),
    ],
)
def test_what_a_user_may_change(tmp_path: Path, key: str, value: Any) -> None:
    read(tmp_path, changed(key, value))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset", "blood"),
        ("dataset", None),
        ("folds", []),
        ("folds", [0, 0]),
        ("folds", [5]),
        ("folds", [-1]),
        ("folds", 0),
        ("clean.n_splits", 1),
        ("clean.seed", 2**32),
        ("clean.validation", 0),
        ("clean.validation", float("nan")),
        ("clean.downsample", {"neutrofil": 0.1}),
        ("clean.oversample", ["monocyte"]),
        ("clean.oversample.monocyte", 1.5),
        ("clean.typo", 1),
        ("rendered.images", 5),
        ("image.input", "half"),
        ("image.side", 0),
        ("train.epochs", 0),
        ("train.epochs", "many"),
        ("train.precision", 16),
        ("train.augment.color", 1),
        ("evaluate.tta", 3),
        ("models", {}),
        ("models.resnet.learning_rate", -1),
        ("models.resnet.learning_rate", float("inf")),
        ("models.resnet.architecture", "../secret"),
        ("models.resnet.rate", 1),
        ("optimiser", "adam"),
    ],
)
def test_a_wrong_value_names_its_key(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, changed(key, value))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'params.yaml'}: {key}")
    assert "\n" not in message


def test_all_wrong_values_are_named_at_once(tmp_path: Path) -> None:
    params = changed("train.epochs", 0)
    del params["clean"]["seed"]
    with pytest.raises(InputError, match=r"clean\.seed: Field required; train\.epochs: .*\(got 0\)"):
        read(tmp_path, params)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no keys"),
        (b"- dataset\n", "holds no keys"),
        (b"rendered", "holds no keys"),
        (b"a: 1\nb: [", "line 2: no YAML"),
        (b"a: 1\n\tb: 2\n", "line 2: no YAML"),
        (b'a: !!python/object/apply:os.system ["true"]', "line 1: no YAML"),
        (b"\xff\xfe\x00", "no YAML"),
        (b"caf\xe9: 1", "no YAML"),
        (b"\x00\x01", "no YAML"),
    ],
)
def test_a_file_that_holds_no_parameters(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_where_to_stand(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="root of the project"):
        read_params(tmp_path / "params.yaml")
    with pytest.raises(InputError, match="can't be read"):
        read_params(tmp_path)


def test_an_unknown_model_names_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"'vgg'.*resnet, efficientnet, alexnet"):
        read_params(COMMITTED).model("vgg")
