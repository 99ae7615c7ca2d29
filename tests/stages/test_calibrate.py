import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from bloodcells.core.files import write_csv
from bloodcells.inference.predictions import Predictions, read_predictions, write_predictions
from bloodcells.inference.temperature import temperature_scaled
from stages import calibrate
from tests.stages.prepared import PATHS
from tests.support import project
from tests.support.smallset import CLASSES
from tests.support.workplace import error_of, table

MODELS = ("resnet", "alexnet")
N_CELLS = 90  # of three folds, of which two are tested
CALIBRATION, SELECTION = PATHS.table("calibration"), PATHS.table("selective_prediction")
RELIABILITY, RISK_COVERAGE = PATHS.chart("reliability"), PATHS.chart("risk_coverage")


def predict(path: Path, model: str, numbers: list[int], folds: list[int]) -> None:
    """Write underconfident predictions: classes are drawn from probabilities, which are flattened afterwards."""
    random = np.random.default_rng(len(model))
    probabilities = random.dirichlet(np.full(4, 0.3), N_CELLS)
    actual = [random.choice(4, p=row) for row in probabilities]
    flat = np.sqrt(probabilities)
    flat /= flat.sum(axis=1, keepdims=True)
    images = [f"{i}.jpg" for i in numbers]
    write_predictions(
        path, Predictions.from_probabilities(images, folds, [actual[i] for i in numbers], flat[numbers], CLASSES)
    )


def write_cells(count: int, patients: int | None = None) -> None:
    """Assign cells to folds in turn: 0, 1, 2, 0, … With patients, each has the same number of cells of one fold."""
    rows = [(f"{i}.jpg", CLASSES[0], i % 3, i % patients if patients else "", f"{i}.jpg") for i in range(count)]
    write_csv(PATHS.cells, ("image", "label", "fold", "group", "file"), rows)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which everything before this stage has run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["calibrate"])
    shutil.copyfile(project.ROOT / "params.yaml", "params.yaml")
    project.set_params(tmp_path, {"dataset": "rendered", "compare.resamples": 100, "evaluate.target_error": 0.2})
    project.set_params(tmp_path, {"models": dict.fromkeys(MODELS)})
    write_cells(N_CELLS)
    tested = [i for i in range(N_CELLS) if i % 3 < 2]
    # Cells of fold 2 are in the validation parts of both folds, those of folds 0 and 1 in that of the other.
    validated = [(i, fold) for fold in (0, 1) for i in range(N_CELLS) if i % 3 != fold]
    for model in MODELS:
        predict(PATHS.predictions(model), model, tested, [i % 3 for i in tested])
        predict(PATHS.validation(model), model, [i for i, _ in validated], [fold for _, fold in validated])
    return tmp_path


def test_each_model_has_rows_in_each_table() -> None:
    calibrate.main()
    assert [(row["model"], row["probabilities"]) for row in table(CALIBRATION)] == [
        (model, kind) for model in MODELS for kind in ("raw", "temperature-scaled")
    ]
    for path in (RELIABILITY, RISK_COVERAGE, SELECTION):
        assert {row["model"] for row in table(path)} == set(MODELS)
        assert "nan" not in path.read_text()
    assert {row["target"] for row in table(SELECTION)} == {"0.2"}


def test_a_target_that_validation_can_not_show_leaves_thresholds_that_accept_nothing(place: Path) -> None:
    project.set_params(place, {"evaluate.target_error": 0.03})  # 76 correct cells could show it, and there are 120
    calibrate.main()
    rows = [row for row in table(SELECTION) if row["model"] == "resnet" and row["fold"] == "all"]
    assert [(row["accepted"], row["coverage"], row["error_rate"]) for row in rows] == [("0", "0.0", "")] * 2
    assert {row["cells_needed"] for row in rows} == {"76"}
    assert {row["point"] for row in table(RISK_COVERAGE) if row["model"] == "resnet"} == {"curve"}


def test_accepted_predictions_can_be_counted_again_from_the_tables() -> None:
    calibrate.main()
    p = read_predictions(PATHS.predictions("resnet"))
    row = next(row for row in table(SELECTION) if (row["part"], row["fold"]) == ("test", "1"))
    fold = p.select(p.folds == 1)
    confidence = temperature_scaled(fold.probabilities, float(row["temperature"])).max(axis=1)
    accepted = confidence >= float(row["threshold"])
    assert (int(row["cells"]), int(row["accepted"])) == (30, accepted.sum())
    assert int(row["errors"]) == (~fold.correct[accepted]).sum()
    assert 0 < accepted.sum() < 30


def test_with_patients_the_intervals_change_and_nothing_else() -> None:
    calibrate.main()
    cells = {path: table(path) for path in (CALIBRATION, SELECTION)}
    write_cells(N_CELLS, patients=12)
    calibrate.main()
    for path, rows in cells.items():
        for before, after in zip(rows, table(path), strict=True):
            changed = {column for column in before if before[column] != after[column]}
            assert all(column.endswith(("_low", "_high", "_expected")) for column in changed)  # the last by chance
    before, after = cells[CALIBRATION][0], table(CALIBRATION)[0]
    assert before["accuracy_low"] != after["accuracy_low"]
    assert before["ece_low"] != after["ece_low"] or before["ece_high"] != after["ece_high"]


def test_calibrating_twice_gives_the_same_bytes() -> None:
    def written() -> list[bytes]:
        calibrate.main()
        return [path.read_bytes() for path in (CALIBRATION, SELECTION, RELIABILITY, RISK_COVERAGE)]

    assert written() == written()


def test_the_labels_of_a_tested_fold_do_not_change_its_rule() -> None:
    def rules() -> dict[str, tuple[str, str]]:
        calibrate.main()
        return {
            row["fold"]: (row["temperature"], row["threshold"])
            for row in table(SELECTION)
            if row["model"] == "resnet" and row["part"] == "test"
        }

    before = rules()
    path = PATHS.validation("resnet")
    p = read_predictions(path, validation=True)
    own = np.array([int(image.split(".")[0]) % 3 == 1 for image in p.images])
    actual = np.where(own, (p.actual + 1) % 4, p.actual)
    write_predictions(path, Predictions.from_probabilities(p.images, p.folds, actual, p.probabilities, CLASSES))
    after = rules()
    assert after["1"] == before["1"]
    assert after["0"] != before["0"]


@pytest.mark.parametrize(
    ("number", "fold", "message"),
    [
        (3, 0, "3.jpg is a validation cell of fold 0, but artifacts/rendered/cells.csv tests it in fold 0 as well"),
        (89, 1, "89.jpg is a validation cell of fold 1, but artifacts/rendered/cells.csv does not name it"),
    ],
)
def test_a_validation_cell_of_its_own_test_fold_or_of_none_is_refused(number: int, fold: int, message: str) -> None:
    predict(PATHS.validation("resnet"), "resnet", [number], [fold])
    write_cells(N_CELLS - 1)
    assert f"validation/resnet.csv: {message}" in error_of(calibrate.main)
    assert not CALIBRATION.exists()


@pytest.mark.parametrize("path", [PATHS.validation("alexnet"), PATHS.predictions("alexnet"), PATHS.cells])
def test_a_missing_file_is_named(path: Path) -> None:
    path.unlink()
    assert f"{path} is missing" in error_of(calibrate.main)
