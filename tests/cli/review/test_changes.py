import pytest
from tests.cli.review.committed import image, said

from bloodcells.cli.review.changes import (
    ABSENT,
    WHOLE,
    Change,
    CodeChange,
    DataChange,
    changed,
    code_changes,
    data_change,
    differ,
    parameter_changes,
    pin_changes,
)
from bloodcells.cli.review.snapshot import Pin, Results


def test_values_that_came_went_and_changed_also_in_type() -> None:
    base = {"same": 1, "a": 1, "b": 1, "gone": [1]}
    head = {"new": "x", "same": 1, "a": True, "b": 1.0}
    assert changed(base, head) == [
        Change("new", ABSENT, "x"),
        Change("a", 1, True),
        Change("b", 1, 1.0),
        Change("gone", [1], ABSENT),
    ]


def test_the_parameters_in_the_root_stand_first() -> None:
    base = {"locks/a/params.yaml": {"x": 1}, "params.yaml": {"x": 1}}
    found = parameter_changes(base, {"params.yaml": {"x": 2}})
    assert list(found.items()) == [
        ("params.yaml", [Change("x", 1, 2)]),
        ("locks/a/params.yaml", [Change(WHOLE, {"x": 1}, ABSENT)]),
    ]


def test_keys_that_came_are_no_new_file() -> None:
    assert parameter_changes({"params.yaml": {"x": 1}}, {"params.yaml": {"x": 1, "y": 2}}) == {
        "params.yaml": [Change("y", ABSENT, 2)]
    }


def test_pins() -> None:
    assert pin_changes(Pin("a", 1, 10), Pin("b", 1, 12)) == [Change("md5", "a", "b"), Change("size", 10, 12)]
    assert pin_changes(Pin("a", 1, 10), Pin("a", 1, 10)) == []
    assert [change.before for change in pin_changes(None, Pin("a", 1, 10))] == [ABSENT] * 3


def test_data_that_came_went_and_changed() -> None:
    base = Results(
        predictions={"resnet": said(numbers=range(10))},
        counts={("monocyte", "kept"): 3, ("eosinophil", "kept"): 1},
        dropped=frozenset([("1.jpg", "", "null"), ("2.jpg", "", "null")]),
    )
    head = Results(
        predictions={"resnet": said(numbers=range(2, 12), labels={5: 3}, fold=1)},
        counts={("monocyte", "kept"): 4, ("eosinophil", "kept"): 1},
        dropped=frozenset([("2.jpg", "", "null"), ("3.jpg", "basophil", "rare")]),
    )
    found = data_change(base, head)
    assert found.counts == (Change("monocyte, kept", 3, 4),)
    assert found.dropped == (("3.jpg", "basophil", "rare"),)
    assert found.kept == (("1.jpg", "", "null"),)
    assert found.came == (image(10), image(11))
    assert found.went == (image(0), image(1))
    assert found.relabelled == (Change(image(5), "lymphocyte", "neutrophil"),)
    assert found.moved == 8


def test_cells_on_which_one_model_is_no_longer_tested_are_gone() -> None:
    all_, few = said(numbers=range(10)), said(numbers=range(4))
    found = data_change(Results(predictions={"a": all_, "b": all_}), Results(predictions={"a": few, "b": all_}))
    assert found.came == ()
    assert found.went == tuple(map(image, range(4, 10)))
    renamed = data_change(Results(predictions={"a": all_}), Results(predictions={"b": few}))
    assert (renamed.came, renamed.went) == (found.came, found.went)


def test_a_first_run_is_no_change_of_the_data() -> None:
    first = Results(
        predictions={"resnet": said()},
        counts={("monocyte", "kept"): 4},
        dropped=frozenset([("1.jpg", "", "null")]),
    )
    assert data_change(Results(), first) == DataChange()
    assert data_change(first, Results()) == DataChange()


def test_code_is_told_with_the_stages_that_use_it_and_other_files_are_not() -> None:
    lines = dict.fromkeys(
        [
            *("README.md", "bloodcells/a.py", "dvc.yaml", "metrics/x.json", "original/dvc.lock", "original/README.md"),
            *("stages/b.py", "tests/t.py", ".github/workflows/w.yml", "Makefile", "original/dvc.yaml"),
        ],
        (2, 1),
    )
    stages = {"clean": ("bloodcells/a.py", "stages/clean.py"), "train": ("bloodcells/a.py", "stages/b.py")}
    assert code_changes(lines, stages) == [
        CodeChange("bloodcells/a.py", 2, 1, ("clean", "train")),
        CodeChange("dvc.yaml", 2, 1, ()),
        CodeChange("stages/b.py", 2, 1, ("train",)),
        *(CodeChange(path, 2, 1, ()) for path in ("tests/t.py", ".github/workflows/w.yml", "Makefile")),
        CodeChange("original/dvc.yaml", 2, 1, ()),
    ]


def test_a_value_that_is_no_number_is_the_same_as_itself() -> None:
    assert changed({"a": float("nan"), "b": [1]}, {"a": float("nan"), "b": [1.0]}) == [Change("b", [1], [1.0])]


@pytest.mark.parametrize(
    "other",
    [
        Results(files={"plots/bccd/doubt.csv": "2"}),
        Results(files={"plots/bccd/doubt.csv": "1", "metrics/bccd/attention/resnet.json": "1"}),
        Results(),
        Results(files={"plots/bccd/doubt.csv": "1"}, unreadable={"a": "b"}),
    ],
)
def test_results_differ_in_any_of_their_files(other: Results) -> None:
    one = Results(files={"plots/bccd/doubt.csv": "1"})
    assert not differ(one, Results(files={"plots/bccd/doubt.csv": "1"}))
    assert differ(one, other)
