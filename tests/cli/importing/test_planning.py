"""Folders as laboratories have them, and what an import makes of each."""

import json
import unicodedata
from pathlib import Path

import pytest

from bloodcells.cli.importing.classes import Wishes
from bloodcells.cli.importing.label_tables import TableWishes
from bloodcells.cli.importing.planning import Options, Plan
from bloodcells.core.errors import InputError
from tests.support.laboratory import (
    FOUR,
    coco,
    deep_photograph,
    labels,
    mask,
    photograph,
    photographs,
    plan,
    second_laboratory,
    table,
    voc,
)


def error(folder: Path, options: Options | None = None) -> str:
    with pytest.raises(InputError) as raised:
        plan(folder, options)
    message = str(raised.value)
    assert "\n" not in message
    return message


def remarks(made: Plan) -> str:
    return "\n".join(made.remarks)


def numbered(count: int, pattern: str = "cell-{:03}.png") -> list[str]:
    return [pattern.format(number) for number in range(1, count + 1)]


def labeled(folder: Path, count: int = 24, classes: tuple[str, ...] = FOUR[:2]) -> list[tuple[str, str]]:
    """Write images and return the rows of their table."""
    photographs(folder, numbered(count))
    return list(zip(numbered(count), labels(count, classes), strict=True))


# ---- tables


def test_the_set_of_a_second_laboratory(tmp_path: Path) -> None:
    made = plan(second_laboratory(tmp_path, 40))
    assert made.record["images"] == {"folder": "images"}
    assert made.record["labels"] == {"table": "class labels.csv", "image": "image ID", "label": "class label"}
    assert made.record["parameters"]["image.crop"] == 120
    assert len(made.masks) == len(made.images) == sum(made.counts.values()) + sum(made.dropped.values())
    assert set(made.counts) == {"1", "2", "3", "4"}  # one basophil is not enough
    assert '--labels "1=…,2=…,3=…,4=…"' in remarks(made)


def test_only_what_is_needed_is_copied(tmp_path: Path) -> None:
    rows = labeled(tmp_path / "images")
    mask(tmp_path / "images" / "cell-001_mask.png")
    photograph(tmp_path / "overview.png")
    (tmp_path / "notes.docx").touch()
    table(tmp_path / "labels.csv", ("image", "label"), rows[:-1])
    made = plan(tmp_path)
    assert set(made.files) == {"labels.csv", *(f"images/{name}" for name, _ in rows[:-1])}
    assert made.unlabeled == ("images/cell-024.png", "overview.png")
    assert [image.name for image in made.masks] == ["images/cell-001_mask.png"]


def test_names_match_in_spite_of_case_extension_and_unicode(tmp_path: Path) -> None:
    names = [f"Färbung_{number}.JPG" for number in range(20)]
    photographs(tmp_path, [unicodedata.normalize("NFD", name) for name in names])
    written = [name.lower().removesuffix(".jpg") if number % 2 else name for number, name in enumerate(names)]
    table(tmp_path / "labels.csv", ("Datei", "Klasse"), zip(written, labels(20, FOUR[:2]), strict=True), separator=";")
    assert sum(plan(tmp_path).counts.values()) == 20


def test_the_columns_are_found_among_others(tmp_path: Path) -> None:
    rows = [
        (number, name, f"P{number % 6}", "train", number / 7, ("yes", "no")[number % 2], label)
        for number, (name, label) in enumerate(labeled(tmp_path))
    ]
    table(tmp_path / "t.csv", ("", "File name", "Patient", "split", "area", "sharp", "Cell type"), rows)
    made = plan(tmp_path)
    assert made.record["labels"] == {"table": "t.csv", "image": "File name", "label": "Cell type"}
    assert "--group Patient" in remarks(made)


def test_a_group_is_used_and_its_few_patients_lower_the_folds(tmp_path: Path) -> None:
    rows = [(name, f"P{number % 4}", label) for number, (name, label) in enumerate(labeled(tmp_path, 28, FOUR[:3]))]
    table(tmp_path / "t.csv", ("image", "patient", "label"), rows)
    made = plan(tmp_path, Options(table=TableWishes(group="Patient")))
    assert made.record["labels"]["group"] == "Patient"
    assert made.record["parameters"]["clean.n_splits"] == 4
    assert made.record["parameters"]["test_folds"] == [0, 1, 2, 3]
    assert "--group" not in remarks(made)


