import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bloodcells.core.classes import CLASSES
from bloodcells.core.files import write_csv
from bloodcells.core.geometry import Box
from bloodcells.evaluation.grad_cam import NoMapsError, grad_cam
from bloodcells.inference.predictions import predictions, write_predictions
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import STD, MEAN
from stages import attention
from tests import project
from tests.stages.prepared import PARTS, SIZE, prepare
from tests.workplace import error_of

SMEAR = (640, 320)
CROP = Box(300, 200, 300 + SIZE, 200 + SIZE)
"""The part of each smear that the prepared pixels are said to show."""

IMAGES = [f"test{number}.jpg" for number in range(PARTS["test"])]
METRICS, PLOTS = Path("metrics", "rendered", "attention"), Path("plots", "rendered")
VOC = (
    "<annotation><object><name>WBC</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>"
    "</object></annotation>"
)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    state = dict(build("squeezenet1_1", 4, SIZE, seed=3).state_dict())
    return Checkpoint("squeezenet1_1", CLASSES, "cell", 256, SIZE, MEAN, STD, 1, state)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint) -> Path:
    """A project in which two models were tested on the cells of fold 0, one right and one always wrong."""
    monkeypatch.chdir(prepare(tmp_path))
    (tmp_path / "bloodcells").symlink_to(project.ROOT / "bloodcells")
    project.set_params(tmp_path, {"models": {name: model_block() for name in ("resnet", "alexnet")}})
    index = Path("artifacts", "rendered", "pixels", "index.csv")
    with index.open() as file:
        rows = [(row["image"], CROP.left, CROP.top, SIZE, *SMEAR, 30.0) for row in csv.DictReader(file)]
    write_csv(index, ("image", "left", "top", "side", "width", "height", "stain"), rows)
    actual = np.arange(PARTS["test"]) % 4
    for model, said in (("resnet", actual), ("alexnet", (actual + 1) % 4)):
        checkpoint.save(Path("artifacts", "rendered", "models", model, "0.ckpt"))
        p = predictions(IMAGES, [0] * len(IMAGES), actual, np.eye(4)[said])
        write_predictions(PLOTS / "predictions" / f"{model}.csv", p)
    return tmp_path


def model_block() -> dict[str, Any]:
    return {"architecture": "squeezenet1_1", "weights": "none", "learning_rate": 0.001, "weight_decay": 0.05}


def annotate(images: list[str], box: Box) -> None:
    raw = Path("artifacts", "rendered", "raw")
    for part in ("Annotations", "JPEGImages"):
        (raw / part).mkdir(parents=True, exist_ok=True)
    for image in images:
        (raw / "JPEGImages" / image).touch()
        text = VOC.format(box.left, box.top, box.right, box.bottom)
        (raw / "Annotations" / f"{Path(image).stem}.xml").write_text(text)


def figures(model: str) -> dict[str, float]:
    content: dict[str, float] = json.loads((METRICS / f"{model}.json").read_text())
    return content


def table() -> list[dict[str, str]]:
    with (PLOTS / "pointing.csv").open() as file:
        return list(csv.DictReader(file))


