"""The page as a reader works with it: by keyboard, in a browser without a network."""

import csv
import datetime
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from bloodcells.cli.main import main
from bloodcells.cli.relabel.cells import Question
from bloodcells.cli.relabel.page import relabel_page
from bloodcells.datasets.corrections import COLUMNS, apply_corrections, read_corrections
from bloodcells.datasets.labels import LabelRow
from tests.cli.relabel import last_run
from tests.cli.relabel.last_run import CLASSES, DOUBTFUL, LABELS
from tests.support.browser import Page, driven

TODAY = datetime.date.today
LABEL = {cell: CLASSES[label] for cell, label in zip(last_run.CELLS, LABELS, strict=True)}
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page in both modes."""
    folder = last_run.make(tmp_path_factory.mktemp("run"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(["relabel"])
        main(["relabel", "--no-blind", "--controls", "1", "--order", "doubt", "--output", "open.html"])
    return {"blind": folder / "relabel" / "lab.html", "open": folder / "open.html"}


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with driven(tmp_path / "profile") as page:
        page.save_downloads(tmp_path / "downloads")
        yield page


def begin(page: Page, path: Path, reader: str = "ab") -> None:
    page.open(path)
    page.press(*reader, "Enter")


def saved(page: Page, folder: Path, name: str = "lab-AB.csv") -> Path:
    """Save by key; return the file."""
    path = folder / "downloads" / name
    path.unlink(missing_ok=True)
    page.press("s")
    while not path.exists():
        page.until("document.querySelector('#status').innerText.startsWith('Saved')")
    return path


def row(cell: str, new: str, note: str = "", reader: str = "AB") -> list[str]:
    guarded = f"'{cell}" if cell.startswith("=") else cell
    return [guarded, LABEL[cell], new, reader, TODAY().isoformat(), note]


def test_a_reader_works_through_the_page_by_keyboard(page: Page, pages: dict[str, Path], tmp_path: Path) -> None:
    page.open(pages["blind"])
    assert page.text("h1") == "<i>Our cells</i> & co"
    page.press("Escape", "2")
    assert page.text("#status") == "Enter your initials first, then press Enter."
    page.press(*"ab", "Enter")
    assert page.text("#progress") == "Cell 1 of 5 · 0 read"
    everything = page.text("body")
    assert not any(secret in everything for secret in ("resnet", "%", ".jpg", "Label\n"))

    page.press("3", "n", *'=1+1, "lobes"', "Enter", "2")  # the note is about the second cell
    assert page.text("#progress") == "Cell 3 of 5 · 2 read"
    page.press("ArrowLeft")
    votes = "resnet ≠ neutrophil 80 % efficientnet ≠ neutrophil 80 % alexnet monocyte 80 %"
    assert " ".join(page.text("#known").split()) == f"Cell {DOUBTFUL[1]} Label monocyte {votes}"
    assert page.value("document.querySelector('[aria-pressed=true]').innerText").split()[1] == "monocyte"
    page.press("3")  # decided anew: on to the first cell that is not read
    assert page.text("#progress") == "Cell 3 of 5 · 2 read"
    page.press("z")
    assert page.text("#progress") == "Cell 2 of 5 · 2 read"
    page.press("ArrowRight", "u", "0", "Backspace", "1")
    assert page.text("#progress") == "Cell 5 of 5 · 4 read"

    page.open(pages["blind"])  # again: nothing is lost, not even what can be undone
    assert page.text("#progress") == "Cell 5 of 5 · 4 read"
    page.press("z", "0", "1")
    assert page.text("#summary h2") == "All cells are read"
    assert "You confirmed 2 labels, changed 1, dropped 1, and are unsure about 1." in page.text("#summary")

    path = saved(page, tmp_path)
    assert page.text("#status") == "Saved 5 cells to lab-AB.csv."
    content = path.read_bytes().decode()
    assert content.count("\r\n") == content.count("\n") == 6
    header, *rows = csv.reader(io.StringIO(content, newline=""), strict=True)
    assert header == [*COLUMNS]
    assert rows == [
        row(DOUBTFUL[0], "neutrophil"),
        row(DOUBTFUL[1], "monocyte", '\'=1+1, "lobes"'),
        row(DOUBTFUL[2], "unsure"),
        row(DOUBTFUL[3], "drop"),
        row(DOUBTFUL[4], "eosinophil"),
    ]
    assert page.value("window.hacked === undefined && !document.querySelector('img[src=x]')")

    labels, changes = apply_corrections(
        [LabelRow(None, cell, (label,)) for cell, label in LABEL.items()], read_corrections(path), CLASSES
    )
    assert {one.cell: one.labels[0] for one in labels} == LABEL | {DOUBTFUL[0]: "neutrophil", DOUBTFUL[3]: "drop"}
    assert [one.image for one in changes] == [DOUBTFUL[0], DOUBTFUL[2], DOUBTFUL[3]]


def test_readers_do_not_see_one_another_and_pages_keep_apart(page: Page, pages: dict[str, Path]) -> None:
    begin(page, pages["blind"])
    page.press("1", "2")
    page.click("#reader")
    page.value("document.querySelector('#reader').select()")
    page.press(*"cd", "Enter")
    assert page.text("#progress") == "Cell 1 of 5 · 0 read"
    page.press("3")
    page.click("#reader")
    page.value("document.querySelector('#reader').select()")
    page.press(*"AB", "Enter")
    assert page.text("#progress") == "Cell 3 of 5 · 2 read"
    assert page.text("#status") == "AB has read 2 cells here before."
    page.open(pages["open"])
    assert page.text("#progress") == "Cell 1 of 6 · 0 read"
    assert page.value("document.querySelector('#reader').value") == ""


def test_an_earlier_file_is_loaded_to_go_on(page: Page, pages: dict[str, Path], tmp_path: Path) -> None:
    begin(page, pages["blind"])
    page.press("n", *"lobes; -3", "Enter", "3", "1")
    earlier = saved(page, tmp_path).rename(tmp_path / "earlier.csv")
    content = earlier.read_text(encoding="utf-8")
    excel = tmp_path / "excel.csv"
    rows = [*csv.reader(io.StringIO(content)), ["other.jpg", "monocyte", "drop", "ab", "", ""]]
    with excel.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)

    begin(page, pages["open"], "cd")
    page.choose_file("#file", excel)
    page.until("document.querySelector('#status').innerText.includes('is of reader AB, and you are CD')")
    assert page.text("#progress") == "Cell 1 of 6 · 0 read"
    page.value("localStorage.clear()")
    page.open(pages["open"])
    page.choose_file("#file", excel)
    page.until("document.querySelector('#status').innerText.startsWith('Loaded')")
    assert page.text("#status") == "Loaded 2 cells from excel.csv. Left out: 1 row about other cells or other labels."
    assert page.text("#progress") == "Cell 3 of 6 · 2 read"
    assert saved(page, tmp_path).read_text(encoding="utf-8") == content
    page.choose_file("#file", pages["open"])
    page.until("document.querySelector('#status').innerText.includes('is not a file of this page')")


def test_by_mouse_with_label_and_votes_in_view(page: Page, pages: dict[str, Path]) -> None:
    begin(page, pages["open"])
    assert DOUBTFUL[0] in page.text("#known")
    page.click("#choices button:nth-child(2)")
    assert page.text("#progress") == "Cell 2 of 6 · 1 read"
    page.click("#back")
    page.click("#undo")
    assert page.text("#progress") == "Cell 1 of 6 · 0 read"
    for _ in range(4):
        page.click("#next")
    assert page.text("#duplicate-label") == f"{DOUBTFUL[3]}, labeled neutrophil"
    assert page.text("#hidden") == ""
    page.press("1", "2")
    assert page.text("#progress") == "Cell 1 of 6 · 2 read"
    page.press(*["ArrowRight"] * 6)
    assert page.text("#summary h2") == "Not read yet: 4 cells"
    assert "1 cell whose label no model contradicts. You changed or dropped 0" in page.text("#summary")


def test_a_browser_that_keeps_nothing_says_so(page: Page, pages: dict[str, Path]) -> None:
    begin(page, pages["blind"])
    page.value("Storage.prototype.setItem = () => { throw new Error('full') }")
    page.press("1")
    assert page.text("#status") == "This browser keeps nothing: save before you close the page. Cell 1: eosinophil."


def test_twenty_classes_have_a_key_each(page: Page, tmp_path: Path) -> None:
    classes = [f"class {place}" for place in range(1, 21)]
    questions = [Question(f"{place}.jpg", "class 1", ()) for place in range(23)]
    html, _ = relabel_page(
        "lab",
        "Lab",
        classes,
        questions,
        lambda cell: {"picture": PIXEL, "ratio": 1, "box": [], "around": ""},
        blind=True,
    )
    path = tmp_path / "page.html"
    path.write_text(html, encoding="utf-8")
    begin(page, path)
    page.press(*"123456789abcdefghijk", "u", "0")
    rows = read_corrections(saved(page, tmp_path))
    assert [one.new for one in rows] == [*classes, "unsure", "drop"]


@pytest.mark.parametrize("mode", ["blind", "open"])
def test_all_is_in_view_and_nothing_is_fetched(page: Page, pages: dict[str, Path], mode: str) -> None:
    page.resize(1280, 800)
    begin(page, pages[mode])
    inside = "[...document.querySelectorAll('#picture, button')].every(e => e.getBoundingClientRect().bottom <= 800)"
    assert page.value(inside)
    assert page.value("document.querySelector('#picture').naturalWidth") == 40
    assert page.value("document.querySelector('#picture').width") > 500
    page.resize(360, 640)
    assert page.value("document.documentElement.scrollWidth") <= 360
    assert page.value("document.querySelector('#picture').width") > 200
    assert page.value("performance.getEntriesByType('resource').every(one => one.name.startsWith('data:'))")
    assert "://" not in pages[mode].read_text()