def test_a_group_that_may_be_no_patient_is_remarked(tmp_path: Path) -> None:
    rows = [
        (name, "N/A" if number % 4 == 3 else f"P{number}", "A" if number < 18 else f"B{number}", label)
        for number, (name, label) in enumerate(labeled(tmp_path, 28, FOUR[:3]))
    ]
    table(tmp_path / "t.csv", ("image", "patient", "slide", "label"), rows)
    assert '"patient" is N/A in 7 rows' in remarks(plan(tmp_path, Options(table=TableWishes(group="patient"))))
    assert '"slide" is A in 18 of 28 rows' in remarks(plan(tmp_path, Options(table=TableWishes(group="slide"))))


def test_the_number_of_folds_is_that_of_the_test_folds(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", ("image", "label"), labeled(tmp_path))
    parameters = plan(tmp_path).record["parameters"]
    assert (parameters["clean.n_splits"], parameters["test_folds"]) == (5, [0, 1, 2, 3, 4])


def test_a_label_table_may_have_any_name(tmp_path: Path) -> None:
    table(tmp_path / "white_cells.csv", ("image", "label"), labeled(tmp_path))
    assert plan(tmp_path).record["labels"]["table"] == "white_cells.csv"


def test_columns_that_can_not_be_told_apart_need_an_option(tmp_path: Path) -> None:
    rows = [
        (name, label, labels(24, ("big", "small"))[number // 2])
        for number, (name, label) in enumerate(labeled(tmp_path, 24, ("x", "y")))
    ]
    table(tmp_path / "t.csv", ("image", "reader", "size"), rows)
    assert "--label-column" in error(tmp_path)
    assert set(plan(tmp_path, Options(table=TableWishes(label="reader"))).counts) == {"x", "y"}
    assert "--label-column: " in error(tmp_path, Options(table=TableWishes(label="absent")))
    assert "--image-column: " in error(tmp_path, Options(table=TableWishes(image="absent")))


def test_numbers_that_repeat_are_no_images(tmp_path: Path) -> None:
    photographs(tmp_path, numbered(20, "{}.png"))  # class 1 is no image 1.png
    table(tmp_path / "t.csv", ("what", "which"), [(number % 4 + 1, number) for number in range(1, 21)])
    assert plan(tmp_path).record["labels"] == {"table": "t.csv", "image": "which", "label": "what"}


def test_names_are_preferred_to_the_numbers_of_the_same_classes(tmp_path: Path) -> None:
    rows = [(name, FOUR.index(label), label) for name, label in labeled(tmp_path)]
    table(tmp_path / "t.csv", ("image", "class_id", "class"), rows)
    assert plan(tmp_path).record["labels"]["label"] == "class"


def test_of_several_tables_the_one_with_labels_is_used_or_asked_for(tmp_path: Path) -> None:
    rows = labeled(tmp_path)
    table(tmp_path / "a.csv", ("image", "label"), rows)
    table(tmp_path / "areas.csv", ("image", "area"), [(name, number / 7) for number, (name, _) in enumerate(rows)])
    table(tmp_path / "staff.csv", ("who", "when"), [("A", 1), ("B", 2)])
    made = plan(tmp_path)
    assert made.record["labels"]["table"] == "a.csv"
    assert not {"areas.csv", "staff.csv"} & set(made.files)
    table(tmp_path / "b.csv", ("image", "label"), rows[:-2])
    message = error(tmp_path)
    assert all(part in message for part in ("a.csv (24 rows)", "b.csv (22 rows)", "--table"))
    assert plan(tmp_path, Options(table=TableWishes(table=Path("b.csv")))).record["labels"]["table"] == "b.csv"


def test_a_table_may_be_elsewhere(tmp_path: Path) -> None:
    rows = labeled(tmp_path / "images")
    path = table(tmp_path / "desk" / "t.csv", ("image", "label"), rows)
    made = plan(tmp_path / "images", Options(table=TableWishes(table=path)))
    assert made.files["t.csv"] == path
    assert "--table: there is no" in error(tmp_path / "images", Options(table=TableWishes(table=Path("absent.csv"))))


def test_the_folder_is_chosen_in_which_the_names_mean_one_image_each(tmp_path: Path) -> None:
    for folder, count in (("set 1", 30), ("set 2", 20)):
        photographs(tmp_path / folder, numbered(count, "{:03}.png"))
    table(tmp_path / "t.csv", ("id", "class"), [(number, FOUR[number % 2]) for number in range(1, 21)])
    made = plan(tmp_path)
    assert made.record["images"]["folder"] == "set 2"  # in set 1, 10 images would have no label
    assert sum(made.counts.values()) == 20


def test_of_an_image_in_two_formats_the_better_one_is_used(tmp_path: Path) -> None:
    photographs(tmp_path, [*numbered(20, "{:03}.jpg"), *numbered(20, "{:03}.bmp")])
    rows = [(number, FOUR[number % 2]) for number in range(1, 21)]
    table(tmp_path / "t.csv", ("id", "class"), rows)
    assert {image.suffix for image in plan(tmp_path).images} == {".bmp"}
    table(tmp_path / "t.csv", ("id", "class"), [(f"{number:03}.jpg", label) for number, label in rows])
    assert {image.suffix for image in plan(tmp_path).images} == {".jpg"}


def test_the_same_names_in_two_folders_need_an_option(tmp_path: Path) -> None:
    for folder in ("raw", "normalized"):
        photographs(tmp_path / folder, numbered(20))
    table(tmp_path / "t.csv", ("id", "class"), zip(numbered(20), labels(20), strict=True))
    assert "normalized or raw" in error(tmp_path)
    assert plan(tmp_path, Options(images="raw")).record["images"]["folder"] == "raw"


def test_rows_and_images_that_do_not_match_are_named_with_near_misses(tmp_path: Path) -> None:
    rows = labeled(tmp_path)
    rows[4] = ("cell--005.png", rows[4][1])
    (tmp_path / "cell-009.png").write_bytes(b"broken")
    table(tmp_path / "t.csv", ("image", "label"), [*rows, ("cell-099.png", "monocyte"), ("", "")])
    made = plan(tmp_path)
    assert "line 6" in remarks(made)
    assert "cell--005.png (near: cell-005.png)" in remarks(made)
    assert "line 10" in remarks(made)  # its image is broken
    assert [image.name for image in made.broken] == ["cell-009.png"]
    assert made.dropped == {"no image": 2, "monocyte": 1}
    assert sum(made.counts.values()) == 22


def test_equal_images_are_named_and_contradicting_labels_apart(tmp_path: Path) -> None:
    rows = labeled(tmp_path)
    for one, other in (("cell-001.png", "cell-003.png"), ("cell-002.png", "cell-005.png")):
        (tmp_path / other).write_bytes((tmp_path / one).read_bytes())
    table(tmp_path / "t.csv", ("image", "label"), rows)
    equal, contradicting = "cell-001.png = cell-003.png", "cell-002.png (lymphocyte) and cell-005.png (neutrophil)"
    assert equal in remarks(plan(tmp_path))
    assert contradicting in remarks(plan(tmp_path))


def test_the_same_image_in_two_rows_is_an_error_that_names_the_lines(tmp_path: Path) -> None:
    rows = labeled(tmp_path)
    table(tmp_path / "t.csv", ("image", "label"), [*rows, (rows[0][0], "monocyte")])
    message = error(tmp_path)
    assert str(tmp_path / "t.csv") in message
    assert "line 26" in message
    assert "line 2;" in message


def test_rows_that_can_not_be_used_are_counted(tmp_path: Path) -> None:
    rows = labeled(tmp_path)
    rows[0] = (rows[0][0], "")
    rows[1] = (rows[1][0], "neutrophil, monocyte")
    rows[2] = (rows[2][0], "basophil")
    table(tmp_path / "t.csv", ("image", "label"), rows)
    made = plan(tmp_path)
    assert made.dropped == {"no label": 1, "several labels": 1, "basophil": 1}
    assert set(made.record["drop"]) == {"basophil", "monocyte"}


def test_a_table_that_can_not_be_read_is_an_error(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", ("image", "label"), labeled(tmp_path))
    path.write_text(path.read_text().replace("cell-003", '"cell-003'))
    assert "t.csv, line 4" in error(tmp_path)
    path.unlink()
    (tmp_path / "t.xlsx").write_bytes(b"PK\3\4")
    assert "t.xlsx" in error(tmp_path)
    assert "CSV" in error(tmp_path)


def test_16_bit_images_get_a_range(tmp_path: Path) -> None:
    for number, name in enumerate(numbered(20)):
        deep_photograph(tmp_path / name, 3000 + number)
    table(tmp_path / "t.csv", ("image", "label"), zip(numbered(20), labels(20, FOUR[:2]), strict=True))
    made = plan(tmp_path)
    assert made.record["images"]["range"] == [0, 4095]
    assert not made.broken


# ---- folders


def test_a_folder_per_class_also_below_train_and_test(tmp_path: Path) -> None:
    for part, count in (("TRAIN", 12), ("TEST", 6)):
        for name in ("Healthy", "blast"):
            photographs(tmp_path / part / name, numbered(count, f"{part}-{name}-{{}}.png"))
    photograph(tmp_path / "overview.png")
    (tmp_path / "TRAIN" / "Thumbs.db").touch()
    made = plan(tmp_path)
    assert made.record["labels"] == {"folders": "."}
    assert made.counts == {"blast": 18, "healthy": 18}
    assert made.unlabeled == ("overview.png",)
    assert any("TRAIN" in fact and "TEST" in fact for fact in made.facts)


def test_classes_further_up_are_an_error(tmp_path: Path) -> None:
    for name in FOUR[:2]:
        for patient in ("P1", "P2"):
            photographs(tmp_path / name / patient, numbered(5, f"{name}-{patient}-{{}}.png"))
    assert "not directly in the folders lymphocyte, neutrophil" in error(tmp_path)
    names = [
        f"{name}-{patient}-{number}.png" for name in FOUR[:2] for patient in ("P1", "P2") for number in range(1, 6)
    ]
    table(tmp_path / "t.csv", ("image", "label"), [(name, name.partition("-")[0]) for name in names])
    assert sum(plan(tmp_path).counts.values()) == 20


def test_folders_that_look_like_patients_are_remarked(tmp_path: Path) -> None:
    for patient in ("P1", "P2"):
        photographs(tmp_path / patient, numbered(6, f"{patient}-{{}}.png"))
    assert "patients" in remarks(plan(tmp_path))


def test_a_table_comes_before_folders_and_says_so(tmp_path: Path) -> None:
    for name in ("a", "b"):
        photographs(tmp_path / name, numbered(10, f"{name}-{{}}.png"))
    names = [*numbered(10, "a-{}.png"), *numbered(10, "b-{}.png")]
    table(tmp_path / "t.csv", ("image", "label"), zip(names, labels(20, FOUR[:2]), strict=True))
    made = plan(tmp_path)
    assert set(made.counts) == set(FOUR[:2])
    assert "--layout folders" in remarks(made)
    assert set(plan(tmp_path, Options(layout="folders")).counts) == {"a", "b"}


@pytest.mark.parametrize("folders", [["images"], ["train", "test"], ["patient 1", "patient 2"]])
def test_folders_without_labels_are_an_error(tmp_path: Path, folders: list[str]) -> None:
    for folder in folders:
        photographs(tmp_path / folder, numbered(5))
    assert "no labels found" in error(tmp_path)


# ---- boxes


def boxed(folder: Path, count: int = 12) -> dict[str, list[tuple[str, int, int, int, int]]]:
    """Write images, and return boxes (left, top, width, height) by image."""
    names = numbered(count)
    photographs(folder, names, size=(200, 150))
    kinds = labels(2 * count, FOUR[:2])
    return {
        name: [("RBC", 1, 1, 20, 20), (kinds[number], 50, 50, 50, 40), (kinds[number + 1], 120, 20, 60, 60)]
        for number, name in enumerate(names)
    }


def test_voc_boxes_are_cells_and_red_cells_are_dropped(tmp_path: Path) -> None:
    for name, boxes in boxed(tmp_path / "JPEGImages").items():
        voc(tmp_path / "Annotations" / f"{name[:-4]}.xml", [(kind, x, y, x + w, y + h) for kind, x, y, w, h in boxes])
    made = plan(tmp_path)
    assert made.record["images"] == {"folder": "JPEGImages"}
    assert made.record["labels"] == {"boxes": "voc", "annotations": "Annotations"}
    assert made.counts == {"lymphocyte": 12, "neutrophil": 12}
    assert made.dropped == {"rbc": 12}
    assert 64 <= made.record["parameters"]["image.crop"] <= 96


def test_coco_boxes_are_cells(tmp_path: Path) -> None:
    coco(tmp_path / "train" / "_annotations.coco.json", boxed(tmp_path / "train"))
    (tmp_path / "package.json").write_text('{"name": "x"}')
    made = plan(tmp_path)
    assert made.record["labels"] == {"boxes": "coco", "annotations": "train/_annotations.coco.json"}
    assert made.counts == {"lymphocyte": 12, "neutrophil": 12}


def test_a_coco_file_with_a_wrong_annotation_is_not_passed_over(tmp_path: Path) -> None:
    for name in FOUR[:2]:
        photographs(tmp_path / name, numbered(6, f"{name}-{{}}.png"))
    path = coco(tmp_path / "a.json", {f"{FOUR[0]}-1.png": [(FOUR[0], 1, 1, 9, 9)]})
    content = json.loads(path.read_text())
    content["annotations"].append({"image_id": 0, "category_id": 77, "bbox": [1, 1, 5, 5]})
    path.write_text(json.dumps(content))
    assert f"{path}, annotation 2: no 77" in error(tmp_path)
    assert plan(tmp_path, Options(layout="folders")).counts == {"lymphocyte": 6, "neutrophil": 6}
    (tmp_path / "a.json").write_text('{"images": 1, "annotations": [], "categories": []}')
    assert plan(tmp_path).record["labels"] == {"folders": "."}


def test_a_yolo_file_with_a_wrong_line_is_not_passed_over(tmp_path: Path) -> None:
    for number, name in enumerate(boxed(tmp_path)):
        (tmp_path / f"{name[:-4]}.txt").write_text(f"{number % 2} 0.5 {'nan' if number == 3 else '0.5'} 0.25 0.3\n")
    assert "cell-004.txt, line 1: a number is not from 0 to 1" in error(tmp_path)


def test_yolo_boxes_are_cells(tmp_path: Path) -> None:
    for name in boxed(tmp_path / "images"):
        path = tmp_path / "labels" / f"{name[:-4]}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("0 0.5 0.5 0.25 0.3\n1 0.2 0.2 0.2 0.2\n2 0.8 0.8 0.1 0.1\n")
    message = error(tmp_path)
    assert "0 (12), 1 (12), 2 (12)" in message
    (tmp_path / "classes.txt").write_text("neutrophil\nmonocyte\nplatelet\n")
    made = plan(tmp_path)
    assert made.record["labels"] == {"boxes": "yolo", "annotations": "labels", "names": "classes.txt"}
    assert made.counts == {"monocyte": 12, "neutrophil": 12}
    assert "classes.txt" in made.files


def test_boxes_around_white_cells_of_any_kind_are_no_labels(tmp_path: Path) -> None:
    for name in boxed(tmp_path / "images"):
        voc(tmp_path / "xml" / f"{name[:-4]}.xml", [("WBC", 50, 50, 100, 90), ("RBC", 1, 1, 20, 20)])
    assert "RBC, WBC" in error(tmp_path).replace("WBC, RBC", "RBC, WBC")
    table(tmp_path / "t.csv", ("image", "label"), zip(numbered(12), labels(12, FOUR[:2]), strict=True))
    made = plan(tmp_path)
    assert made.record["white_cells"] == {"annotations": "xml", "name": "WBC"}
    assert len(made.files) == 25


# ---- what can't be imported


def test_folders_without_usable_images_say_why(tmp_path: Path) -> None:
    assert "no images" in error(tmp_path)
    (tmp_path / "images.zip").touch()
    assert "unpack images.zip" in error(tmp_path)
    (tmp_path / "a.png").touch()
    assert "a.png is empty" in error(tmp_path)
    mask(tmp_path / "b.png")
    (tmp_path / "a.png").unlink()
    assert "masks only" in error(tmp_path)


def test_options_that_contradict_each_other_are_an_error(tmp_path: Path) -> None:
    labeled(tmp_path)
    assert "--layout boxes reads no table" in error(tmp_path, Options(layout="boxes", table=TableWishes(group="x")))
    assert "--images" in error(tmp_path, Options(images="absent"))


def test_the_user_s_classes_and_crop_are_in_the_record(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", ("image", "label"), labeled(tmp_path, 24, ("1", "2", "3")))
    wishes = Wishes(labels={"1": "neutrophil", "2": "neutrophil", "3": "monocyte"})
    made = plan(tmp_path, Options(classes=wishes, crop=64))
    assert made.record["classes"] == ["neutrophil", "monocyte"]
    assert made.record["label_map"] == {"1": "neutrophil", "2": "neutrophil", "3": "monocyte"}
    assert made.record["parameters"]["image.crop"] == 64
    assert made.counts == {"neutrophil": 16, "monocyte": 8}
    assert plan(tmp_path, Options(as_found=True)).record["classes"] == "as found"
