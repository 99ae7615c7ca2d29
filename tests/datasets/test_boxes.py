import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFile

from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Box
from bloodcells.datasets.boxes import read_boxes
from bloodcells.datasets.record import Record, parse_record
from bloodcells.imaging.loading import open_rgb

WIDTH, HEIGHT = 80, 60


def record(images: str = ".", **labels: str) -> Record:
    content = {"title": "t", "source": "folder", "images": {"folder": images}, "labels": labels, "classes": "as found"}
    return parse_record(content, Path("record.yaml"))


def picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def voc(
    *objects: tuple[str, object, object, object, object], filename: str = "", size: tuple[int, int] = (0, 0)
) -> str:
    boxes = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for name, left, top, right, bottom in objects
    )
    width, height = size
    sides = f"<size><width>{width}</width><height>{height}</height></size>"
    return f"<annotation><filename>{filename}</filename>{sides}{boxes}</annotation>"


def coco(*boxes: tuple[str, list[float]], file_name: str = "a.jpg", **more: Any) -> dict[str, Any]:
    names = sorted({name for name, _ in boxes})
    return {
        "images": [{"id": 7, "file_name": file_name, "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        "annotations": [
            {"id": number, "image_id": 7, "category_id": names.index(name), "bbox": box} | more
            for number, (name, box) in enumerate(boxes)
        ],
    }


def test_voc_counts_pixels_from_1_and_both_edges_belong_to_the_box(tmp_path: Path) -> None:
    picture(tmp_path / "JPEGImages" / "a.jpg")
    text = voc(("WBC", 1, 1, 80, 60), (" RBC ", "5.0", 6, 7, 8), size=(WIDTH, HEIGHT))
    write(tmp_path / "Annotations" / "a.xml", text)
    assert read_boxes(record("JPEGImages", boxes="voc", annotations="Annotations"), tmp_path) == [
        ("a.jpg", "WBC", Box(0, 0, 80, 60)),
        ("a.jpg", "RBC", Box(4, 5, 7, 8)),
    ]


def test_the_size_in_a_voc_file_may_be_written_as_decimals(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    text = voc(("WBC", 1, 1, 9, 9)).replace("<width>0", "<width>80.0").replace("<height>0", "<height>60.0")
    write(tmp_path / "a.xml", text)
    assert read_boxes(record(boxes="voc"), tmp_path) == [("a.jpg", "WBC", Box(0, 0, 9, 9))]


def test_coco_is_left_top_width_height(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    content = coco(("eosinophil", [10.2, 20, 30.4, 10]), ("monocyte", [0, 0, 5, 5]))
    content["annotations"].append({"image_id": 7, "category_id": 0, "bbox": [0, 0, 80, 60], "iscrowd": 1})
    write(tmp_path / "instances.json", json.dumps(content))
    assert read_boxes(record("images", boxes="coco", annotations="instances.json"), tmp_path) == [
        ("a.jpg", "eosinophil", Box(10, 20, 41, 30)),
        ("a.jpg", "monocyte", Box(0, 0, 5, 5)),
    ]


NAMES = {
    "classes.txt": "basophil\nwhite cell\n\n",
    "data.yaml": "names: [basophil, white cell]",
    "dict.yml": "names: {0: basophil, 1: white cell}",
}


@pytest.mark.parametrize("names", [None, *NAMES])
def test_yolo_is_center_width_height_in_fractions(tmp_path: Path, names: str | None) -> None:
    picture(tmp_path / "images" / "a.png")
    write(tmp_path / "labels" / "a.txt", "1 0.5 0.5 0.25 0.5\n\n0 0.0 0.1 0.5 0.2\n1 0.1 0.1 0.3 0.2 0.2 0.4\n")
    write(tmp_path / "labels" / "b.txt", "")
    picture(tmp_path / "images" / "b.png")  # an image without cells
    write(tmp_path / "labels" / "readme.txt", "a note\n")
    labels = {"boxes": "yolo", "annotations": "labels"}
    if names:
        write(tmp_path / "labels" / names, NAMES[names])
        labels["names"] = f"labels/{names}"
    first, second = ("basophil", "white cell") if names else ("0", "1")
    assert read_boxes(record("images", **labels), tmp_path) == [
        ("a.png", second, Box(30, 15, 50, 45)),
        ("a.png", first, Box(0, 0, 20, 12)),
        ("a.png", second, Box(8, 6, 24, 24)),  # the box around a polygon
    ]


def test_boxes_are_beside_the_images_unless_the_record_says_where(tmp_path: Path) -> None:
    for name in ("x/a.jpg", "x/b.jpg"):
        picture(tmp_path / name)
    write(tmp_path / "x" / "b.xml", voc(("n", 1, 1, 9, 9)))
    write(tmp_path / "x" / "a.xml", voc(("m", 1, 1, 9, 9), ("m", 1, 1, 9, 9)))  # the same box twice
    assert read_boxes(record(boxes="voc"), tmp_path) == [
        ("x/a.jpg", "m", Box(0, 0, 9, 9)),
        ("x/b.jpg", "n", Box(0, 0, 9, 9)),
    ]
    write(tmp_path / "x" / "_annotations.coco.json", json.dumps(coco(("m", [0, 0, 9, 9]))))
    write(tmp_path / "x" / "a.txt", "3 0.5 0.5 1 1")
    assert read_boxes(record(boxes="coco"), tmp_path) == [("x/a.jpg", "m", Box(0, 0, 9, 9))]
    assert read_boxes(record(boxes="yolo"), tmp_path) == [("x/a.jpg", "3", Box(0, 0, WIDTH, HEIGHT))]


@pytest.mark.parametrize(
    ("image", "annotation", "filename"),
    [
        ("d.v2.TIF", "d.v2.xml", "other.jpg"),  # the name of the XML file comes first
        ("cell 1.jpg", "000001.xml", "C:\\slides\\cell 1.jpg"),
        ("Cell_1.PNG", "000001.xml", "cell_1.jpg"),
        ("cell_1.jpg", "000001.XML", "cell_1"),
        ("deep/down/a.jpg", "a.xml", ""),
        ("Zelle_\u00e4.jpg", "Zelle_a\u0308.xml", ""),
    ],
)
def test_an_image_is_found_by_the_name_of_its_annotation(
    tmp_path: Path, image: str, annotation: str, filename: str
) -> None:
    picture(tmp_path / "images" / image)
    write(tmp_path / "Annotations" / annotation, voc(("WBC", 1, 1, 9, 9), filename=filename))
    found = read_boxes(record("images", boxes="voc", annotations="Annotations"), tmp_path)
    assert found == [(image, "WBC", Box(0, 0, 9, 9))]


def test_images_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        picture(tmp_path / part / "images" / "a.jpg")
        write(tmp_path / part / "labels" / "a.txt", f"{len(part)} 0.5 0.5 1 1")
        write(tmp_path / part / "annotations.json", json.dumps(coco((part, [0, 0, 9, 9]))))
    found = read_boxes(record(boxes="yolo"), tmp_path)
    assert [(image, name) for image, name, _ in found] == [("train/images/a.jpg", "5"), ("valid/images/a.jpg", "5")]
    found = read_boxes(record(boxes="coco"), tmp_path)
    assert [(image, name) for image, name, _ in found] == [
        ("train/images/a.jpg", "train"),
        ("valid/images/a.jpg", "valid"),
    ]
    write(tmp_path / "Annotations" / "a.xml", voc(("WBC", 1, 1, 9, 9)))
    with pytest.raises(InputError, match=r"a can be train/images/a\.jpg or valid/images/a\.jpg"):
        read_boxes(record(boxes="voc"), tmp_path)
    picture(tmp_path / "a.jpg")  # of exactly this path
    found = read_boxes(record(boxes="voc", annotations="Annotations"), tmp_path)
    assert [image for image, _, _ in found] == ["a.jpg"]


def test_images_of_one_name_are_told_apart_by_case(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    picture(tmp_path / "A.jpg")
    write(tmp_path / "a.json", json.dumps(coco(("WBC", [0, 0, 9, 9]))))
    assert [image for image, _, _ in read_boxes(record(boxes="coco"), tmp_path)] == ["a.jpg"]


def test_boxes_of_an_image_that_is_not_there_keep_its_name(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "secret.jpg")
    write(tmp_path / "Annotations" / "gone.xml", voc(("WBC", 1, 1, 99, 9), filename="../secret.jpg", size=(50, 50)))
    found = read_boxes(record("images", boxes="voc", annotations="Annotations"), tmp_path)
    assert found == [("secret.jpg", "WBC", Box(0, 0, 50, 9))]  # of the images folder


def test_a_box_is_clipped_to_its_image(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.xml", voc(("WBC", -5, 0, 99, 60.4)))
    assert read_boxes(record(boxes="voc"), tmp_path) == [("a.jpg", "WBC", Box(0, 0, WIDTH, 60))]


def test_a_wrong_box_does_not_matter_if_its_name_is_dropped(tmp_path: Path) -> None:
    """Published sets of white cells have boxes of red cells without an area."""
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.xml", voc(("WBC", 1, 1, 9, 9), ("RBC", 3, 3, 3, 3), ("rbc ", 1, 1, 9, 9), ("dust", 3, 3, 3, 3)))
    content = record(boxes="voc").model_dump() | {"drop": ["rbc"], "label_map": {"Dust": "drop"}}
    assert [name for _, name, _ in read_boxes(parse_record(content, Path("r")), tmp_path)] == ["WBC", "rbc"]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "bmp"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 7, 8])
def test_boxes_are_of_the_upright_image(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / f"a.{suffix}", exif=exif)
    write(tmp_path / "a.txt", "0 0.5 0.5 1 1")
    [(image, _, box)] = read_boxes(record(boxes="yolo"), tmp_path)
    assert (box.right, box.bottom) == open_rgb(tmp_path / image).size


def test_no_image_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for suffix in ("jpg", "png", "tif", "webp", "bmp"):
        picture(tmp_path / f"{suffix}.{suffix}")
        write(tmp_path / f"{suffix}.txt", "0 0.5 0.5 1 1")
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("decoded"))
    assert {box for _, _, box in read_boxes(record(boxes="yolo"), tmp_path)} == {Box(0, 0, WIDTH, HEIGHT)}


BOMB = (
    '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    "<annotation><object><name>&c;</name></object></annotation>"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not a Pascal VOC annotation"),
        ("no xml", "is not a Pascal VOC annotation"),
        (voc(("WBC", "1", "2", "3", "4"))[:-20], "is not a Pascal VOC annotation"),
        (voc(("WBC", "one", "2", "3", "4")), "is not a Pascal VOC annotation .*one"),
        (voc((" ", "1", "2", "3", "4")), "object 1 has no name"),
        (voc(("W&#x9b;C", "1", "2", "3", "4")), r"'W\\x9bC' has a line end or control character"),
        (voc(("WBC", 1, 2, 3, 4)).replace("<width>0", "<width>80.5"), "'80.5' is no whole number of pixels"),
        ("<annotation><object><name>WBC</name></object></annotation>", "is not a Pascal VOC annotation"),
        ('<?xml version="1.0" encoding="none-such"?><annotation/>', "is not a Pascal VOC annotation"),
        (BOMB, "declares a document type"),
        (voc(("WBC", 5, 5, 5, 9)), r"a\.xml, object 1 \(WBC\): it has no width or no height: correct or remove it"),
        (voc(("WBC", "inf", "2", "3", "4")), "no width or no height"),
        (voc(("WBC", 90, 5, 99, 9)), r"no pixel of it lies in a\.jpg, which has 80×60"),
        (voc(("WBC", 1, 2, 3, 4), size=(60, 80)), r"drawn on 60×80 pixels, but a\.jpg has 80×60"),
        (voc(*[("WBC", 9, 9, 9, 9)] * 12), "object 5 .*; and 7 more: correct or remove them"),
        (voc(), "holds no boxes"),
        (voc(("WBC", "1", "2", "3", "4"), filename=" " * 11_000_000), "has over 10 MB"),
    ],
)
def test_a_wrong_voc_file_is_an_error_that_names_it(tmp_path: Path, text: str, expected: str) -> None:
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.xml", text)
    with pytest.raises(InputError, match=expected) as caught:
        read_boxes(record(boxes="voc"), tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def _without(part: str, key: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: content[part][0].pop(key)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda content: content.pop("images"), "has no list images"),
        (lambda content: content.update(categories={}), "has no list categories"),
        (lambda content: content["images"].append(content["images"][0]), "two entries of images have the same id"),
        (lambda content: content["images"].append(3), "an entry of images has no id"),
        (_without("categories", "id"), "an entry of categories has no id"),
        (_without("categories", "name"), "annotation 1: no 'name'"),
        (lambda content: content["categories"][0].update(name="W\x1b[31m"), r"'W\\x1b\[31m' has a line end or control"),
        (_without("images", "file_name"), "annotation 1: no 'file_name'"),
        (_without("annotations", "bbox"), "annotation 1: no 'bbox'"),
        (
            lambda content: content["annotations"][0].update(category_id=9),
            "annotation 1: no 9, or nothing with that id",
        ),
        (lambda content: content["annotations"][0].update(bbox=[1, 2, 3]), "annotation 1 is not a box"),
        (lambda content: content["annotations"][0].update(bbox=[1, 2, "x", 4]), "annotation 1 is not a box"),
        (lambda content: content["annotations"][0].update(bbox=[1, 2, 3, None]), "annotation 1 is not a box"),
        (lambda content: content["annotations"][0].update(bbox=[1, 2, 0, 4]), r"annotation 1 \(WBC\): it has no width"),
        (lambda content: content["annotations"][0].update(bbox=[1, 2, float("nan"), 4]), "it has no width"),
        (lambda content: content["annotations"].append("text"), "annotation 2 is not a box"),
        (lambda content: content["images"][0].update(width=HEIGHT, height=WIDTH), "drawn on 60×80"),
        (lambda content: content["images"][0].update(file_name="."), "annotation 1 is not a box"),
        (lambda content: content["annotations"].clear(), "holds no boxes"),
    ],
)
def test_a_wrong_coco_file_is_an_error_that_names_it(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], object], expected: str
) -> None:
    picture(tmp_path / "a.jpg")
    content = coco(("WBC", [1, 2, 3, 4]))
    spoil(content)
    write(tmp_path / "a.json", json.dumps(content))
    with pytest.raises(InputError, match=expected) as caught:
        read_boxes(record(boxes="coco"), tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "text", "[" * 100_000, "\udcff"])
