from pathlib import Path

import pytest
import yaml

from bloodcells.cli.review.snapshot import LabelChange, Pin, RunCheck, Training, read_snapshot
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv, write_json
from bloodcells.core.parameters import read_yaml
from bloodcells.datasets.corrections import COLUMNS as CHANGE_COLUMNS
from bloodcells.evaluation.checks import COLUMNS, Check, check_table
from tests.cli.review import committed

CURVES = "model,fold,split,epoch,loss,accuracy\nresnet,0,train,1,0.5,1\nresnet,0,train,2,,1\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return committed.repository(tmp_path / "repository")


def test_the_files_of_a_run_are_read(tree: Path) -> None:
    kept = tree / "locks" / "bccd"
    kept.mkdir(parents=True)
    (kept / "params.yaml").write_text("test_folds: [0, 1]\ntrain: {epochs: 2, none: {}}\n")
    change = ("'=a.jpg", "monocyte", "drop", "AB", "2026-11-29", "'-", "corrections/ab.csv")
    write_csv(tree / "plots" / "rendered" / "label_changes.csv", (*CHANGE_COLUMNS, "file"), [change])
    snapshot = read_snapshot(tree, "main")
    assert snapshot.models == ["resnet", "efficientnet", "alexnet"]
    assert snapshot.params["locks/bccd/params.yaml"] == {"test_folds": [0, 1], "train.epochs": 2, "train.none": {}}
    assert snapshot.pins == {"data.dvc": Pin("1.dir", 2, 10)}
    assert snapshot.stages == {"evaluate": ("stages/evaluate.py", "bloodcells/evaluation")}
    results = snapshot.of("rendered")
    assert results.metrics["alexnet"]["accuracy"] == 0.9
    assert len(results.predictions["alexnet"].images) == committed.CELLS
    assert results.counts[("monocyte", "kept")] == committed.CELLS // 4
    assert results.corrections == (LabelChange("=a.jpg", "monocyte", "drop", "AB", "-", "corrections/ab.csv"),)
    assert results.dropped == {(committed.image(500), "", "null: no label")}
    assert results.curves[0]["split"] == "train"
    assert set(results.files) >= {"plots/rendered/curves.csv", "metrics/rendered/alexnet.json"}
    assert snapshot.of("bccd").predictions == {}


def test_groups_are_read_and_a_table_without_any_means_independent_cells(tree: Path) -> None:
    path = tree / "plots" / "rendered" / "report" / "groups.csv"
    assert read_snapshot(tree, "main").of("rendered").groups is None
    write_csv(path, ("image", "group"), [])
    assert read_snapshot(tree, "main").of("rendered").groups is None
    write_csv(path, ("image", "group"), [("a.jpg", 0), ("b.jpg", 0)])
    assert read_snapshot(tree, "main").of("rendered").groups == {"a.jpg": "0", "b.jpg": "0"}


def test_checks_are_read_as_the_stages_write_them(tree: Path) -> None:
    found = [
        Check("overlap", "pairs in training and test", 2, "0", False, "correct it"),
        Check("overlap", "copies in training", 0, "0", True),
        Check("counts", "cells", 80),
    ]
    plots = tree / "plots" / "rendered"
    write_csv(plots / "report" / "checks.csv", COLUMNS, check_table(found))
    write_csv(plots / "checks.csv", ("what", "figure", "allowed", "holds"), [("earlier", 1, "0", "fails")])
    assert read_snapshot(tree, "main").of("rendered").checks == (
        RunCheck("pairs in training and test", "2", "0", False),
        RunCheck("copies in training", "0", "0", True),
    )


def test_checks_of_earlier_revisions_are_read(tree: Path) -> None:
    rows = [("counts", "cells", 80, "", ""), ("a", "copies", 0, "0", "holds"), ("a", "pairs", 2, "0", "fails")]
    path = tree / "plots" / "rendered" / "checks.csv"
    write_csv(path, ("guard", "what", "figure", "allowed", "holds"), rows)
    assert read_snapshot(tree, "main").of("rendered").checks == (
        RunCheck("copies", "0", "0", True),
        RunCheck("pairs", "2", "0", False),
    )


@pytest.mark.parametrize("folder", ["report/provenance", "provenance"])
def test_the_training_of_each_network_is_read(tree: Path, folder: str) -> None:
    record = {"finished": "2026-11-21", "device": {"processor": "A"}}
    path = tree / "plots" / "rendered" / folder / "resnet.json"
    write_json(path, {"training": {"0": record, "1": {"finished": "2026-11-22"}, "2": "?"}})
    results = read_snapshot(tree, "main").of("rendered")
    assert results.trained == {
        ("resnet", "0"): Training("2026-11-21", {"processor": "A"}),
        ("resnet", "1"): Training("2026-11-22", {}),
        ("resnet", "2"): Training("", {}),
    }
    path.write_text("{")
    assert len(read_snapshot(tree, "main").of("rendered").unreadable) == 1


