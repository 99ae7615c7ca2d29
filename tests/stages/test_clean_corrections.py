"""The stage `clean` with the files that readers saved in the page of `bloodcells relabel`."""

import shutil
import sys
from pathlib import Path

import pytest

from bloodcells.core.files import write_csv
from bloodcells.datasets.corrections import COLUMNS
from stages.clean import main
from tests.support import workplace
from tests.support.project import ROOT
from tests.support.workplace import PATHS, error_of, table

RECORDED = Path("datasets", "rendered")
CHANGES = PATHS.chart("label_changes")


@pytest.fixture(autouse=True)
def place(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["clean"])
    workplace.make(tmp_path, raw, clean__n_splits=2)
    shutil.copytree(ROOT / RECORDED, RECORDED, dirs_exist_ok=True)
    return tmp_path


def correct(name: str, rows: list[tuple[str, ...]], applied: bool = True) -> None:
    """Save a file of corrections, and name it in the record."""
    write_csv(RECORDED / "corrections" / name, COLUMNS, rows)
    record = RECORDED / "record.yaml"
    record.write_text(record.read_text() + (f"corrections: [corrections/{name}]\n" if applied else ""))


def test_a_correction_changes_the_label_downstream_and_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    assert table(CHANGES) == []
    assert CHANGES.read_text() == "image,old,new,reader,date,note,file\n"
    before = {row["image"]: row["label"] for row in table(PATHS.cells)}
    first, second, third = [image for image, label in before.items() if label == "neutrophil"][:3]
    correct(
        "ab.csv",
        [
            (first, "neutrophil", "monocyte", "AB", "2026-11-29", "'=kidney"),
            (second, "neutrophil", "drop", "AB", "2026-11-29", ""),
            (third, "neutrophil", "unsure", "AB", "2026-11-29", ""),
        ],
    )
    correct("cd.csv", [(third, "neutrophil", "monocyte", "CD", "2026-11-29", "")], applied=False)
    capsys.readouterr()
    main()
    assert "cd.csv is not applied" in capsys.readouterr().out
    after = {row["image"]: row["label"] for row in table(PATHS.cells)}
    assert after == {**{image: label for image, label in before.items() if image != second}, first: "monocyte"}
    assert {row["label"] for row in table(PATHS.split(0)) if row["image"] == first} <= {"monocyte"}
    assert [(row["image"], row["reason"]) for row in table(PATHS.chart("dropped")) if row["image"] == second] == [
        (second, "drop")
    ]
    assert [[row["image"], row["new"], row["note"], row["file"]] for row in table(CHANGES)] == [
        [first, "monocyte", "'=kidney", "corrections/ab.csv"],
        [second, "drop", "", "corrections/ab.csv"],
        [third, "unsure", "", "corrections/ab.csv"],
    ]
    steps = {(row["class"], row["step"]): int(row["count"]) for row in table(PATHS.chart("counts"))}
    assert steps["neutrophil", "labeled"] - steps["neutrophil", "kept"] >= 2


def test_a_correction_that_no_longer_fits_stops_the_stage() -> None:
    main()
    before = PATHS.cells.read_bytes()
    image = next(row["image"] for row in table(PATHS.cells) if row["label"] == "monocyte")
    correct("ab.csv", [(image, "neutrophil", "eosinophil", "AB", "2026-11-29", "")])
    message = error_of(main)
    assert "ab.csv, line 2" in message
    assert "its label is now monocyte" in message
    assert PATHS.cells.read_bytes() == before
