import hashlib
from pathlib import Path

import pytest

from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv
from bloodcells.core.geometry import Box
from bloodcells.datasets.annotations import published_boxes, read_box_table, white_cells, write_box_table
from bloodcells.datasets.record import read_record
from tests.datasets.test_boxes import picture, voc, write
from tests.support.project import ROOT

RECORD = read_record("rendered", ROOT / "datasets")
"""Its images are in JPEGImages, its annotations in Annotations; white cells are called WBC."""


def test_boxes_of_white_cells_are_those_annotated_with_the_name_of_the_record(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.PNG"):
        picture(tmp_path / "JPEGImages" / name)
    red = ("RBC", 3, 3, 3, 3)  # without an area, as in published annotations
    write(tmp_path / "Annotations" / "a.xml", voc(red, ("WBC", 5, 6, 7, 8), (" wbc ", "9.0", 10, 11, 12)))
    write(tmp_path / "Annotations" / "b.xml", voc(red))
    write(tmp_path / "Annotations" / "note.txt", "no annotation")
    for stem in ("c", "gone"):
        write(tmp_path / "Annotations" / f"{stem}.xml", voc(("WBC", 1, 2, 3, 4)))
    assert white_cells(RECORD, tmp_path) == {
        "a.jpg": [Box(4, 5, 7, 8), Box(8, 9, 11, 12)],
        "c.PNG": [Box(0, 1, 3, 4)],
    }


def test_a_table_beside_published_images_is_for_those_without_annotation(tmp_path: Path) -> None:
    published = read_record("bccd", ROOT / "datasets")
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / "JPEGImages" / name)
    write(tmp_path / "Annotations" / "a.xml", voc(("WBC", 5, 6, 7, 8)))
    write_box_table(tmp_path / "white_cells.csv", {"a.jpg": [Box(0, 0, 9, 9)], "b.jpg": [Box(1, 2, 3, 4)]})
    assert white_cells(published, tmp_path) == {"a.jpg": [Box(4, 5, 7, 8)], "b.jpg": [Box(1, 2, 3, 4)]}
    (tmp_path / "white_cells.csv").write_text("image,label\na.jpg,monocyte\n")  # of another data set: its labels
    assert white_cells(RECORD, tmp_path) == {"a.jpg": [Box(4, 5, 7, 8)]}


def test_a_wrong_annotation_of_a_white_cell_is_an_error(tmp_path: Path) -> None:
    picture(tmp_path / "JPEGImages" / "a.jpg")
    for text in ("no xml", voc(("WBC", 9, 9, 9, 9))):
        write(tmp_path / "Annotations" / "a.xml", text)
        with pytest.raises(InputError, match=r"a\.xml"):
            white_cells(RECORD, tmp_path)


def test_boxes_are_read_from_a_table(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    write_csv(path, ("image", "xmin", "ymin", "xmax", "ymax"), [("a.jpg", 1, 2, 3, 4), ("a.jpg", 5, 6, 7, 8)])
    assert read_box_table(path) == {"a.jpg": [Box(1, 2, 3, 4), Box(5, 6, 7, 8)]}
    path.write_text(path.read_text() + "b.jpg,1,2,x,4\n")
    with pytest.raises(InputError, match="line 4"):
        read_box_table(path)


def test_published_boxes_are_for_the_published_images_alone(tmp_path: Path) -> None:
    published = {"same.jpg": b"published", "yours.jpg": b"of that name", "absent.jpg": b""}
    for name, content in (("same.jpg", b"published"), ("yours.jpg", b"yours")):
        (tmp_path / name).write_bytes(content)
    table, checksums = tmp_path / "boxes.csv", tmp_path / "files.md5"
    write_box_table(table, {name: [Box(1, 2, 3, 4)] for name in published})
    lines = [f"{hashlib.md5(content).hexdigest()}  JPEGImages/{name}\n" for name, content in published.items()]
    checksums.write_text("".join(lines))
    assert published_boxes(table, checksums, tmp_path, "JPEGImages") == {"same.jpg": [Box(1, 2, 3, 4)]}
