"""The record of a data set, as a user writes it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bloodcells.core.errors import InputError
from bloodcells.datasets.record import MAX_CLASSES, Record, read_record, record_names
from tests.support.project import ROOT

CONTENT: dict[str, Any] = {
    "title": "cells of our laboratory",
    "source": "folder",
    "labels": {"table": "labels.csv"},
    "classes": ["lymphocyte", "neutrophil"],
}
PUBLISHED = {"archive": "https://example.org/a.tar.gz", "fingerprint": "0.dir"}


def read(folder: Path, **changes: Any) -> Record:
    return read_text(folder, yaml.safe_dump(CONTENT | changes))


def read_text(folder: Path, text: str) -> Record:
    path = folder / "ours" / "record.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return read_record("ours", folder)


def error(folder: Path, **changes: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, **changes)
    message = str(caught.value)
    prefix = f"{folder / 'ours' / 'record.yaml'}: "
    assert message.startswith(prefix)
    assert "\n" not in message
    return message.removeprefix(prefix)


@pytest.mark.parametrize("name", record_names(ROOT / "datasets"))
def test_the_committed_records_are_valid(name: str) -> None:
    record = read_record(name, ROOT / "datasets")
    assert (record.published is not None) == (record.source == "published")


def test_what_is_left_out_has_defaults(tmp_path: Path) -> None:
    record = read(tmp_path)
    assert (record.labels.image, record.labels.label, record.labels.group) == ("Image", "Category", None)
    assert record.images_folder(Path("raw")) == Path("raw")
    assert read(tmp_path, images={"folder": "a/b"}).images_folder(Path("raw")) == Path("raw/a/b")
    assert (record.label_map, record.drop, record.parameters, record.published) == ({}, (), {}, None)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"clases": ["a", "b"]}, "clases: "),
        ({"labels": {"table": "a.csv", "colum": "b"}}, "labels.colum: "),
        ({"images": {"numbered": "{}.jpg", "suffix": ".jpg"}}, "images.suffix: "),
        ({"title": ""}, "title: "),
        ({"source": "web"}, "source: "),
        ({"images": {"range": [4095, 0]}}, "images.range: "),
        ({"images": {"range": [0, 70000]}}, "images.range: "),
        ({"classes": "as it is"}, "classes: write a list of names, or as found"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    assert error(tmp_path, **changes).startswith(key)


def test_all_wrong_keys_are_named_at_once(tmp_path: Path) -> None:
    message = error(tmp_path, source="web", titel="x", images={"range": [1]})
    assert all(key in message for key in ("source: ", "titel: ", "images.range"))


def test_a_line_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ours/record\.yaml, line 2: not YAML"):
        read_text(tmp_path, "title: cells\nsource: a: b\n")


@pytest.mark.parametrize("count", [2, MAX_CLASSES])
def test_there_may_be_two_to_twenty_classes_in_any_order(tmp_path: Path, count: int) -> None:
    classes = [f"class {number}" for number in reversed(range(count))]
    assert read(tmp_path, classes=classes).classes == tuple(classes)


@pytest.mark.parametrize("count", [0, 1, MAX_CLASSES + 1])
def test_fewer_or_more_classes_are_an_error(tmp_path: Path, count: int) -> None:
    message = error(tmp_path, classes=[f"class {number}" for number in range(count)])
    assert message == f"classes: {count} of them; there must be 2 to 20"


def test_classes_may_be_those_that_are_found(tmp_path: Path) -> None:
    record = read(tmp_path, classes="as found", label_map={"lym": "lymphocyte", "smudge": "drop"})
    assert record.classes == "as found"


@pytest.mark.parametrize(
    "name",
    ["image", "Fold", "PREDICTED", "drop", "null", "Unsure", "abstains", "error", "several labels", "group", "verdict"],
)
def test_names_that_the_tables_of_the_pipeline_use_are_reserved(tmp_path: Path, name: str) -> None:
    assert "reserved" in error(tmp_path, classes=["lymphocyte", name])
    if name != "drop":
        assert "reserved" in error(tmp_path, classes="as found", label_map={"lym": name})


@pytest.mark.parametrize("name", ["", " ", "a,b", "a/b", "a|b", 'a"b', "a\tb", "a\nb", " a", "a  b", "x" * 41])
def test_a_class_name_must_fit_into_a_table_and_a_caption(tmp_path: Path, name: str) -> None:
    assert "class" in error(tmp_path, classes=["lymphocyte", name])


@pytest.mark.parametrize("name", ["<b>", "T&B", "`a`", "=1+1", "+", "-a", "@a"])
def test_a_class_name_is_no_markup_and_no_formula(tmp_path: Path, name: str) -> None:
    assert "through label_map" in error(tmp_path, classes=["lymphocyte", name])


@pytest.mark.parametrize("key", ["title", "license", "citation"])
def test_a_text_for_readers_can_be_printed_on_one_line(tmp_path: Path, key: str) -> None:
    assert error(tmp_path, **{key: "a\x1b[2Jb"}).startswith(f"{key}: a character that can't be printed")
    assert getattr(read(tmp_path, **{key: "Cells,\n 白血球\n"}), key) == "Cells, 白血球"


def test_class_names_may_have_spaces_and_any_letters(tmp_path: Path) -> None:
    classes = ("T-Zelle (groß)", "白血球", "x" * 40)
    assert read(tmp_path, classes=list(classes)).classes == classes


def test_classes_that_differ_in_case_only_are_an_error(tmp_path: Path) -> None:
    assert "two have the same name" in error(tmp_path, classes=["Lymphocyte", "lymphocyte"])


@pytest.mark.parametrize("target", ["neutrophill", "Neutrophil"])
def test_a_label_map_to_an_unknown_class_names_the_most_similar_one(tmp_path: Path, target: str) -> None:
    message = error(tmp_path, label_map={"seg": target})
    assert message == f"label_map: {target!r} is not among the classes; did you mean neutrophil?"


def test_a_label_has_one_class(tmp_path: Path) -> None:
    assert "label_map: two labels" in error(tmp_path, label_map={"Seg": "neutrophil", "seg": "lymphocyte"})
    assert "'neutrophil' is in classes and in drop" in error(tmp_path, drop=["Neutrophil"])


def test_numbers_are_labels_too(tmp_path: Path) -> None:
    record = read(tmp_path, classes=[1, 2], label_map={3: 1, "x": "drop"}, drop=[4])
    assert (record.classes, record.label_map, record.drop) == (("1", "2"), {"3": "1", "x": "drop"}, ("4",))


@pytest.mark.parametrize("line", ["classes: [yes, no]", "label_map: {no: drop}", "drop: [null]"])
def test_words_that_yaml_reads_as_something_else_need_quotes(tmp_path: Path, line: str) -> None:
    key = line.split(":", maxsplit=1)[0]
    text = yaml.safe_dump({name: value for name, value in CONTENT.items() if name != key})
    with pytest.raises(InputError, match=rf"{key}: .* in quotes"):
        read_text(tmp_path, f"{text}{line}\n")


@pytest.mark.parametrize(
    "pattern",
    ["cell.jpg", "{}{}.jpg", "{name}.jpg", "{:d", "{0.real.__class__}.jpg", "{0.real}", "{:99999999d}", "{!r:>5}"],
)
def test_a_pattern_of_numbered_images_has_one_number(tmp_path: Path, pattern: str) -> None:
    assert error(tmp_path, images={"numbered": pattern}).startswith("images.numbered: write a file name")


def test_a_number_fills_the_pattern(tmp_path: Path) -> None:
    pattern = read(tmp_path, images={"numbered": "cell_{:04d}.png"}).images.numbered
    assert pattern is not None
    assert pattern.format(17) == "cell_0017.png"


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"table": "a.csv", "folders": "."},
        {"folders": ".", "group": "patient"},
        {"table": "a.csv", "annotations": "boxes"},
        {"boxes": "pascal"},
    ],
)
def test_labels_are_in_a_table_in_folders_or_in_boxes(tmp_path: Path, labels: dict[str, str]) -> None:
    assert error(tmp_path, labels=labels).startswith("labels")


@pytest.mark.parametrize("path", ["../other", "/data", "a/../../b", "a\\b"])
def test_paths_lead_to_no_other_place_than_the_raw_data(tmp_path: Path, path: str) -> None:
    for changes in ({"images": {"folder": path}}, {"labels": {"table": path}}, {"corrections": [path]}):
        assert "write a relative path" in error(tmp_path, **changes)


@pytest.mark.parametrize("path", ["a\0b", "a\nb", "a\x1bb"])
def test_a_path_has_no_control_character(tmp_path: Path, path: str) -> None:
    for changes in (
        {"images": {"folder": path}},
        {"images": {"numbered": path + "{}"}},
        {"labels": {"table": path}},
        {"white_cells": {"annotations": path, "name": "a"}},
    ):
        assert "a control character is in the path" in error(tmp_path, **changes)


def test_a_published_data_set_says_where(tmp_path: Path) -> None:
    assert read(tmp_path, source="published", published=PUBLISHED).published is not None
    assert "belong together" in error(tmp_path, source="published")
    assert "belong together" in error(tmp_path, published=PUBLISHED)
    assert "published.archive: " in error(tmp_path, source="published", published={"fingerprint": "0.dir"})


def test_a_missing_record_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no data set 'our': .*our/record\.yaml is missing \(there are none\)$"):
        read_record("our", tmp_path)
    read(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no data set 'our': .* \(there are ours\); did you mean ours\?$"):
        read_record("our", tmp_path)


@pytest.mark.parametrize("name", ["../ours", "Ours", "ours/", "", "1"])
def test_a_name_is_that_of_a_folder_in_datasets(tmp_path: Path, name: str) -> None:
    read(tmp_path)
    with pytest.raises(InputError, match="no data set"):
        read_record(name, tmp_path)
