import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bloodcells.core.files import write_csv
from bloodcells.core.geometry import Box
from bloodcells.core.prepared_cells import INDEX
from bloodcells.evaluation.grad_cam import NoMapsError
from bloodcells.evaluation.grad_cam import grad_cam as heat_maps
from bloodcells.inference.predictions import Predictions, write_predictions
from stages import grad_cam
from tests.stages.prepared import PARTS, PATHS, SIZE, prepare, untrained
from tests.support import project
from tests.support.smallset import CLASSES
from tests.support.workplace import error_of, table

IMAGE_SIZE = (640, 320)
CROP = Box(300, 200, 300 + SIZE, 200 + SIZE)
"""The part of each image that the prepared pixels show, by the index."""

IMAGES = [f"test{number}.jpg" for number in range(PARTS["test"])]
ACTUAL = np.arange(PARTS["test"]) % 4
CHART, PICTURES = PATHS.chart("pointing_game"), PATHS.plots / "grad_cam"
ANNOTATION = (
    "<annotation><object><name>WBC</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>"
    "</object></annotation>"
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which two models were tested on the cells of fold 0, one always correct and one always wrong."""
    monkeypatch.chdir(prepare(tmp_path))
    monkeypatch.setattr(sys, "argv", ["grad_cam"])
    project.set_params(tmp_path, {"models": {"resnet": None, "alexnet": None}})
    keep([(image, image, *[""] * 4) for image in IMAGES])
    index = PATHS.pixels / INDEX
    rows = [(row["image"], CROP.left, CROP.top, SIZE, *IMAGE_SIZE, 30.0) for row in table(index)]
    write_csv(index, ("image", "left", "top", "side", "width", "height", "stain"), rows)
    for model, predicted in (("resnet", ACTUAL), ("alexnet", (ACTUAL + 1) % 4)):
        untrained().save(PATHS.checkpoint(model, 0))
        predict(model, predicted)
    annotate(["of no tested cell.jpg"], CROP)
    return tmp_path


def keep(cells: list[tuple[object, ...]]) -> None:
    """Write the table of kept cells: name, image and box of each."""
    write_csv(PATHS.cells, ("image", "file", "left", "top", "right", "bottom"), cells)


def predict(model: str, predicted: np.ndarray, folds: list[int] | None = None) -> None:
    p = Predictions.from_probabilities(IMAGES, folds or [0] * len(IMAGES), ACTUAL, np.eye(4)[predicted], CLASSES)
    write_predictions(PATHS.predictions(model), p)


def annotate(images: list[str], box: Box) -> None:
    for part in ("Annotations", "JPEGImages"):
        (PATHS.raw / part).mkdir(parents=True, exist_ok=True)
    for image in images:
        Image.new("RGB", IMAGE_SIZE).save(PATHS.raw / "JPEGImages" / image)
        text = ANNOTATION.format(box.left + 1, box.top + 1, box.right, box.bottom)
        (PATHS.raw / "Annotations" / f"{Path(image).stem}.xml").write_text(text)


def test_boxes_in_the_image_are_mapped_to_the_crop(capsys: pytest.CaptureFixture[str]) -> None:
    """A quarter of the cells fill their crop, a half lie outside of it, a quarter are not annotated."""
    annotate(IMAGES[:4], CROP)
    annotate(IMAGES[4:8], Box(0, 0, SIZE, SIZE))  # would fill the input if crop and image were confused
    annotate(IMAGES[8:12], Box(CROP.left, CROP.bottom + 20, CROP.right, CROP.bottom + 84))
    grad_cam.main()
    rows = table(CHART)
    assert [row["model"] for row in rows] == ["resnet", "alexnet"]
    assert rows[0] == {
        "model": "resnet",
        "hits": "4",
        "cells": "12",
        "accuracy": "0.333333",
        "low": "0.13812",  # Wilson's interval of 4 of 12
        "high": "0.609378",
        "chance": "0.333333",
        "center": "0.333333",
    }
    assert "in 4 of 12 cells (0.138 to 0.609)" in capsys.readouterr().out


def test_the_target_of_a_cell_in_a_box_is_its_own_box() -> None:
    """All cells are in one image: a quarter of the boxes fill their crop, the others lie outside of it."""
    (PATHS.raw / "JPEGImages").mkdir(parents=True, exist_ok=True)
    fills, outside = (CROP.left, CROP.top, CROP.right, CROP.bottom), (0, 0, SIZE, SIZE)
    keep([(cell, "smear.jpg", *(fills if number < 4 else outside)) for number, cell in enumerate(IMAGES)])
    annotate(["smear.jpg"], CROP)
    grad_cam.main()
    assert [table(CHART)[0][column] for column in ("hits", "cells", "chance")] == ["4", "16", "0.25"]


def test_a_full_image_is_in_the_middle_of_its_input(place: Path) -> None:
    project.set_params(place, {"image.input": "full"})
    annotate(IMAGES[:4], Box(0, 0, 640, 160))
    grad_cam.main()
    # 640 columns and 320 rows become 64 and 32. The box covers 16 of these rows, its margin of 10 pixels one row above
    # (of the padding) and one below.
    assert float(table(CHART)[0]["chance"]) == pytest.approx(18 / 64, abs=1e-4)


def test_each_model_has_a_picture_of_correct_cells_or_mistakes() -> None:
    annotate(IMAGES, CROP)
    grad_cam.main()
    heights = {}
    for model in ("resnet", "alexnet"):
        with Image.open(PICTURES / f"{model}.png") as picture:
            heights[model] = picture.height
            assert picture.width == 960
    assert heights["resnet"] > heights["alexnet"] > 300  # four rows of correct cells; two rows of mistakes


def test_maps_are_of_the_predicted_class_and_from_the_network_of_the_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    untrained(seed=4).save(PATHS.checkpoint("resnet", 1))
    predict("resnet", (ACTUAL + 2) % 4, folds=[0, 1] * 8)
    calls = []

    def spy(network: Any, images: Any, classes: list[int]) -> Any:
        calls.append((float(network.state_dict()["features.0.weight"].sum()), classes))
        return np.zeros((len(images), SIZE, SIZE), dtype=np.float32)

    monkeypatch.setattr(grad_cam, "grad_cam", spy)
    grad_cam.main()
    sums = [float(untrained(seed=seed).state["features.0.weight"].sum()) for seed in (3, 4)]
    assert calls[:2] == [(sums[0], [2, 0] * 4), (sums[1], [3, 1] * 4)]


def test_without_annotated_cells_there_is_no_accuracy_but_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    grad_cam.main()
    row = table(CHART)[0]
    assert row == dict.fromkeys(row, "") | {"model": "resnet", "hits": "0", "cells": "0"}
    assert (PICTURES / "resnet.png").is_file()
    assert "no tested cell is annotated" in capsys.readouterr().out


def test_a_model_that_grad_cam_can_not_explain_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    annotate(IMAGES, CROP)

    def refuse(*arguments: Any) -> Any:
        monkeypatch.setattr(grad_cam, "grad_cam", heat_maps)
        raise NoMapsError("no feature maps in a VisionTransformer")

    monkeypatch.setattr(grad_cam, "grad_cam", refuse)
    grad_cam.main()
    assert "resnet is left out: no feature maps in a VisionTransformer" in capsys.readouterr().out
    assert [row["model"] for row in table(CHART)] == ["alexnet"]
    assert [path.name for path in PICTURES.iterdir()] == ["alexnet.png"]


def test_a_second_run_writes_the_same_bytes() -> None:
    annotate(IMAGES[:8], Box(CROP.left, CROP.top, CROP.left + 30, CROP.top + 30))

    def written() -> list[bytes]:
        grad_cam.main()
        return [path.read_bytes() for path in (CHART, PICTURES / "resnet.png", PICTURES / "alexnet.png")]

    assert written() == written()


def test_a_missing_checkpoint_is_named_and_nothing_is_left() -> None:
    PATHS.checkpoint("alexnet", 0).unlink()
    assert f"{PATHS.checkpoint('alexnet', 0)} is missing" in error_of(grad_cam.main)
    assert [path.name for path in PATHS.plots.iterdir()] == ["predictions"]
