from pathlib import Path

import pytest

from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv
from bloodcells.core.geometry import Box
from bloodcells.datasets.corrections import COLUMNS, Correction, apply_corrections, read_corrections
from bloodcells.datasets.labels import LabelRow
from bloodcells.datasets.record import CORRECTIONS, record_names
from tests.support.project import ROOT
from tests.support.smallset import CLASSES

HEAD = ",".join(COLUMNS)


def written(folder: Path, *rows: str, name: str = "ab.csv", head: str = HEAD) -> Path:
    path = folder / name
    path.write_text("\r\n".join([head, *rows, ""]), encoding="utf-8", newline="")
    return path


def correction(image: str, old: str, new: str, reader: str = "AB", line: int = 2) -> Correction:
    return Correction(image, old, new, reader, "2026-11-29", "", Path(f"{reader.lower()}.csv"), line)


def rows(**labels: str) -> list[LabelRow]:
    return [
        LabelRow(place, f"{name}.jpg", tuple(filter(None, label.split(" + "))))
        for place, (name, label) in enumerate(labels.items(), start=2)
    ]


def applied(table: list[LabelRow], *corrections: Correction) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Return the labels by image, and image, old and new label of each change."""
    result, changes = apply_corrections(table, corrections, CLASSES)
    return {row.cell: " + ".join(row.labels) for row in result}, [(one.image, one.old, one.new) for one in changes]


# ---- reading


def test_a_file_is_read_with_what_spreadsheets_do_to_it(tmp_path: Path) -> None:
    plain = written(tmp_path, 'a.jpg,monocyte,neutrophil,AB,2026-11-29,"lobes, three; ""clear"""', "'=b,,drop,AB,,'-1")
    (a, b) = read_corrections(plain)
    assert (a.image, a.old, a.new, a.reader, a.date) == ("a.jpg", "monocyte", "neutrophil", "AB", "2026-11-29")
    assert a.note == 'lobes, three; "clear"'
    assert (b.image, b.old, b.note, b.line) == ("=b", "", "-1", 3)
    head = "\ufeffImage;Old;New;Reader;Date;Note;more"
    (c,) = read_corrections(written(tmp_path, "a.jpg;monocyte;neutrophil;AB;29.11.2026;;x", ";;;;;;", head=head))
    assert (c.image, c.new, c.date, c.line) == ("a.jpg", "neutrophil", "29.11.2026", 2)


