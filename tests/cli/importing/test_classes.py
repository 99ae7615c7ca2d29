import re
from collections.abc import Mapping

import pytest

from bloodcells.cli.importing.classes import Choice, Found, Wishes, choose_classes, is_white_cell
from bloodcells.core.errors import InputError


def found(counts: Mapping[str, int], groups: Mapping[str, int] | None = None) -> list[Found]:
    """Make labels with so many cells, each a group of its own unless said otherwise."""
    return [
        Found(name, cells, frozenset(f"{name}{number}" for number in range((groups or {}).get(name, cells))))
        for name, cells in counts.items()
    ]


def choose(counts: Mapping[str, int], boxes: bool = False, **wishes: object) -> Choice:
    return choose_classes(found(counts), Wishes(**wishes), boxes)  # type: ignore[arg-type]


def error(counts: Mapping[str, int], boxes: bool = False, **wishes: object) -> str:
    with pytest.raises(InputError) as raised:
        choose(counts, boxes, **wishes)
    return str(raised.value)


def test_without_wishes_the_labels_are_the_classes_in_order() -> None:
    choice = choose({"monocyte": 20, "basophil": 30})
    assert choice == Choice({"basophil": 30, "monocyte": 20}, {}, {}, ())


def test_labels_are_named_joined_and_dropped() -> None:
    named = {"1": "neutrophil", "2": "drop", "Seg": "neutrophil", "4": "T cell"}
    choice = choose({"1": 20, "2": 20, "seg": 15, "4": 12, "neutrophil": 10, "x": 11}, labels=named, drop=["X"])
    assert choice.classes == {"neutrophil": 45, "T cell": 12}
    assert choice.label_map == {"1": "neutrophil", "seg": "neutrophil", "4": "T cell"}
    assert choice.dropped.keys() == {"2", "x"}


def test_listed_classes_keep_their_order_and_spelling() -> None:
    assert list(choose({"b": 10, "a": 10}, classes=["B", "a"]).classes) == ["B", "a"]


def test_all_labels_that_are_not_listed_are_named_with_near_matches() -> None:
    message = error({"neutrophil": 20, "neutrophill": 3, "seg": 4}, classes=["neutrophil", "monocyte"])
    assert "neutrophill (3 cells, near neutrophil)" in message
    assert "seg (4 cells)" in message


def test_a_label_that_is_not_there_is_an_error() -> None:
    assert "--drop: no cell has the label 'basophils' (did you mean 'basophil'?)" in error(
        {"basophil": 20, "monocyte": 20}, drop=["basophils"]
    )
    assert "--labels" in error({"1": 20, "2": 20}, labels={"3": "monocyte"})


def test_numbers_are_classes_with_a_remark() -> None:
    choice = choose({"2": 20, "1": 20})
    assert list(choice.classes) == ["1", "2"]
    assert '--labels "1=…,2=…"' in choice.remarks[0]


def test_names_that_are_nearly_the_same_are_remarked() -> None:
    assert '"lymphocytes=lymphocyte"' in choose({"lymphocyte": 20, "lymphocytes": 20}).remarks[0]


def test_what_is_too_rare_is_dropped_unless_the_user_names_it() -> None:
    counts = {"a": 20, "b": 20, "c": 3, "d": 2}
    assert choose(counts).dropped.keys() == {"c", "d"}
    assert choose(counts, classes=["a", "b", "c"], drop=["d"]).classes == {"a": 20, "b": 20, "c": 3}
    assert "d has 2" in error(counts, labels={"d": "d"})


def test_groups_count_and_not_cells() -> None:
    labels = found({"a": 20, "b": 20, "c": 20}, {"b": 4, "c": 2})
    choice = choose_classes(labels, Wishes())
    assert choice.classes == {"a": 20, "b": 4}
    assert "c" in choice.dropped


def test_a_missing_label_is_no_class() -> None:
    assert choose({"a": 20, "b": 20, "?": 20, "n/a": 20, "unknown": 20}).dropped.keys() == {"?", "n/a", "unknown"}


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"b/t": 20, "a": 20}, '--labels "b/t=…"'),
        ({"image": 20, "a": 20}, '--labels "image=…"'),
        ({"a": 20}, "1 of them"),
        ({f"class {number}": 20 for number in range(21)}, "21 of them"),
    ],
)
def test_what_can_not_be_classes_is_an_error_with_the_labels(counts: dict[str, int], message: str) -> None:
    assert message in error(counts)


# ---- boxes


def test_usual_names_of_boxes_are_understood() -> None:
    choice = choose({"RBC": 90, "Platelets": 20, "WBC": 20, "Neutrophil": 20, "Lymphocyte": 20}, boxes=True)
    assert list(choice.classes) == ["lymphocyte", "neutrophil"]
    assert choice.dropped.keys() == {"RBC", "Platelets", "WBC"}


def test_other_names_of_boxes_need_a_word_of_the_user() -> None:
    counts = {"neutrophil": 20, "ring": 15, "gametocyte": 12, "monocyte": 12}
    message = error(counts, boxes=True)
    assert re.search(r"ring \(15\), gametocyte \(12\).*--labels.*--drop.*--classes", message)
    assert "neutrophil" not in message
    assert list(choose(counts, boxes=True, drop=["ring", "gametocyte"]).classes) == ["monocyte", "neutrophil"]


@pytest.mark.parametrize("name", ["Neutrophil", "SNE", "Band neutrophils", "lym", "Lymphoblast", "basophils"])
def test_white_cells_are_known(name: str) -> None:
    assert is_white_cell(name)


@pytest.mark.parametrize("name", ["RBC", "ring", "platelet", "healthy", "12"])
def test_other_things_are_not_known_as_white_cells(name: str) -> None:
    assert not is_white_cell(name)


def test_a_rare_label_that_is_nearly_a_class_may_be_a_typing_error() -> None:
    choice = choose({"eosinophil": 20, "neutrophil": 20, "eosinofil": 1, "smudge": 1})
    assert 'a typing error? --labels "eosinofil=eosinophil"' in choice.dropped["eosinofil"]
    assert "typing" not in choice.dropped["smudge"]
