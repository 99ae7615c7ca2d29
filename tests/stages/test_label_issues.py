import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from bloodcells.core.classes import CLASSES
from bloodcells.core.geometry import Box
from bloodcells.core.parameters import read_params
from bloodcells.core.pixels import PixelWriter
from bloodcells.inference.predictions import predictions, write_predictions
from stages import doubt
from tests.project import set_params

SIZE, CELLS = 64, 30
PARAMS = Path(__file__).parents[2] / "params.yaml"
PLOTS = Path("plots", "rendered")
TWINS = (5, 20)
MODELS = ("resnet", "efficientnet", "alexnet")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cells of which two show the same, moved a little, under different labels; all models are right."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes(PARAMS.read_bytes())
    set_params(tmp_path, {"dataset": "rendered", "image.side": SIZE})
    noise = np.random.default_rng(0).normal(0, 1, (CELLS, SIZE + 8, SIZE + 8, 3))
    photos = np.where(gaussian_filter(noise, (0, 3, 3, 0)) > 0, 200, 60).astype(np.uint8)  # so few colours pack well
    folder = tmp_path / "artifacts" / "rendered" / "pixels"
    folder.mkdir(parents=True)
    writer = PixelWriter(folder, CELLS, SIZE)
    for number, photo in enumerate(photos):
        crop = photos[TWINS[0], 4:-4, 8:] if number == TWINS[1] else photo[4:-4, 4:-4]
        writer.add(f"{number}.jpg", (640, 480), 30.0, Box(0, 0, SIZE, SIZE), crop)
    writer.close()
    predict(set())
    return tmp_path


def predict(wrong: set[int], models: tuple[str, ...] = MODELS) -> None:
    actual = np.arange(CELLS) % 4
    said = np.where(np.isin(np.arange(CELLS), list(wrong)), (actual + 1) % 4, actual)
    chances = np.full((CELLS, 4), 0.1)
    chances[np.arange(CELLS), said] = 0.7
    for model in models:
        p = predictions([f"{i}.jpg" for i in range(CELLS)], np.zeros(CELLS), actual, chances)
        write_predictions(PLOTS / "predictions" / f"{model}.csv", p)


def rows() -> list[dict[str, str]]:
    with (PLOTS / "doubt.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def height() -> int:
    with Image.open(PLOTS / "doubt.png") as picture:
        return picture.height


def test_wrong_labels_are_listed_before_twins_and_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doubt.main()
    assert "0 of 30 labels are contradicted by most of 3 models, 0 by all" in capsys.readouterr().out
    empty = height()
    predict({3, 7, 11})
    predict({3, 7}, ("alexnet",))
    doubt.main()
    found = rows()
    assert [row["image"] for row in found] == ["3.jpg", "7.jpg", "11.jpg", "5.jpg", "20.jpg"]
    assert [row["models_against"] for row in found] == ["3", "3", "2", "0", "0"]
    assert [row["suggested"] for row in found[:3]] == [CLASSES[0]] * 3
    assert [(row["twin"], row["twin_label"]) for row in found[3:]] == [("20.jpg", CLASSES[0]), ("5.jpg", CLASSES[1])]
    assert "3 of 30 labels are contradicted by most of 3 models, 2 by all" in capsys.readouterr().out
    assert height() > empty + 100


def test_the_same_files_give_the_same_table(project: Path) -> None:
    predict({3})
    doubt.main()
    first = (PLOTS / "doubt.csv").read_bytes()
    doubt.main()
    assert (PLOTS / "doubt.csv").read_bytes() == first


def test_a_page_shows_no_more_than_it_says(project: Path) -> None:
    predict(set(range(12)))
    doubt.main()
    some = height()
    predict(set(range(CELLS)))
    doubt.main()
    assert len(rows()) == CELLS
    assert height() < 2 * some


def test_one_model_alone_is_told_as_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_params(project, {"models": {"resnet": read_params().models["resnet"].model_dump()}})
    predict({3})
    doubt.main()
    assert "1 of 30 labels are contradicted by the model: " in capsys.readouterr().out
