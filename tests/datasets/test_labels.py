import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Box
from bloodcells.datasets import labels as labels_module
from bloodcells.datasets.labels import LabelRow, read_labels, resolve_classes, suspicious_columns, unused_group_columns
from bloodcells.datasets.record import Record, parse_record, read_record
from bloodcells.datasets.tables import read_table

CLASSES = ["eosinophil", "lymphocyte", "monocyte", "neutrophil"]
BCCD = Path("../shared/bccd/dataset-master")


def make_record(**changes: Any) -> Record:
    content = {
        "title": "Test",
        "source": "folder",
        "labels": {"table": "labels.csv", "image": "Image", "label": "Category"},
        "classes": CLASSES,
        "drop": ["basophil"],
    }
    return parse_record(content | changes, Path("record.yaml"))


def read(raw: Path, table: str, files: Sequence[str] = (), **changes: Any) -> list[LabelRow]:
    (raw / "labels.csv").write_text(table, encoding="utf-8")
    make_files(raw, files)
    return read_labels(make_record(**changes), raw)


def make_files(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_the_published_table_is_read(tmp_path: Path) -> None:
    table = ',Image,Category\r\n,0,NEUTROPHIL\r\n,1,"NEUTROPHIL, EOSINOPHIL"\r\n,2,\r\n,8, BASOPHIL \r\n'
    images = {"folder": "JPEGImages", "numbered": "BloodImage_{:05d}.jpg"}
    assert read(tmp_path, table, ["JPEGImages/BloodImage_00000.jpg"], images=images) == [
        LabelRow(2, "BloodImage_00000.jpg", ("neutrophil",)),
        LabelRow(3, "BloodImage_00001.jpg", ("neutrophil", "eosinophil")),
        LabelRow(4, "BloodImage_00002.jpg", ()),
        LabelRow(5, "BloodImage_00008.jpg", ("basophil",)),
    ]


@pytest.mark.skipif(not BCCD.is_dir(), reason="needs the published files")
def test_the_published_files_give_the_published_counts() -> None:
    record = read_record("bccd")
    rows = read_labels(record, BCCD)
    assert record.published is not None
    for label in ("eosinophil", "lymphocyte", "monocyte", "neutrophil"):
        images = [row.image for row in rows if row.labels == (label,)]
        kept = [image for image in images if (record.images_folder(BCCD) / image).is_file()]
        assert len(kept) == record.published.counts[label]
    assert sum(len(row.labels) > 1 for row in rows) == record.published.counts["double"]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("NEUTROPHIL", ("neutrophil",)),
        (" Eosinophil\t", ("eosinophil",)),
        ('"NEUTROPHIL,EOSINOPHIL"', ("neutrophil", "eosinophil")),
        ('"monocyte ,  monocyte"', ("monocyte", "monocyte")),
        ('"MONOCYTE,"', ("monocyte",)),
        ("BASOPHIL", ("basophil",)),
        ("", ()),
        ('" , "', ()),
        ("1", ("neutrophil",)),
        ("1.0", ("neutrophil",)),  # as pandas writes a column with blank cells
        ("SEG  ", ("neutrophil",)),
        ('"Neutrophil, segmented"', ("neutrophil",)),
        ("Blast", ("blast",)),
    ],
)
def test_spellings_of_labels(tmp_path: Path, text: str, labels: tuple[str, ...]) -> None:
    label_map = {1: "neutrophil", "seg": "neutrophil", "neutrophil, segmented": "neutrophil", "blast": "drop"}
    (row,) = read(tmp_path, f"Image,Category\na.jpg,{text}\n", label_map=label_map)
    assert row.labels == labels


def test_all_unknown_labels_are_named_at_once(tmp_path: Path) -> None:
    table = "Image,Category\n1,monocyte\n2,Neutrofil\n3,neutrofil\n4,nan\n5,NEUTROFIL \n6,neutrophil; monocyte\n"
    with pytest.raises(InputError) as caught:
        read(tmp_path, table)
    message = str(caught.value)
    assert message.startswith(
        f"{tmp_path / 'labels.csv'}: unknown labels 'neutrofil' (3, first in line 3; neutrophil?)"
    )
    assert "'nan' (1, first in line 5)" in message
    assert "'neutrophil; monocyte' (1, first in line 7" in message
    assert "label_map" in message and "\n" not in message


