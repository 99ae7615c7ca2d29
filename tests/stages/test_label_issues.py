import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from bloodcells.core.geometry import Box
from bloodcells.core.prepared_cells import PixelWriter
from bloodcells.inference.predictions import Predictions, write_predictions
from stages import label_issues
from tests.stages.prepared import PATHS, SIZE
from tests.support import project
from tests.support.smallset import CLASSES
from tests.support.workplace import error_of, table

CELLS = 30
SAME_CELL = (5, 20)
MODELS = ("resnet", "efficientnet", "alexnet")
TABLE, PICTURE = PATHS.table("label_issues"), PATHS.plots / "label_issues.png"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the cells show the same one, slightly shifted, with different labels; all models are correct."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["label_issues"])
    shutil.copyfile(project.ROOT / "params.yaml", "params.yaml")
    project.set_params(tmp_path, {"dataset": "rendered"})
    noise = np.random.default_rng(0).normal(0, 1, (CELLS, SIZE + 8, SIZE + 8, 3))
    photos = np.where(gaussian_filter(noise, (0, 3, 3, 0)) > 0, 200, 60).astype(np.uint8)
    PATHS.pixels.mkdir(parents=True)
    writer = PixelWriter(PATHS.pixels, CELLS, SIZE)
    for number, photo in enumerate(photos):
        crop = photos[SAME_CELL[0], 4:-4, 8:] if number == SAME_CELL[1] else photo[4:-4, 4:-4]
        writer.add(f"{number}.jpg", (640, 480), 30.0, Box(0, 0, SIZE, SIZE), crop)
    writer.close()
    predict(set())


def predict(wrong: set[int], models: tuple[str, ...] = MODELS) -> None:
    """Write predictions that are wrong for some cells: the next class."""
    actual = np.arange(CELLS) % 4
    predicted = np.where(np.isin(np.arange(CELLS), list(wrong)), (actual + 1) % 4, actual)
    probabilities = np.full((CELLS, 4), 0.1)
    probabilities[np.arange(CELLS), predicted] = 0.7
    images = [f"{i}.jpg" for i in range(CELLS)]
    for model in models:
        p = Predictions.from_probabilities(images, np.zeros(CELLS), actual, probabilities, CLASSES)
        write_predictions(PATHS.predictions(model), p)


def height() -> int:
    with Image.open(PICTURE) as picture:
        return picture.height


def test_contradicted_labels_come_before_near_duplicates(capsys: pytest.CaptureFixture[str]) -> None:
    label_issues.main()
    assert "0 of 30 labels are contradicted by most models, 0 by all" in capsys.readouterr().out
    before = height()
    predict({3, 7, 11})
    predict({3, 7}, ("alexnet",))
    label_issues.main()
    found = table(TABLE)
    assert [row["image"] for row in found] == ["3.jpg", "7.jpg", "11.jpg", "5.jpg", "20.jpg"]
    assert [row["n_models_disagreeing"] for row in found] == ["3", "3", "2", "0", "0"]
    assert [row["predicted_label"] for row in found] == [CLASSES[0]] * 3 + ["", ""]
    assert [(row["near_duplicate"], row["near_duplicate_label"]) for row in found[3:]] == [
        ("20.jpg", CLASSES[0]),
        ("5.jpg", CLASSES[1]),
    ]
    assert [
        found[0][name] for name in ("label_quality", "self_confidence", *(f"self_confidence_{m}" for m in MODELS))
    ] == ["0.2", *["0.1"] * 4]
    assert "3 of 30 labels are contradicted by most models, 2 by all" in capsys.readouterr().out
    assert height() > before


def test_a_second_run_writes_the_same_bytes() -> None:
    predict({3})
    label_issues.main()
    first = TABLE.read_bytes(), PICTURE.read_bytes()
    label_issues.main()
    assert (TABLE.read_bytes(), PICTURE.read_bytes()) == first


def test_the_table_is_complete_and_the_picture_shows_a_limited_number() -> None:
    predict(set(range(label_issues.SHOWN)))
    label_issues.main()
    full = height()
    predict(set(range(CELLS)))
    label_issues.main()
    assert len(table(TABLE)) == CELLS
    assert height() == full


def test_one_model_is_enough(capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> None:
    project.set_params(Path(), {"models": {"resnet": None}})
    predict({3})
    label_issues.main()
    assert "1 of 30 labels are contradicted by most models, 1 by all" in capsys.readouterr().out
    assert [row["image"] for row in table(TABLE)] == ["3.jpg", "5.jpg", "20.jpg"]
    assert not recwarn.list


def test_missing_predictions_are_named() -> None:
    PATHS.predictions("alexnet").unlink()
    assert f"{PATHS.predictions('alexnet')} is missing" in error_of(label_issues.main)
    assert not TABLE.exists()
