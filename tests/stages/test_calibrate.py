import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv
from bloodcells.inference.predictions import predictions, read_predictions, write_predictions
from bloodcells.inference.temperature import temperature_scaled
from stages import calibrate

PARAMS = Path(__file__).parents[2] / "params.yaml"
PLOTS = Path("plots", "rendered")
CELLS = 90  # of three folds, of which two are tested


def predict(model: str, part: str, numbers: list[int], folds: list[int]) -> None:
    random = np.random.default_rng(len(model))
    chances = random.dirichlet(np.full(4, 0.3), CELLS)
    actual = [random.choice(4, p=row) for row in chances]
    flat = np.sqrt(chances)
    flat /= flat.sum(axis=1, keepdims=True)
    p = predictions([f"{i}.jpg" for i in numbers], folds, [actual[i] for i in numbers], flat[numbers])
    write_predictions(PLOTS / part / f"{model}.csv", p)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which everything before this stage has run; fold i holds every third cell from i on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["calibrate"])
    params = yaml.safe_load(PARAMS.read_text())
    params |= {"dataset": "rendered", "test_folds": [0, 1], "compare": {"resamples": 100, "seed": 1}}
    params["evaluate"]["risk"] = 0.2
    params["models"] = dict.fromkeys(("resnet", "alexnet"), params["models"]["resnet"])
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    rows = [(f"{i}.jpg", CLASSES[0], i % 3) for i in range(CELLS)]
    write_csv(Path("artifacts", "rendered", "cells.csv"), ("image", "label", "fold"), rows)
    tested = [i for i in range(CELLS) if i % 3 < 2]
    # Cells of fold 2 are validated in both folds, those of folds 0 and 1 in the other's.
    validated = [(i, fold) for fold in (0, 1) for i in range(CELLS) if i % 3 != fold]
    for model in ("resnet", "alexnet"):
        predict(model, "predictions", tested, [i % 3 for i in tested])
        predict(model, "validation", [i for i, _ in validated], [fold for _, fold in validated])
    return tmp_path


def rows_of(name: str) -> list[dict[str, str]]:
    with (PLOTS / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_tables_pictures_and_a_page_are_left_and_the_page_is_printed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibrate.main()
    page = (PLOTS / "calibration.md").read_text()
    assert capsys.readouterr().out == page
    assert max(map(len, page.splitlines())) <= 80
    for said in ("resnet", "alexnet", "60 tested cells", "Abstaining", "90 % assurance", "20.0 %"):
        assert said in page
    assert [(row["model"], row["setting"]) for row in rows_of("calibration.csv")] == [
        (model, setting) for model in ("resnet", "alexnet") for setting in ("as it is", "with temperature")
    ]
    assert {row["model"] for row in rows_of("reliability.csv")} == {"resnet", "alexnet"}
    for name in ("reliability", "abstention"):
        with Image.open(PLOTS / f"{name}.png") as picture:
            assert picture.width > 800
    assert "nan" not in "".join(path.read_text() for path in PLOTS.glob("*.csv"))


@pytest.mark.parametrize(
    ("risk", "said"),
    [
        (0.001, "90 cells are too few to show that other answers keep this risk: 2302, all right, would be the fewest"),
        (0.03, "resnet none (it never answers)"),  # 76 cells would be enough, if they were right
    ],
)
def test_the_page_says_when_validation_can_not_show_a_risk(project: Path, risk: float, said: str) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["evaluate"]["risk"] = risk
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    calibrate.main()
    assert said in " ".join((PLOTS / "calibration.md").read_text().split())


def test_the_answers_can_be_counted_again_from_the_tables(project: Path) -> None:
    calibrate.main()
    tested = read_predictions(PLOTS / "predictions" / "resnet.csv")
    row = next(row for row in rows_of("abstention.csv") if (row["part"], row["fold"]) == ("test", "1"))
    of = tested.folds == 1
    sure = temperature_scaled(tested.probabilities[of], float(row["temperature"])).max(axis=1)
    answered = sure >= float(row["threshold"])
    assert (int(row["cells"]), int(row["answered"])) == (30, answered.sum())
    assert int(row["wrong"]) == (tested.predicted != tested.actual)[of][answered].sum()
    assert 0 < answered.sum() < 30


def test_calibrating_twice_gives_the_same_bytes(project: Path) -> None:
    calibrate.main()
    first = {path: path.read_bytes() for path in PLOTS.glob("*.*")}
    calibrate.main()
    assert {path: path.read_bytes() for path in PLOTS.glob("*.*")} == first
    assert len(first) == 6


def test_labels_of_a_tested_fold_change_nothing_in_its_rule(project: Path) -> None:
    def rules() -> dict[str, tuple[str, str]]:
        return {
            row["fold"]: (row["temperature"], row["threshold"])
            for row in rows_of("abstention.csv")
            if row["model"] == "resnet" and row["part"] == "test"
        }

    calibrate.main()
    before = rules()
    path = PLOTS / "validation" / "resnet.csv"
    p = read_predictions(path, validation=True)
    own = np.array([int(image.split(".")[0]) % 3 == 1 for image in p.images])
    write_predictions(
        path, predictions(p.images, p.folds, np.where(own, (p.actual + 1) % 4, p.actual), p.probabilities)
    )
    calibrate.main()
    assert rules()["1"] == before["1"]
    assert rules()["0"] != before["0"]


@pytest.mark.parametrize(
    ("number", "fold", "message"),
    [
        (3, 0, r"validation/resnet\.csv: 3\.jpg .* of fold 0, but .*cells\.csv tests it in fold 0 as well"),
        (89, 1, r"89\.jpg .* of fold 1, but .*cells\.csv does not name it"),
    ],
)
def test_a_validation_cell_of_its_own_test_fold_or_of_none_is_refused(
    project: Path, number: int, fold: int, message: str
) -> None:
    predict("resnet", "validation", [number], [fold])
    rows = [(f"{i}.jpg", CLASSES[0], i % 3) for i in range(CELLS - 1)]
    write_csv(Path("artifacts", "rendered", "cells.csv"), ("image", "label", "fold"), rows)
    with pytest.raises(InputError, match=message):
        calibrate.main()
    assert not (PLOTS / "calibration.csv").exists()


def test_missing_validation_predictions_are_named(project: Path) -> None:
    (PLOTS / "validation" / "alexnet.csv").unlink()
    with pytest.raises(InputError, match=r"validation/alexnet\.csv is missing"):
        calibrate.main()