def test_images_are_matched_to_files(tmp_path: Path) -> None:
    files = ["masks/7.png", "crops/cell 7.BMP", "crops/x/a.JPG"]
    table = "image id;Class Label\n7;1\nX\\A;2\n../../etc/passwd;2\n;\n"
    rows = read(
        tmp_path,
        table,
        files,
        images={"folder": "crops"},
        labels={"table": "labels.csv", "image": "Image ID", "label": "class label"},
        label_map={"1": "neutrophil", "2": "monocyte"},
    )
    assert [(row.line, row.image) for row in rows] == [(2, "cell 7.BMP"), (3, "x/a.JPG"), (4, "etc/passwd")]


@pytest.mark.parametrize(
    ("rows", "line", "expected"),
    [
        ("0,monocyte\n1,monocyte\n0,monocyte\n", 4, "0.jpg is already in line 2"),
        ("0,monocyte\n0.JPG,neutrophil\n", 3, "0.jpg has neutrophil, but monocyte in line 2"),
        ("0,monocyte\n0,\n", 3, "0.jpg has no label, but monocyte in line 2"),
        ("missing.jpg,monocyte\nmissing.jpg,monocyte\n", 3, "already in line 2"),
        ("0,monocyte\n,monocyte\n", 3, "'' is not an image"),
        ("1,monocyte\n..,monocyte\n", 3, "'..' is not an image"),
        ('1,monocyte\n2,"mono\ncyte"\n', 3, "line break"),
        ('1,monocyte\n"2\n3",monocyte\n', 3, "is not an image"),
        ("1,monocyte\ntwin,monocyte\n", 3, "'twin' may be twin.bmp or twin.png; "),
    ],
)
def test_an_error_names_the_line(tmp_path: Path, rows: str, line: int, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, "Image,Category\n" + rows, ["0.jpg", "1.jpg", "twin.bmp", "twin.png"])
    assert str(caught.value).startswith(f"{tmp_path / 'labels.csv'}, line {line}: ")
    assert expected in str(caught.value)


def test_an_error_names_several_rows_and_counts_the_rest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 3: .*line 4: .*and 95 more"):
        read(tmp_path, "Image,Category\n" + "a.jpg,monocyte\n" * 101)


def test_groups_are_compared_without_case_and_space(tmp_path: Path) -> None:
    labels = {"table": "labels.csv", "group": "patient"}
    table = "Image,Category,Patient \n1,monocyte, P  1\n2,monocyte,p 1\n3,monocyte,\n4,monocyte,12.0\n5,monocyte,12\n"
    assert [row.group for row in read(tmp_path, table, labels=labels)] == ["P 1", "P 1", "", "12", "12"]
    with pytest.raises(InputError, match="no column 'patient'"):
        read(tmp_path, "Image,Category\n1,monocyte\n", labels=labels)


