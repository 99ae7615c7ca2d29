"""The pages of the stage report, from tables that the stages before it write."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from bloodcells.core.files import write_csv, write_text
from bloodcells.inference.predictions import Predictions, write_predictions
from stages import calibrate, compare, report
from tests.stages.prepared import PATHS
from tests.support import project, workplace
from tests.support.smallset import CLASSES
from tests.support.workplace import error_of, table

N_CELLS = 60
CORRECT = {"resnet": range(40), "efficientnet": range(10, 60), "alexnet": range(20, 60)}
"""The cells that each model gets right: in pairs, the one that is ahead is the first or the second."""


def predict(path: Path, correct: range, validation: bool = False) -> None:
    """Write predictions of the cells of fold 0, or of validation cells of its network, which other folds test."""
    actual = np.arange(N_CELLS) % 4
    predicted = np.where(np.isin(np.arange(N_CELLS), correct), actual, (actual + 1) % 4)
    probabilities = 0.1 * np.ones((N_CELLS, 4)) + 0.6 * np.eye(4)[predicted]
    images = [f"{i + validation * N_CELLS}.jpg" for i in range(N_CELLS)]
    write_predictions(path, Predictions.from_probabilities(images, np.zeros(N_CELLS), actual, probabilities, CLASSES))


def write_cells(patients: int = 0) -> None:
    cells = [
        (f"{i}.jpg", CLASSES[i % 4], i // N_CELLS, i % patients if patients else "", f"{i}.jpg")
        for i in range(2 * N_CELLS)
    ]
    write_csv(PATHS.cells, ("image", "label", "fold", "group", "file"), cells)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which everything before this stage has run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["report"])
    workplace.configure(tmp_path, "rendered")
    changes = {"test_folds": [0], "compare.resamples": 200, "models": dict.fromkeys(CORRECT)}
    project.set_params(tmp_path, changes)
    write_cells()
    for model, correct in CORRECT.items():
        predict(PATHS.predictions(model), correct)
        predict(PATHS.validation(model), correct, validation=True)
        write_csv(PATHS.curves(model, 0), compare.CURVES, [("train", 1, 0.5, 0.5)])
        write_text(PATHS.provenance(model), json.dumps({"evaluation": {"commit": "0" * 40}}))
    compare.main()
    calibrate.main()
    write_csv(PATHS.table("label_issues"), ("rank", "image"), [(1, "7.jpg")])
    columns = ("check", "description", "value", "allowed", "passed")
    data = [
        ("duplicates", "near-duplicate pairs in total", 3, "", ""),
        ("overlap", "images in two parts", 0, "0", "yes"),
    ]
    write_csv(PATHS.checks("data"), columns, data)
    write_csv(PATHS.checks("models"), columns, [("again", "computed again", 0, "0", "yes")])
    counts = [(c, "labeled", 21) for c in CLASSES] + [("null", "labeled", 3)] + [(c, "kept", 20) for c in CLASSES]
    write_csv(PATHS.chart("counts"), ("class", "step", "count"), counts)
    dropped = [(n, "a.jpg", "", "null: no label") for n in range(3)] + [(9, "b.jpg", "", "double")] * 4
    write_csv(PATHS.chart("dropped"), ("line", "image", "labels", "reason"), dropped)
    write_text(PATHS.localization, json.dumps({"localization_accuracy": 0.95, "images": 40}))
    return tmp_path


def page(name: str) -> str:
    return " ".join((PATHS.report / f"{name}.md").read_text().split())


def test_every_figure_on_the_comparison_is_that_of_the_table() -> None:
    report.main()
    text = page("comparison")
    for row in table(PATHS.chart("accuracy")):
        assert f"{row['correct']} of {row['cells']}" in text
        assert f"{float(row['mean_sensitivity']):.3f} | {float(row['mean_specificity']):.3f}" in text
    assert "Tested on 60 of the 120 kept cells (fold 0 of 2)" in text


def test_a_pair_is_told_from_the_side_of_the_model_that_is_ahead() -> None:
    report.main()
    lines = dict(re.findall(r"- (\*\*.+?\*\*|\w+ and \w+: \*\*.+?\*\*)\. (.+?)(?= - |\Z)", page("comparison")))
    pairs = {(row["first"], row["second"]): row for row in table(PATHS.table("pairs"))}
    second_ahead = lines["resnet and efficientnet: **no difference shown**"]
    assert "efficientnet is ahead by 0.167 (" in second_ahead
    assert "Only efficientnet is correct on 20 cells, only resnet on 10" in second_ahead
    first_ahead = lines["**efficientnet is better than alexnet**"]
    assert "Only efficientnet is correct on 10 cells, only alexnet on 0" in first_ahead
    row = pairs["efficientnet", "alexnet"]
    low, high = -float(row["high"]), -float(row["low"])
    assert f"efficientnet is ahead by 0.167 ({low:.3f} to {high:.3f})" in first_ahead
    tied = lines["resnet and alexnet: **no difference shown**"]
    assert "each on 20 cells that the other gets wrong" in tied


def test_with_groups_the_pages_say_that_they_are_what_is_resampled_and_tested() -> None:
    write_cells(patients=10)
    compare.main()
    calibrate.main()
    report.main()
    assert "Wilson, which take the 10 groups" in page("comparison")
    assert "an exact sign-flip test" in page("comparison")
    assert "McNemar" not in page("comparison")
    assert "the intervals take the 10 groups as independent" in page("calibration")


def test_only_with_near_duplicates_the_comparison_warns_of_them() -> None:
    write_text(PATHS.source, json.dumps({"source": "folder"}))
    report.main()
    assert "treat the cells as independent, although some images show the same cells, and" in page("comparison")
    path = PATHS.checks("data")
    path.write_text(path.read_text().replace("near-duplicate pairs in total,3", "near-duplicate pairs in total,0"))
    report.main()
    assert "treat the cells as independent, and each network" in page("comparison")


def test_failed_checks_are_counted_and_values_without_limits_are_not() -> None:
    report.main()
    assert "all 2 passed" in page("checks")
    write_csv(
        PATHS.checks("models"), ("check", "description", "value", "allowed", "passed"), [("a", "b", 9, "0", "no")]
    )
    report.main()
    assert "1 of 2 failed" in page("checks")
    assert [row["passed"] for row in table(PATHS.report / "checks.csv")] == ["", "yes", "no"]


def test_the_page_of_the_data_counts_rows_by_class_and_by_reason() -> None:
    report.main()
    text = page("data")
    assert "80 of 87 rows of the label table are kept, 7 are dropped" in text
    assert re.search(r"\| null: no label \| +3 \|", text)
    assert re.search(r"\| null \| +3 \| +\|", text)
    assert "95.0 % of 40 annotated images" in text
    assert "3 pairs of images are near-duplicates;" in text


def test_tables_and_provenance_are_published() -> None:
    report.main()
    for source, published in [
        (PATHS.table("pairs"), "pairs.csv"),
        (PATHS.validation("resnet"), "validation/resnet.csv"),
        (PATHS.provenance("alexnet"), "provenance/alexnet.json"),
    ]:
        assert (PATHS.report / published).read_bytes() == source.read_bytes()


def test_a_model_that_is_gone_leaves_the_report(place: Path) -> None:
    report.main()
    project.set_params(place, {"models": dict.fromkeys(["resnet", "alexnet"])})
    compare.main()
    calibrate.main()
    report.main()
    assert "efficientnet" not in page("comparison") + page("calibration")
    assert not (PATHS.report / "provenance" / "efficientnet.json").exists()


def test_a_missing_table_is_an_error_that_leaves_the_last_report_as_it_is() -> None:
    report.main()
    before = {path: path.read_bytes() for path in PATHS.report.rglob("*") if path.is_file()}
    PATHS.table("pairs").unlink()
    assert str(PATHS.table("pairs")) in error_of(report.main)
    assert {path: path.read_bytes() for path in PATHS.report.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("path", "content"), [(PATHS.table("pairs"), ""), (PATHS.localization, "{"), (PATHS.table("pairs"), 'a\n"b')]
)
def test_a_damaged_input_is_a_one_line_error(path: Path, content: str) -> None:
    path.write_text(content)
    assert str(path) in error_of(report.main)


def test_thresholds_fitted_on_too_few_cells_are_not_said_to_be_shown(place: Path) -> None:
    project.set_params(place, {"evaluate.target_error": 0.035})  # takes 65 cells
    calibrate.main()
    report.main()
    assert "is too small to show" in page("calibration")
    project.set_params(place, {"evaluate.target_error": 0.05})  # takes 45
    calibrate.main()
    report.main()
    assert "is too small to show" not in page("calibration")


def test_show_prints_the_comparison(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["report", "--show"])
    assert "dvc repro" in error_of(report.main)
    monkeypatch.setattr(sys, "argv", ["report"])
    report.main()
    monkeypatch.setattr(sys, "argv", ["report", "--show"])
    report.main()
    assert (PATHS.report / "comparison.md").read_text() in capsys.readouterr().out
