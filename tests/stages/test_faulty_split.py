import sys
from collections import Counter
from pathlib import Path

import pytest

from stages import clean, faulty_split
from tests import workplace
from tests.workplace import error_of, table

ARTIFACTS = Path("artifacts", "rendered")
SPLITS = ARTIFACTS / "original" / "splits"
TWINS = Path("plots", "rendered", "original", "twins.csv")


@pytest.fixture
def place(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the cells have been dealt as ours are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["faulty_split"])
    workplace.make(tmp_path, raw, clean__n_splits=3, clean__validation=0.34)
    clean.main()
    return tmp_path


def images(path: Path, part: str) -> list[str]:
    return [row["image"] for row in table(path) if row["part"] == part]


def test_the_splits_have_the_faults_and_our_test_cells(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faulty_split.main()
    both = validated = 0
    for fold in range(3):
        path = SPLITS / f"{fold}.csv"
        assert list(table(path)[0]) == ["image", "label", "part"]
        assert images(path, "test") == images(ARTIFACTS / "splits" / f"{fold}.csv", "test")
        trained = set(images(path, "train"))
        assert not (trained | set(images(path, "validation"))) & set(images(path, "test"))
        both += sum(image in trained for image in images(path, "validation"))
        validated += len(images(path, "validation"))
    assert both > 5
    assert f"{both} of {validated} validation rows" in capsys.readouterr().out


def test_twins_that_folds_part_are_counted(place: Path) -> None:
    """The last cell of all becomes the other photograph of the first one of its class."""
    faulty_split.main()
    before = [int(row["twins"]) for row in table(TWINS)]
    cells = table(ARTIFACTS / "cells.csv")
    last = cells[-1]
    first = next(row for row in cells if row["label"] == last["label"])
    folder = ARTIFACTS / "raw" / "JPEGImages"
    (folder / last["image"]).write_bytes((folder / first["image"]).read_bytes())
    clean.main()
    faulty_split.main()
    rows = table(TWINS)
    assert Counter(row["folds"] for row in rows) == {"ours": 1, "ordinary": faulty_split.DEALS}
    assert rows[0] == {"folds": "ours", "seed": "1", "twins": "0", "cells": str(len(cells))}
    assert len({row["seed"] for row in rows[1:]}) == faulty_split.DEALS
    more = [int(row["twins"]) - count for row, count in zip(rows, before, strict=True)]
    assert set(more) <= {0, 1, 2}
    assert max(more) == 2  # both parted from the other, which is in training


def test_our_own_splits_are_counted_as_they_are(place: Path) -> None:
    cells = table(ARTIFACTS / "cells.csv")
    neutrophils = [row for row in cells if row["label"] == "neutrophil"]
    one = next(row for row in neutrophils if row["fold"] == "0")
    other = next(row for row in neutrophils if row["fold"] == "1")
    folder = ARTIFACTS / "raw" / "JPEGImages"
    (folder / other["image"]).write_bytes((folder / one["image"]).read_bytes())
    # The folds were dealt before: they don't know that these two are twins.
    faulty_split.main()
    parted = sum(
        row["image"] in (one["image"], other["image"]) and row["part"] == "train" and row["image"] not in seen
        for fold, seen in ((0, {one["image"]}), (1, {other["image"]}))
        for row in {tuple(row.items()): row for row in table(ARTIFACTS / "splits" / f"{fold}.csv")}.values()
    )
    assert int(table(TWINS)[0]["twins"]) == parted > 0


def test_the_same_seed_gives_the_same_files(place: Path) -> None:
    faulty_split.main()
    first = {path: path.read_bytes() for path in [*SPLITS.iterdir(), TWINS]}
    faulty_split.main()
    assert {path: path.read_bytes() for path in [*SPLITS.iterdir(), TWINS]} == first


def test_cells_that_are_missing_are_named_and_nothing_is_left(place: Path) -> None:
    (ARTIFACTS / "cells.csv").unlink()
    assert "cells.csv is missing" in error_of(faulty_split.main)
    assert not SPLITS.exists()