def test_what_is_not_json_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"a\.json is not JSON .*export it again"):
        read_boxes(record(boxes="coco"), tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0.5 0.5 0.1", "line 1: 3 numbers after the class"),
        ("0 0.5 0.5 0.1 0.1 0.9", "line 1: 5 numbers after the class"),
        ("0 0.5 0.5 0.1 0.1\n0 0.5 x 0.1 0.1", "line 2: .*'x'; write a class and four numbers"),
        ("cell 0.5 0.5 0.1 0.1", "line 1: .*'cell'"),
        ("0 320 240 50 50", "fractions of the image's width and height"),
        ("0 0.5 nan 0.1 0.1", "fractions of the image's width and height"),
        ("0 0.5 0.5 0 0.1", "line 1: it has no width"),
        ("2 0.5 0.5 0.1 0.1", "line 1: class 2, but there are 2 names"),
        ("-1 0.5 0.5 0.1 0.1", "line 1: class -1"),
    ],
)
def test_a_wrong_yolo_file_is_an_error_that_names_the_line(tmp_path: Path, text: str, expected: str) -> None:
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", text)
    write(tmp_path / "classes.txt", "one\ntwo\n")
    with pytest.raises(InputError, match=expected) as caught:
        read_boxes(record(boxes="yolo", names="classes.txt"), tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "a.txt"))


def test_yolo_needs_the_images_and_names_that_it_speaks_of(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "0 0.5 0.5 0.1 0.1")
    with pytest.raises(InputError, match=r"a\.txt: its image is missing or can't be read"):
        read_boxes(record(boxes="yolo"), tmp_path)
    (tmp_path / "a.jpg").write_text("no image")
    with pytest.raises(InputError, match=r"a\.txt: its image is missing or can't be read"):
        read_boxes(record(boxes="yolo"), tmp_path)
    for name, text in (("classes.txt", "\n"), ("data.yaml", "names: 3"), ("gap.yaml", "names: {0: a, 2: b}")):
        write(tmp_path / name, text)
        with pytest.raises(InputError, match=f"{name} has no names of classes"):
            read_boxes(record(boxes="yolo", names=name), tmp_path)
    with pytest.raises(InputError, match=r"gone\.txt can't be read"):
        read_boxes(record(boxes="yolo", names="gone.txt"), tmp_path)
