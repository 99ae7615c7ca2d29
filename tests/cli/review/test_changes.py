from dataclasses import replace

import pytest

from bloodcells.cli.review.changes import (
    ABSENT,
    WHOLE,
    Change,
    CodeChange,
    DataChange,
    Retraining,
    changed,
    code_changes,
    data_change,
    differ,
    parameter_changes,
    pin_changes,
    retraining,
)
from bloodcells.cli.review.snapshot import LabelChange, Pin, Results, Training
from tests.cli.review.committed import image, predictions


def test_values_that_are_added_removed_or_changed_even_in_type_only() -> None:
    base = {"same": 1, "a": 1, "b": 1, "gone": [1]}
    head = {"new": "x", "same": 1, "a": True, "b": 1.0}
    assert changed(base, head) == [
        Change("new", ABSENT, "x"),
        Change("a", 1, True),
        Change("b", 1, 1.0),
        Change("gone", [1], ABSENT),
    ]


def test_the_parameters_of_the_root_come_first() -> None:
    base = {"locks/a/params.yaml": {"x": 1}, "params.yaml": {"x": 1}}
    found = parameter_changes(base, {"params.yaml": {"x": 2}})
    assert list(found.items()) == [
        ("params.yaml", [Change("x", 1, 2)]),
        ("locks/a/params.yaml", [Change(WHOLE, {"x": 1}, ABSENT)]),
    ]


def test_an_added_key_is_not_an_added_file() -> None:
    assert parameter_changes({"params.yaml": {"x": 1}}, {"params.yaml": {"x": 1, "y": 2}}) == {
        "params.yaml": [Change("y", ABSENT, 2)]
    }


def test_pins() -> None:
    base, lab = {"data.dvc": Pin("a", 1, 10)}, "datasets/lab/source.dvc"
    changes = [Change("md5", "a", "b"), Change("size", 10, 12)]
    assert pin_changes(base, {"data.dvc": Pin("b", 1, 12)}) == {"data.dvc": changes}
    assert pin_changes(base, base) == {}
    new = pin_changes(base, base | {lab: Pin("a", 1, 10)})
    assert [change.before for change in new[lab]] == [ABSENT] * 3


def test_added_removed_and_relabeled_cells() -> None:
    base = Results(
        predictions={"resnet": predictions(numbers=range(10))},
        counts={("monocyte", "kept"): 3, ("eosinophil", "kept"): 1},
        dropped=frozenset([("1.jpg", "", "null"), ("2.jpg", "", "null")]),
    )
    head = Results(
        predictions={"resnet": predictions(numbers=range(2, 12), labels={5: 3}, fold=1)},
        counts={("monocyte", "kept"): 4, ("eosinophil", "kept"): 1},
        dropped=frozenset([("2.jpg", "", "null"), ("3.jpg", "basophil", "rare")]),
    )
    found = data_change(base, head)
    assert found.counts == (Change("monocyte, kept", 3, 4),)
    assert found.dropped == (("3.jpg", "basophil", "rare"),)
    assert found.kept == (("1.jpg", "", "null"),)
    assert found.added == (image(10), image(11))
    assert found.removed == (image(0), image(1))
    assert found.relabeled == (Change(image(5), "lymphocyte", "neutrophil"),)
    assert found.moved == 8


def test_corrections_that_are_new_and_those_that_are_withdrawn() -> None:
    first, second, unsure = (
        LabelChange(image(place), "monocyte", new, "AB", "", "corrections/ab.csv")
        for place, new in ((1, "neutrophil"), (90, "drop"), (2, "unsure"))
    )
    counts = {("monocyte", "kept"): 3}
    base = Results(predictions={"a": predictions()}, counts=counts)
    head = Results(
        predictions={"a": predictions(labels={1: 3, 5: 3})}, counts=counts, corrections=(first, second, unsure)
    )
    found = data_change(base, head)
    assert found.corrections == (first, second, unsure)
    assert found.new_labels == [
        Change(image(1), "lymphocyte", "neutrophil"),
        Change(image(5), "lymphocyte", "neutrophil"),
        Change(image(90), "monocyte", "drop"),
    ]
    assert data_change(head, base).withdrawn == (first, second, unsure)
    assert not data_change(head, head).corrections


