import dataclasses
from pathlib import Path

import pytest
import torch

from bloodcells.core.errors import InputError
from bloodcells.inference.predictor import Predictor
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import MEAN, STD
from bloodcells.models.weights import write_weights
from tests.support.smallset import CLASSES

STATE = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.zeros(2)}
CHECKPOINT = Checkpoint("alexnet", CLASSES, "crop", 256, 64, MEAN, STD, 3, STATE)
PREDICTOR = Predictor("alexnet", CHECKPOINT, 0.7123, 0.8432, 0.05, 174, 8, (640, 480), 21.43)


def test_a_saved_predictor_loads_unchanged(tmp_path: Path) -> None:
    PREDICTOR.save(tmp_path / "p.ckpt")
    found = Predictor.load(tmp_path / "p.ckpt")
    plain = dataclasses.replace(found, checkpoint=dataclasses.replace(found.checkpoint, state={}))
    assert plain == dataclasses.replace(PREDICTOR, checkpoint=dataclasses.replace(CHECKPOINT, state={}))
    assert list(found.checkpoint.state) == list(STATE)
    assert all(torch.equal(found.checkpoint.state[name], STATE[name]) for name in STATE)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    PREDICTOR.save(tmp_path / "a.ckpt")
    Predictor.load(tmp_path / "a.ckpt").save(tmp_path / "b.ckpt")
    state = {name: weights.clone() for name, weights in STATE.items()}
    other = dataclasses.replace(CHECKPOINT, state=state, architecture="".join(["alex", "net"]))
    dataclasses.replace(PREDICTOR, checkpoint=other).save(tmp_path / "c.ckpt")
    content = (tmp_path / "a.ckpt").read_bytes()
    assert (tmp_path / "b.ckpt").read_bytes() == content
    assert (tmp_path / "c.ckpt").read_bytes() == content


def test_a_checkpoint_is_not_a_predictor(tmp_path: Path) -> None:
    CHECKPOINT.save(tmp_path / "0.ckpt")
    with pytest.raises(InputError, match=r"0\.ckpt is not a predictor of this version"):
        Predictor.load(tmp_path / "0.ckpt")


def test_a_predictor_of_another_format_or_with_half_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.ckpt"
    PREDICTOR.save(path)
    good = torch.load(path, weights_only=True)
    changes: list[dict[str, object]] = [
        {"format": 99},
        {"checkpoint": {"state": {}}},
        {"checkpoint": None},
        {"more": 1},
    ]
    for change in changes:
        write_weights({**good, **change}, path)
        with pytest.raises(InputError, match="is not a predictor of this version"):
            Predictor.load(path)


def test_a_missing_predictor_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"p\.ckpt is missing"):
        Predictor.load(tmp_path / "p.ckpt")