@pytest.mark.parametrize("text", ["=1+1", "+a", "-a", "@a", "'a", "'=a", "a'", "", 'ä, "b"'])
def test_what_a_spreadsheet_would_compute_is_text_and_comes_back(tmp_path: Path, text: str) -> None:
    path = tmp_path / "corrections.csv"
    one = Correction("a.jpg", "monocyte", "drop", "AB", "2026-11-29", text, path, 2)
    write_csv(path, COLUMNS, [one.row])
    assert read_corrections(path) == [one]
    assert not one.row[-1].startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,old,new,reader\r\na,b,c,d\r\n", "line 1: no column 'date' and no column 'note'"),
        (f"{HEAD}\r\na.jpg,,monocyte,AB,,\r\na.jpg,,monocyte,AB,,\r\n", "line 3: a.jpg is already in line 2"),
        (f"{HEAD}\r\na.jpg,monocyte,,AB,,\r\n", "line 2: no new; fill it in"),
        (f"{HEAD}\r\na.jpg,monocyte\r\n", "line 2: no new and no reader"),
        (f"{HEAD}\r\na.jpg,,monocyte,\x1b[31mAB,,\r\n", r"line 2: reader '\x1b[31mAB' has a control character"),
        (f'{HEAD}\r\na.jpg,monocyte,drop,AB,,"open\r\nb.jpg,monocyte,drop,AB,,\r\n', "line 2: a quotation mark"),
    ],
)
def test_a_malformed_file_is_an_error_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "ab.csv"
    path.write_bytes(content.encode())
    with pytest.raises(InputError) as error:
        read_corrections(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is missing: put it there, or take it out of the record"):
        read_corrections(tmp_path / "none.csv")


def test_every_data_set_has_the_folder_that_the_pipeline_depends_on() -> None:
    names = record_names(ROOT / "datasets")
    assert names
    assert all((ROOT / "datasets" / name / CORRECTIONS).is_dir() for name in names)


# ---- applying


def test_labels_change_and_each_change_is_listed() -> None:
    table = rows(a="monocyte", b="monocyte", c="neutrophil", d="neutrophil", e="neutrophil")
    labels, changes = applied(
        table,
        correction("a.jpg", "monocyte", "lymphocyte"),
        correction("b.jpg", "monocyte", "monocyte"),
        correction("c.jpg", "neutrophil", "drop"),
        correction("d.jpg", "Neutrophil", "unsure"),
    )
    assert labels == {
        "a.jpg": "lymphocyte",
        "b.jpg": "monocyte",
        "c.jpg": "drop",
        "d.jpg": "neutrophil",
        "e.jpg": "neutrophil",
    }
    assert changes == [
        ("a.jpg", "monocyte", "lymphocyte"),
        ("c.jpg", "neutrophil", "drop"),
        ("d.jpg", "neutrophil", "unsure"),
    ]
    assert table[0].labels == ("monocyte",)


def test_a_cell_in_a_box_and_a_row_without_one_label_can_be_corrected() -> None:
    box = LabelRow(None, "smear.jpg", ("monocyte",), box=Box(1, 2, 30, 40))
    labels, _ = applied(
        [box, *rows(a="", b="monocyte + neutrophil")],
        correction("smear.jpg#1-2-30-40", "monocyte", "neutrophil"),
        correction("a.jpg", "", "monocyte"),
        correction("b.jpg", "monocyte + neutrophil", "neutrophil"),
    )
    assert labels == {"smear.jpg#1-2-30-40": "neutrophil", "a.jpg": "monocyte", "b.jpg": "neutrophil"}


def test_a_later_reading_may_change_what_an_earlier_one_decided() -> None:
    first, second = correction("a.jpg", "monocyte", "lymphocyte"), correction("a.jpg", "lymphocyte", "neutrophil", "CD")
    assert applied(rows(a="monocyte"), first, second)[0] == {"a.jpg": "neutrophil"}
    with pytest.raises(InputError, match="its label is now monocyte"):
        applied(rows(a="monocyte"), second, first)


def test_a_label_that_has_returned_is_read_anew() -> None:
    there, back = correction("a.jpg", "monocyte", "lymphocyte"), correction("a.jpg", "lymphocyte", "monocyte", "CD")
    for new in ("lymphocyte", "neutrophil"):
        again = correction("a.jpg", "monocyte", new, "EF")
        labels, changes = applied(rows(a="monocyte"), there, back, again)
        assert labels == {"a.jpg": new}
        assert len(changes) == 3
    with pytest.raises(InputError, match="CD says monocyte"):  # EF read it beside CD
        applied(rows(a="monocyte"), there, back, correction("a.jpg", "lymphocyte", "neutrophil", "EF"))


def test_two_readers_must_agree_unless_one_is_unsure() -> None:
    table = rows(a="monocyte")
    change, keep = correction("a.jpg", "monocyte", "lymphocyte"), correction("a.jpg", "monocyte", "monocyte", "CD")
    unsure, same = correction("a.jpg", "monocyte", "unsure", "EF"), correction("a.jpg", "monocyte", "Lymphocyte", "GH")
    listed = ("a.jpg", "monocyte", "lymphocyte"), ("a.jpg", "monocyte", "unsure")
    for order in ((change, unsure, same), (unsure, change, same), (change, same, unsure)):
        labels, changes = applied(table, *order)
        assert labels == {"a.jpg": "lymphocyte"}
        assert sorted(changes) == sorted(listed)
    for pair in ((change, keep), (keep, change), (unsure, change, keep)):
        with pytest.raises(InputError) as error:
            applied(table, *pair)
        assert all(word in str(error.value) for word in ("AB", "CD", "ab.csv, line 2", "bloodcells agreement"))


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (correction("A.jpg", "monocyte", "drop"), "no cell 'A.jpg' (did you mean a.jpg?)"),
        (correction("a.jpg", "lymphocyte", "drop"), "was read as lymphocyte, but its label is now monocyte"),
        (correction("a.jpg", "monocyte", "neutrofil"), "unknown class 'neutrofil' for a.jpg (did you mean neutrophil?"),
    ],
)
def test_what_does_not_fit_the_labels_is_refused(one: Correction, message: str) -> None:
    with pytest.raises(InputError) as error:
        applied(rows(a="monocyte"), one)
    assert str(error.value).startswith("ab.csv, line 2: ")
    assert message in str(error.value)
