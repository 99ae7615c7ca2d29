"""The stage on made-up cells, whose class is their hue, and networks that were never trained."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bloodcells.core.classes import CLASSES
from bloodcells.core.files import read_csv, write_csv
from bloodcells.core.pixels import open_pixels
from bloodcells.inference.probabilities import predict
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import STD, MEAN, normalize
from stages import faulty_evaluate
from studies.original_report.predictions import FAULTY, OURS, TEST, VALIDATION, read_answers
from tests.stages.prepared import PARTS, SIZE, prepare
from tests.workplace import error_of

ARTIFACTS = Path("artifacts", "rendered")
ORIGINAL = ARTIFACTS / "original"
ANSWERS = Path("plots", "rendered", "original", "answers.csv")


def checkpoint(seed: int) -> Checkpoint:
    """Make a network of random weights, its biases such that it calls different cells differently."""
    network = build("shufflenet_v2_x0_5", len(CLASSES), SIZE, seed=seed).eval()
    cells = torch.from_numpy(np.array(open_pixels(ARTIFACTS / "pixels").array)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        mean = network(normalize(cells)).mean(dim=0)
    state = dict(network.state_dict())
    state["fc.bias"] = state["fc.bias"] - mean
    return Checkpoint("shufflenet_v2_x0_5", CLASSES, "cell", 256, SIZE, MEAN, STD, 1, state)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["faulty_evaluate", "resnet"])
    monkeypatch.setattr(faulty_evaluate, "DRAWS", 4)
    prepare(tmp_path, {"evaluate.tta": 8, "train.augment.color": 0.9, "train.augment.shift": 0.9})
    rows = [(row["image"], row["label"], row["part"]) for row in read_csv(ARTIFACTS / "splits" / "0.csv", ("image",))]
    copies = [(image, label, "validation") for image, label, part in rows if part == "train"][:5]
    write_csv(ORIGINAL / "splits" / "0.csv", ("image", "label", "part"), [*rows, *copies, copies[0]])
    for seed, folder in ((1, ORIGINAL), (2, ARTIFACTS)):
        checkpoint(seed).save(folder / "models" / "resnet" / "0.ckpt")
    return tmp_path


def test_each_row_of_both_protocols_is_answered_by_its_network(place: Path) -> None:
    faulty_evaluate.main()
    answers = read_answers(ANSWERS)
    pixels = open_pixels(ARTIFACTS / "pixels")
    for protocol, seed in ((FAULTY, 1), (OURS, 2)):
        trained = checkpoint(seed)
        for part in (VALIDATION, TEST):
            rows = answers.of(protocol, part)
            shown = pixels.take(rows.image.tolist())
            for said, count in ((rows.as_it_is, 1), (rows.views, 8)):
                assert said.tolist() == predict(trained.network(), shown, trained, count).argmax(axis=1).tolist()
            assert rows.draws.shape == (len(shown), 4)
            assert rows.actual.tolist() == [int("".join(filter(str.isdigit, i))) % 4 for i in rows.image]
    assert (answers.of(FAULTY, TEST).views != answers.of(OURS, TEST).views).any()


def test_copies_stay_copies_and_are_known_to_be_trained_on(place: Path) -> None:
    faulty_evaluate.main()
    answers = read_answers(ANSWERS)
    faulty = answers.of(FAULTY, VALIDATION)
    assert len(faulty.image) == PARTS["validation"] + 6
    assert faulty.in_training.sum() == 6
    assert all(image.startswith("train") for image in faulty.image[faulty.in_training])
    assert not answers.of(OURS, VALIDATION).in_training.any()


def test_draws_differ_and_are_the_same_when_made_again(place: Path) -> None:
    faulty_evaluate.main()
    tested = read_answers(ANSWERS).of(OURS, TEST)
    assert (tested.draws != tested.draws[:, :1]).any()
    first = ANSWERS.read_bytes()
    faulty_evaluate.main()
    assert ANSWERS.read_bytes() == first


def test_networks_of_another_run_are_refused(place: Path) -> None:
    path = ORIGINAL / "models" / "resnet" / "0.ckpt"
    replace(checkpoint(1), classes=CLASSES[::-1]).save(path)
    assert f"{path} gives its logits in the order" in error_of(faulty_evaluate.main)
    for wrong in ({"size": 96}, {"crop": 128}, {"frame": "whole"}):
        replace(checkpoint(1), **wrong).save(path)
        assert f"{path} was trained on another input" in error_of(faulty_evaluate.main)
    path.unlink()
    assert f"{path} is missing" in error_of(faulty_evaluate.main)
    assert not ANSWERS.exists()


def test_a_model_that_is_none_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["faulty_evaluate", "resnot"])
    assert "no model 'resnot'" in error_of(faulty_evaluate.main)
