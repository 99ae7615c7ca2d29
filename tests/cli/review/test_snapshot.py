from pathlib import Path

import pytest

from bloodcells.cli.review.snapshot import Guard, Pin, read_snapshot
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv
from bloodcells.evaluation import checks as guards
from tests.cli.review import committed

CURVES = "model,fold,split,epoch,loss,accuracy\nresnet,0,train,1,0.5,1\nresnet,0,train,2,,1\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return committed.repository(tmp_path / "repository")


def test_what_a_run_left_is_read(tree: Path) -> None:
    kept = tree / "locks" / "bccd"
    kept.mkdir(parents=True)
    (kept / "params.yaml").write_text("folds: [0, 1]\ntrain: {epochs: 2, none: {}}\n")
    snapshot = read_snapshot(tree, "main")
    assert snapshot.models == ["resnet", "efficientnet", "alexnet"]
    assert snapshot.params["locks/bccd/params.yaml"] == {"test_folds": [0, 1], "train.epochs": 2, "train.none": {}}
    assert snapshot.pin == Pin("1.dir", 2, 10)
    assert snapshot.stages == {"evaluate": ("stages/evaluate.py", "bloodcells/scores.py")}
    results = snapshot.of("rendered")
    assert results.metrics["alexnet"]["accuracy"] == 0.9
    assert len(results.predictions["alexnet"].images) == committed.CELLS
    assert results.counts[("monocyte", "kept")] == committed.CELLS // 4
    assert results.dropped == {(committed.image(500), "", "null: no label")}
    assert results.curves[0]["split"] == "train"
    assert set(results.files) >= {"plots/rendered/curves.csv", "metrics/rendered/alexnet.json"}
    assert snapshot.of("bccd").predictions == {}


def test_guards_are_read_as_the_stage_writes_them(tree: Path) -> None:
    found = [
        guards.Finding("leakage", "pairs on two sides", 2.0, "0", False, "mend it"),
        guards.Finding("leakage", "copies in training", 0.0, "0", True, ""),
        guards.Finding("counts", "cells", 80.0, "", True, ""),
    ]
    table = guards.table(found)
    write_csv(tree / "plots" / "rendered" / "checks.csv", guards.COLUMNS, table)
    assert read_snapshot(tree, "main").of("rendered").guards == (
        Guard("pairs on two sides", str(table[0][2]), "0", False),
        Guard("copies in training", str(table[1][2]), "0", True),
    )


def test_a_first_commit_has_nothing_yet(tmp_path: Path) -> None:
    snapshot = read_snapshot(tmp_path, "main")
    assert (snapshot.params, snapshot.pin, snapshot.results, snapshot.stages, snapshot.models) == ({}, None, {}, {}, [])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("plots/rendered/predictions/resnet.csv", "image,fold\n", "its columns are image,fold"),
        ("plots/rendered/counts.csv", "class,step,count\nmonocyte,kept,many\n", "line 2: count is no number (got"),
        ("plots/rendered/curves.csv", CURVES, "curves.csv, line 3: loss is no number (got ''): run `dvc repro`"),
        ("plots/rendered/dropped.csv", "line\n1\n", "has no column image, labels, reason"),
        ("metrics/rendered/resnet.json", "{", "is no JSON"),
        ("metrics/rendered/resnet.json", "[1]", "holds no figures by name"),
        ("metrics/rendered/resnet.json", f'{{"a": {"9" * 400}}}', "holds no figure (int too large"),
    ],
)
def test_a_result_that_cannot_be_read_is_told_by_revision_and_is_missing(
    tree: Path, name: str, text: str, said: str
) -> None:
    (tree / name).write_text(text)
    results = read_snapshot(tree, "main").of("rendered")
    assert set(results.unreadable) == {name}
    assert results.unreadable[name].startswith(f"main: {name}")
    assert said in results.unreadable[name]
    assert str(tree) not in results.unreadable[name]
    assert set(results.predictions) | set(results.metrics) == set(committed.MODELS)


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "data.dvc"])
@pytest.mark.parametrize("text", ["a: [", "just words", "a: 2001-99-99"])
def test_a_file_that_is_no_yaml_is_an_error_that_names_the_revision(tree: Path, name: str, text: str) -> None:
    (tree / name).write_text(text)
    with pytest.raises(InputError, match=rf"^main: {name} (is no YAML|holds no keys).*mend it in that revision"):
        read_snapshot(tree, "main")


@pytest.mark.parametrize("outs", ["[null]", "{a: b}", "[text]", "[{md5: x, size: many}]", "[{md5: x, size: null}]"])
def test_a_pin_that_is_none_is_an_error_that_names_the_revision(tree: Path, outs: str) -> None:
    (tree / "data.dvc").write_text(f"outs: {outs}\n")
    with pytest.raises(InputError, match=r"^main: data.dvc: `outs` pins no data \(got .*mend it in that revision"):
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
def test_what_is_no_stage_has_no_dependencies(tree: Path, text: str, stages: dict[str, tuple[str, ...]]) -> None:
    (tree / "dvc.yaml").write_text(text)
    assert read_snapshot(tree, "main").stages == stages


def test_metrics_in_folders_are_read_by_their_path(tree: Path) -> None:
    folder = tree / "metrics" / "rendered" / "attention"
    folder.mkdir()
    (folder / "resnet.json").write_text('{"pointed": 0.5}')
    assert read_snapshot(tree, "main").of("rendered").metrics["attention/resnet"] == {"pointed": 0.5}


def test_what_is_no_number_is_no_figure(tree: Path) -> None:
    (tree / "metrics" / "rendered" / "resnet.json").write_text('{"a": {"b": 1}, "c": NaN, "d": "x", "e": null}')
    assert read_snapshot(tree, "main").of("rendered").metrics["resnet"] == {"a.b": 1}