def test_other_classes() -> None:
    p = predictions()
    head = Results(predictions={"a": replace(p, classes=(*p.classes[:3], "basophil"))})
    found = data_change(Results(predictions={"a": p}), head).classes
    assert found
    assert (found.before[3], found.after[3]) == ("neutrophil", "basophil")
    assert data_change(head, head).classes is None


def test_cells_on_which_one_model_is_no_longer_tested_are_removed() -> None:
    all_, few = predictions(numbers=range(10)), predictions(numbers=range(4))
    found = data_change(Results(predictions={"a": all_, "b": all_}), Results(predictions={"a": few, "b": all_}))
    assert found.added == ()
    assert found.removed == tuple(map(image, range(4, 10)))
    renamed = data_change(Results(predictions={"a": all_}), Results(predictions={"b": few}))
    assert (renamed.added, renamed.removed) == (found.added, found.removed)


def test_a_first_run_does_not_change_the_data() -> None:
    first = Results(
        predictions={"resnet": predictions()},
        counts={("monocyte", "kept"): 4},
        dropped=frozenset([("1.jpg", "", "null")]),
    )
    assert data_change(Results(), first) == DataChange()
    assert data_change(first, Results()) == DataChange()


def test_code_changes_name_the_stages_that_depend_on_the_file_or_its_folder() -> None:
    lines = dict.fromkeys(
        [
            *("README.md", "bloodcells/core/a.py", "bloodcells/core_of/a.py", "dvc.yaml", "metrics/x.json", "dvc.lock"),
            *("stages/b.py", "studies/README.md", "tests/t.py", ".github/workflows/w.yml", "Makefile"),
        ],
        (2, 1),
    )
    stages = {"clean": ("bloodcells/core", "stages/clean.py"), "train": ("bloodcells/core", "stages/b.py")}
    assert code_changes(lines, stages) == [
        CodeChange("bloodcells/core/a.py", 2, 1, ("clean", "train")),
        CodeChange("bloodcells/core_of/a.py", 2, 1, ()),
        CodeChange("dvc.yaml", 2, 1, ()),
        CodeChange("stages/b.py", 2, 1, ("train",)),
        *(CodeChange(path, 2, 1, ()) for path in ("tests/t.py", ".github/workflows/w.yml", "Makefile")),
    ]


def test_nan_equals_itself() -> None:
    assert changed({"a": float("nan"), "b": [1]}, {"a": float("nan"), "b": [1.0]}) == [Change("b", [1], [1.0])]


@pytest.mark.parametrize(
    "other",
    [
        Results(files={"plots/bccd/label_issues.csv": "2"}),
        Results(files={"plots/bccd/label_issues.csv": "1", "metrics/bccd/resnet.json": "1"}),
        Results(),
        Results(files={"plots/bccd/label_issues.csv": "1"}, unreadable={"a": "b"}),
    ],
)
def test_results_differ_in_any_of_their_files(other: Results) -> None:
    one = Results(files={"plots/bccd/label_issues.csv": "1"})
    assert not differ(one, Results(files={"plots/bccd/label_issues.csv": "1"}))
    assert differ(one, other)


def test_retrained_networks_and_those_on_another_machine() -> None:
    old, new = {"processor": "A", "threads": 2}, {"processor": "A", "features": ["avx2"], "threads": 2, "gpus": []}
    faster = {"processor": "B", "features": ["avx2"], "threads": 4, "gpus": ["G"]}
    base = Results(trained={("a", fold): Training("monday", old) for fold in "0123"})
    kept = {("a", "0"): Training("monday", old), ("b", "0"): Training("friday", faster)}
    same = kept | {("a", "1"): Training("friday", new)}  # an earlier record lacks the processor's features
    assert retraining(base, Results(trained=kept)) == Retraining()
    assert retraining(base, Results(trained=same)) == Retraining(1)
    moved = same | {("a", fold): Training("friday", faster) for fold in "23"}
    machines = Change("machine", "A, 2 threads", "B, G, avx2, 4 threads")
    assert retraining(base, Results(trained=moved)) == Retraining(3, 2, machines)