def test_a_first_commit_has_nothing_yet(tmp_path: Path) -> None:
    snapshot = read_snapshot(tmp_path, "main")
    assert (snapshot.params, snapshot.pins, snapshot.results, snapshot.stages, snapshot.models) == ({}, {}, {}, {}, [])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("plots/rendered/predictions/resnet.csv", "image,fold\n", "its columns are image,fold"),
        ("plots/rendered/counts.csv", "class,step,count\nmonocyte,kept,many\n", "line 2: count is not a number (got"),
        ("plots/rendered/curves.csv", CURVES, "curves.csv, line 3: loss is not a number (got ''): run `dvc repro`"),
        ("plots/rendered/dropped.csv", "line\n1\n", "has no column image, labels, reason"),
        ("metrics/rendered/resnet.json", "{", "is not JSON"),
        ("metrics/rendered/resnet.json", "[1]", "holds no named values"),
        ("metrics/rendered/resnet.json", f'{{"a": {"9" * 400}}}', "holds a value out of range (int too large"),
    ],
)
def test_a_malformed_result_is_named_with_its_revision_and_left_out(
    tree: Path, name: str, text: str, message: str
) -> None:
    (tree / name).write_text(text)
    results = read_snapshot(tree, "main").of("rendered")
    assert set(results.unreadable) == {name}
    assert results.unreadable[name].startswith(f"main: {name}")
    assert message in results.unreadable[name]
    assert str(tree) not in results.unreadable[name]
    assert set(results.predictions) | set(results.metrics) == set(committed.MODELS)


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "data.dvc"])
@pytest.mark.parametrize("text", ["a: [", "just words", "a: 2001-99-99"])
def test_malformed_yaml_is_an_error_that_names_the_revision(tree: Path, name: str, text: str) -> None:
    (tree / name).write_text(text)
    with pytest.raises(InputError, match=rf"^main: {name}(, line 1|: not YAML| holds).*: correct it in that revision"):
        read_snapshot(tree, "main")


@pytest.mark.parametrize("outs", ["[null]", "{a: b}", "[text]", "[{md5: x, size: many}]", "[{md5: x, size: null}]"])
def test_a_malformed_pin_is_an_error_that_names_the_revision(tree: Path, outs: str) -> None:
    (tree / "data.dvc").write_text(f"outs: {outs}\n")
    with pytest.raises(InputError, match=r"^main: data.dvc: `outs` pins no data \(got .*correct it in that revision"):
        read_snapshot(tree, "main")


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("stages:\n", {}),
        ("stages: [a]\n", {}),
        ("stages: {clean: null, train: {do: {deps: null}}}\n", {"clean": (), "train": ()}),
        ("stages: {clean: {deps: text}, train: {do: {deps: [a, {b: {}}]}}}\n", {"clean": (), "train": ("a", "b")}),
    ],
)
def test_a_malformed_stage_has_no_dependencies(tree: Path, text: str, stages: dict[str, tuple[str, ...]]) -> None:
    (tree / "dvc.yaml").write_text(text)
    assert read_snapshot(tree, "main").stages == stages


def test_metrics_in_folders_are_read_by_their_path(tree: Path) -> None:
    folder = tree / "metrics" / "rendered" / "more"
    folder.mkdir()
    (folder / "resnet.json").write_text('{"hits": 0.5}')
    assert read_snapshot(tree, "main").of("rendered").metrics["more/resnet"] == {"hits": 0.5}


def test_values_that_are_not_numbers_are_left_out(tree: Path) -> None:
    (tree / "metrics" / "rendered" / "resnet.json").write_text('{"a": {"b": 1}, "c": NaN, "d": "x", "e": null}')
    assert read_snapshot(tree, "main").of("rendered").metrics["resnet"] == {"a.b": 1}


def test_what_a_removed_model_has_left_is_no_result(tree: Path) -> None:
    params = read_yaml(tree / "params.yaml")
    (tree / "params.yaml").write_text(yaml.safe_dump({**params, "dataset": "rendered", "models": {"resnet": {}}}))
    results = read_snapshot(tree, "main").of("rendered")
    assert [*results.predictions] == [*results.metrics] == ["resnet"]
    (tree / "params.yaml").write_text(yaml.safe_dump({**params, "dataset": "bccd", "models": {"resnet": {}}}))
    assert len(read_snapshot(tree, "main").of("rendered").predictions) == 3  # of another run, whose models are unknown