def test_boxes_of_the_smear_are_met_in_the_crop(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A quarter of the cells fill their crop, a half lie outside of it, a quarter are not annotated."""
    annotate(IMAGES[:4], CROP)
    annotate(IMAGES[4:8], Box(0, 0, CROP.right - CROP.left, CROP.bottom - CROP.top))  # if crop and smear were confused
    annotate(IMAGES[8:12], Box(CROP.left, CROP.bottom + 20, CROP.right, CROP.bottom + 84))
    attention.main()
    low, high = 0.1381, 0.6094  # Wilson's interval of 4 of 12
    assert figures("resnet") == {"pointed": 0.3333, "pointed_low": low, "pointed_high": high, "cells": 12}
    rows = table()
    assert [row["model"] for row in rows] == ["resnet", "alexnet"]
    assert rows[0] == {
        "model": "resnet",
        "hits": "4",
        "cells": "12",
        "share": "0.3333",
        "low": str(low),
        "high": str(high),
        "chance": "0.3333",
        "centre": "0.3333",
    }
    assert "in 4 of 12 cells (95 % interval 0.138 to 0.609)" in capsys.readouterr().out


def test_a_whole_smear_lies_in_the_middle_of_its_input(place: Path) -> None:
    project.set_params(place, {"image.input": "whole"})
    annotate(IMAGES[:4], Box(0, 0, 640, 160))
    attention.main()
    # 64 rows show 640: 16 of padding, 16 + 1 (the margin of 10 pixels) of the box, and 1 above; all columns.
    assert float(table()[0]["chance"]) == pytest.approx(18 / 64, abs=1e-4)


def test_each_model_has_its_picture_with_all_classes_or_its_mistakes(place: Path) -> None:
    annotate(IMAGES, CROP)
    attention.main()
    heights = {}
    for model in ("resnet", "alexnet"):
        with Image.open(PLOTS / "attention" / f"{model}.png") as picture:
            heights[model] = picture.height
            assert picture.width == 960
    assert heights["resnet"] > heights["alexnet"] > 300  # four rows of right cells; two of mistakes


def test_the_map_is_that_of_the_predicted_class_by_the_network_of_the_fold(
    place: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint
) -> None:
    other = dict(build("squeezenet1_1", 4, SIZE, seed=4).state_dict())
    Checkpoint(**{**vars(checkpoint), "state": other}).save(Path("artifacts", "rendered", "models", "resnet", "1.ckpt"))
    said = np.arange(PARTS["test"]) % 4
    p = predictions(IMAGES, [0, 1] * 8, said, np.eye(4)[(said + 2) % 4])
    write_predictions(PLOTS / "predictions" / "resnet.csv", p)
    asked = []

    def spy(network: Any, images: Any, classes: list[int]) -> Any:
        asked.append((float(network.state_dict()["features.0.weight"].sum()), classes))
        return np.zeros((len(images), SIZE, SIZE), dtype=np.float32)

    monkeypatch.setattr(attention, "grad_cam", spy)
    attention.main()
    sums = [float(state["features.0.weight"].sum()) for state in (checkpoint.state, other)]
    assert asked[0] == (sums[0], [2, 0] * 4)  # the even cells, of the classes 0 and 2, called the other one
    assert asked[1] == (sums[1], [3, 1] * 4)


def test_without_annotations_there_is_no_share_and_still_a_picture(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attention.main()
    assert figures("resnet") == {"cells": 0}
    assert table()[0] | {"model": ""} == dict.fromkeys(table()[0], "") | {"hits": "0", "cells": "0"}
    assert (PLOTS / "attention" / "resnet.png").is_file()
    assert "no tested cell is annotated" in capsys.readouterr().out


def test_a_model_that_grad_cam_can_t_explain_is_left_out_and_the_others_are_not(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    annotate(IMAGES, CROP)

    def refuse(*arguments: Any) -> Any:
        monkeypatch.setattr(attention, "grad_cam", grad_cam)
        raise NoMapsError("no maps of features in a VisionTransformer")

    monkeypatch.setattr(attention, "grad_cam", refuse)
    attention.main()
    assert "resnet is left out: no maps of features in a VisionTransformer" in capsys.readouterr().out
    assert [row["model"] for row in table()] == ["alexnet"]
    assert [path.name for path in METRICS.iterdir()] == ["alexnet.json"]


def test_the_same_bytes_come_again(place: Path) -> None:
    annotate(IMAGES[:8], Box(CROP.left, CROP.top, CROP.left + 30, CROP.top + 30))
    results = []
    for _ in range(2):
        attention.main()
        files = [PLOTS / "pointing.csv", METRICS / "resnet.json", PLOTS / "attention" / "resnet.png"]
        results.append([path.read_bytes() for path in files])
    assert results[0] == results[1]


def test_a_missing_checkpoint_is_named_and_nothing_is_left(place: Path) -> None:
    Path("artifacts", "rendered", "models", "alexnet", "0.ckpt").unlink()
    assert "alexnet/0.ckpt is missing" in error_of(attention.main)
    left = [path for path in (*Path("plots").rglob("*"), *Path("metrics").rglob("*")) if path.is_file()]
    assert {path.parent.name for path in left} == {"predictions"}
