import csv
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bloodcells.core.files import write_csv
from bloodcells.reporting.markdown import WIDTH
from stages import flattery
from studies.original_report.optimism import Figure
from studies.original_report.predictions import FAULTY, OURS, TEST, VALIDATION, Answers, together, write_answers
from tests import project
from tests.workplace import error_of

PLOTS = Path("plots", "rendered")
ANSWERS, TWINS = PLOTS / "original" / "answers.csv", PLOTS / "original" / "twins.csv"


def part(protocol: str, name: str, cells: int, right: float) -> Answers:
    """Make cells of the four classes in turn, of which so many are right; random changes turn some answers over."""
    random = np.random.default_rng(cells)
    actual = np.arange(cells) % 4
    said = np.where(np.arange(cells) < right * cells, actual, (actual + 1) % 4)
    draws = np.where(random.random((cells, 20)) < 0.9, said[:, None], actual[:, None])
    return Answers(
        protocol=np.full(cells, protocol),
        fold=np.arange(cells) % 2,
        part=np.full(cells, name),
        image=np.array([f"{i}.jpg" for i in range(cells)]),
        in_training=np.full(cells, (protocol, name) == (FAULTY, VALIDATION)),
        actual=actual,
        as_it_is=said,
        views=said,
        draws=draws,
    )


def answer(ours: float = 0.8, tested: int = 80) -> None:
    parts = [
        part(FAULTY, VALIDATION, 60, 0.9),
        part(FAULTY, TEST, 80, 0.7),
        part(OURS, VALIDATION, 40, 0.8),
        part(OURS, TEST, tested, ours),
    ]
    write_answers(ANSWERS, together(parts))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["flattery", "resnet"])
    Path("params.yaml").write_bytes((project.ROOT / "params.yaml").read_bytes())
    project.set_params(tmp_path, {"compare.resamples": 500})
    answer()
    rows = [("ours", 1, 0, 347), ("ordinary", 1, 31, 347), ("ordinary", 2, 27, 347)]
    write_csv(TWINS, ("folds", "seed", "twins", "cells"), rows)
    return tmp_path


def page() -> str:
    """Give the page with its lines run together, as it is read."""
    return re.sub(r"\s+", " ", (PLOTS / "original.md").read_text())


def test_the_page_says_what_each_fault_is_worth(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flattery.main()
    text = (PLOTS / "original.md").read_text()
    assert capsys.readouterr().out == text
    assert max(map(len, text.splitlines())) <= WIDTH
    assert re.search(r"\| steady +\| 90\.0 \(\d.*\d\) \| 70\.0 \(59\.2 to 78\.9\) \| \+20\.0 ", text)
    for said in (
        "`resnet` on `rendered`",
        "the same 80 cells of folds 0, 1",
        "500 bootstrap resamples",
        "100 % of the original's validation rows show an image that is trained on too; of ours 0 %",
        "20 of them reach from",
        "31 cells would be tested by a network that trained on their other photograph (27 to 31",
        "with our folds 0.",
        "| monocyte | ",
    ):
        assert said in page()
    assert "nan" not in text.lower()


def test_networks_are_told_apart_only_where_the_test_tells_them_apart(place: Path) -> None:
    flattery.main()
    told = r"\+10\.0 \(\+\d.* points, p = 0\.00781 \(exact McNemar test\): the original's networks are worse"
    assert re.search(told, page())
    answer(ours=0.7)
    flattery.main()
    assert "0.0 (+0.0 to +0.0) points, p = 1 (exact McNemar test): no difference shown." in page()
    answer(ours=0.5)
    flattery.main()
    assert "the original's networks are better as well." in page()


def test_the_table_holds_every_figure_and_no_nan(place: Path) -> None:
    flattery.main()
    with (PLOTS / "original.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(Figure._fields)
    by_name = {row["figure"]: row for row in rows}
    assert len(by_name) == len(rows)
    assert by_name["flattery, unchanged"]["value"] == "0.2"
    assert by_name["twins"]["value"] == "31"
    for row in rows:
        digits = 5 if row["figure"].endswith(", p") else 4
        ends = (row[end] for end in ("value", "low", "high"))
        assert all(re.fullmatch(rf"(-?\d+(\.\d{{1,{digits}}})?)?", end) for end in ends), row


def test_the_chart_is_a_picture_of_the_usual_width(place: Path) -> None:
    flattery.main()
    with Image.open(PLOTS / "original.png") as picture:
        assert 900 <= picture.width <= 1000


def test_a_class_that_was_not_tested_leaves_cells_empty(place: Path) -> None:
    answers = [part(protocol, name, 80, 0.75) for protocol in (FAULTY, OURS) for name in (VALIDATION, TEST)]
    without = [Answers(**{key: column[of.actual != 2] for key, column in vars(of).items()}) for of in answers]
    write_answers(ANSWERS, together(without))
    flattery.main()
    assert re.search(r"\| monocyte +\| +- \| +- \| +0 \|", (PLOTS / "original.md").read_text())


def test_other_test_cells_and_missing_tables_are_named(place: Path) -> None:
    answer(tested=79)
    assert "the two protocols tested other cells" in error_of(flattery.main)
    answer()
    TWINS.write_text("folds,seed,twins,cells\nours,1,0,347\n")
    assert "no row of folds dealt as ordinary" in error_of(flattery.main)
    ANSWERS.unlink()
    assert "answers.csv is missing" in error_of(flattery.main)
    assert not (PLOTS / "original.csv").exists()
