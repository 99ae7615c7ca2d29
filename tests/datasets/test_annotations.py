import hashlib
from pathlib import Path

import pytest

from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv
from bloodcells.core.geometry import Box
from bloodcells.datasets.annotations import read_annotations, read_box_table, white_cells


def voc(*objects: tuple[str, str, str, str, str]) -> str:
    boxes = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for name, left, top, right, bottom in objects
    )
    return f"<annotation><filename>other.jpg</filename>{boxes}</annotation>"


def test_boxes_of_white_cells_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        voc(("RBC", "1", "2", "3", "4"), ("WBC", "5", "6", "7", "8"), (" wbc ", "9.0", "10", "11", "12"))
    )
    (tmp_path / "b.xml").write_text(voc(("RBC", "1", "2", "3", "4")))
    (tmp_path / "note.txt").write_text("no annotation")
    for stem in ("c", "d.v2", "gone"):
        (tmp_path / f"{stem}.xml").write_text(voc(("WBC", "1", "2", "3", "4")))
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a.jpg", "b.jpg", "c.PNG", "d.v2.tif"):
        (images / name).touch()
    assert read_annotations(tmp_path, images) == {
        "a.jpg": [Box(5, 6, 7, 8), Box(9, 10, 11, 12)],
        "c.PNG": [Box(1, 2, 3, 4)],
        "d.v2.tif": [Box(1, 2, 3, 4)],
    }


def test_a_data_set_without_annotations_has_no_boxes(tmp_path: Path) -> None:
    assert read_annotations(tmp_path / "nowhere", tmp_path) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        voc(("WBC", "1", "2", "3", "4"))[:-20],
        voc(("WBC", "one", "2", "3", "4")),
        voc(("WBC", "inf", "2", "3", "4")),
        "<annotation><object><name>WBC</name></object></annotation>",
        '<?xml version="1.0" encoding="none-such"?><annotation/>',
    ],
)
def test_a_broken_annotation_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(InputError, match=r"a\.xml is not a Pascal VOC annotation") as caught:
        read_annotations(tmp_path, tmp_path)
    assert "\n" not in str(caught.value)


def test_boxes_are_read_from_a_table(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    write_csv(path, ("image", "xmin", "ymin", "xmax", "ymax"), [("a.jpg", 1, 2, 3, 4), ("a.jpg", 5, 6, 7, 8)])
    assert read_box_table(path) == {"a.jpg": [Box(1, 2, 3, 4), Box(5, 6, 7, 8)]}
    path.write_text(path.read_text() + "b.jpg,1,2,x,4\n")
    with pytest.raises(InputError, match="line 4"):
        read_box_table(path)


def test_published_boxes_are_for_published_images_without_annotation(tmp_path: Path) -> None:
    images, annotations = tmp_path / "raw" / "JPEGImages", tmp_path / "raw" / "Annotations"
    images.mkdir(parents=True)
    annotations.mkdir()
    for name, content in (("same.jpg", b"published"), ("yours.jpg", b"yours"), ("both.jpg", b"published too")):
        (images / name).write_bytes(content)
    (annotations / "both.xml").write_text(voc(("WBC", "5", "6", "7", "8")))
    table, checksums = tmp_path / "boxes.csv", tmp_path / "files.md5"
    names = ("same.jpg", "yours.jpg", "both.jpg", "absent.jpg")
    write_csv(table, ("image", "xmin", "ymin", "xmax", "ymax"), [(name, 1, 2, 3, 4) for name in names])
    published = {
        "same.jpg": b"published",
        "yours.jpg": b"of that name",
        "both.jpg": b"published too",
        "absent.jpg": b"",
    }
    lines = [f"{hashlib.md5(content).hexdigest()}  JPEGImages/{name}\n" for name, content in published.items()]
    checksums.write_text("".join(lines))
    assert white_cells(tmp_path / "raw", table, checksums) == {
        "same.jpg": [Box(1, 2, 3, 4)],
        "both.jpg": [Box(5, 6, 7, 8)],
    }