def test_groups_are_compared_in_one_unicode_form(tmp_path: Path) -> None:
    names = [unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD")]
    table = f"Image,Category,Patient\n1,monocyte,{names[0]}\n2,monocyte,{names[1]}\n"
    rows = read(tmp_path, table, labels={"table": "labels.csv", "group": "patient"})
    assert len({row.group for row in rows}) == 1


def test_folders_are_labels(tmp_path: Path) -> None:
    files = ["TRAIN/Neutrophil/1.PNG", "TRAIN/MONOCYTE/1.png", "TEST/monocyte/2.tif", "TEST/Neutrophil/notes.txt"]
    files += ["readme.png", "TEST/3.png", ".cache/monocyte/4.png", "TRAIN/basophil/5.jpg"]
    make_files(tmp_path, files)
    assert read_labels(make_record(labels={"folders": "."}), tmp_path) == [
        LabelRow(None, "TEST/3.png", ()),
        LabelRow(None, "TEST/monocyte/2.tif", ("monocyte",)),
        LabelRow(None, "TRAIN/MONOCYTE/1.png", ("monocyte",)),
        LabelRow(None, "TRAIN/Neutrophil/1.PNG", ("neutrophil",)),
        LabelRow(None, "TRAIN/basophil/5.jpg", ("basophil",)),
        LabelRow(None, "readme.png", ()),
    ]
    record = make_record(labels={"folders": "TEST"}, classes="as found")
    assert [row.image for row in read_labels(record, tmp_path)] == ["TEST/3.png", "TEST/monocyte/2.tif"]
    make_files(tmp_path, ["TRAIN/masks/1.png", "TRAIN/masks/2.png"])
    with pytest.raises(InputError, match=r"unknown labels 'masks' \(2, first in TRAIN/masks/1.png"):
        read_labels(make_record(labels={"folders": "."}), tmp_path)


def test_classes_as_found(tmp_path: Path) -> None:
    table = 'Image,Category\n1,Seg\n2,Band\n3,band\n4,Blast\n5,Basophil\n6,"Mast cell,seg"\n7,Atypical\n'
    changes: dict[str, Any] = {
        "classes": "as found",
        "label_map": {"atypical": "Band Form", "band": "Band Form", "blast": "drop"},
    }
    rows = read(tmp_path, table, **changes)
    assert [row.labels for row in rows[:4]] == [("seg",), ("Band Form",), ("Band Form",), ("blast",)]
    assert resolve_classes(make_record(**changes), rows) == ("Band Form", "seg")
    assert resolve_classes(make_record(), rows) == tuple(CLASSES)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["a"] * 3, r"1 of them; .*found 'a' \(3\)"),
        ([f"class {number}" for number in range(30)], "30 of them"),
        (["a", "a", "null"], "reserved"),
        (["a", "x/y"], "slash"),
    ],
)
def test_classes_as_found_are_checked(labels: list[str], expected: str) -> None:
    rows = [LabelRow(None, f"{number}.jpg", (label,)) for number, label in enumerate(labels)]
    with pytest.raises(InputError, match=expected):
        resolve_classes(make_record(classes="as found"), rows)


def test_a_label_that_is_kept_and_dropped_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'neutrophil' is dropped"):
        read(tmp_path, "Image,Category\n1,monocyte\n", label_map={"seg": "neutrophil", "Neutrophil": "drop"})


def test_boxes_are_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [("a.jpg", "Monocyte", Box(1, 2, 30, 40)), ("a.jpg", "basophil", Box(5, 2, 30, 40))]
    found = [*boxes, boxes[0]]
    monkeypatch.setattr(labels_module, "read_boxes", lambda record, raw: found)
    record = make_record(labels={"boxes": "voc"})
    rows = read_labels(record, tmp_path)
    assert [(row.cell, row.labels) for row in rows] == [
        ("a.jpg#1-2-30-40", ("monocyte",)),
        ("a.jpg#5-2-30-40", ("basophil",)),
    ]
    found.append(("a.jpg", "neutrophil", Box(5, 2, 30, 40)))
    with pytest.raises(InputError, match="5-2-30-40 is basophil and neutrophil"):
        labels_module.read_labels(record, tmp_path)


def test_what_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"JPEGImages is missing.*images\.folder"):
        read(tmp_path, "Image,Category\n1,monocyte\n", images={"folder": "JPEGImages"})
    with pytest.raises(InputError, match=r"no labels found"):
        read(tmp_path, "Image,Category\n")
    with pytest.raises(InputError, match=r"labels\.folders"):
        read_labels(make_record(labels={"folders": "cells"}), tmp_path)


def test_columns_that_look_like_groups_are_found(tmp_path: Path) -> None:
    header = "Image,Category,PatientID,slide no,Age,Acq,Comment,Series description,Mag,case_id,Type id"
    rows = [f"{n}.jpg,c{n % 4},{n // 3},{n // 5},{20 + n % 9},S-{n // 4},,same,40x,{n},{n % 5}" for n in range(30)]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([header, *rows]))
    columns = ["PatientID", "slide no", "Acq"]
    assert suspicious_columns(read_table(path), used=["Category"]) == columns
    assert unused_group_columns(make_record(), tmp_path) == columns
    named = make_record(labels={"table": "labels.csv", "group": "patientid"})
    assert unused_group_columns(named, tmp_path) == []
