"""What DVC says of locks against the files beside them; each test runs it once or twice."""

import shutil
from pathlib import Path

import pytest

from bloodcells.cli.review.lock_status import Stale, freshness
from tests import project
from tests.cli.review import committed


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files of a revision whose lock is current: no repository, no cache."""
    tree = committed.repository(tmp_path / "repository")
    committed.lock(tree)
    (tree / ".git").rename(tmp_path / "git")
    return tree


def test_a_current_lock_in_a_tree_that_stays_as_it_was(tree: Path, tmp_path: Path) -> None:
    for name in ("dvc.py", "json.py"):  # DVC must run, not what the tree calls by a module's name
        (tree / name).write_text("raise SystemExit('run')\n")
    before = sorted(tree.rglob("*"))
    (one,) = freshness(tree, tree, tmp_path)
    assert (one.lock, one.dataset, one.stale, one.failure, one.current) == ("dvc.lock", "rendered", (), "", True)
    assert sorted(tree.rglob("*")) == before


def test_each_lock_is_held_against_its_own_parameters_and_what_changed_is_named(tree: Path, tmp_path: Path) -> None:
    kept = tree / "locks" / "mine"
    kept.mkdir(parents=True)
    (kept / "params.yaml").write_bytes((tree / "params.yaml").read_bytes())
    project.set_params(kept, {"train.epochs": 3, "dataset": "bccd"})
    metrics = tree / "metrics" / "rendered" / "resnet.json"
    metrics.write_text(metrics.read_text().replace("1.0", "0.9"))
    (tree / "stages" / "evaluate.py").write_text("# another stage\n")
    committed.lock(tree, "locks/mine/dvc.lock")
    project.set_params(tree, {"train.epochs": 4, "clean.seed": 5})

    committed.second_pipeline(tree)
    committed.lock(tree, "locks/mine/original.lock", committed.BESIDE)
    (tree / "plots" / "rendered" / "original.csv").write_text("fault\nanother\n")

    root, original, mine, original_of_mine = freshness(tree, tree, tmp_path)
    assert (original.lock, original_of_mine.lock) == ("original/dvc.lock", "locks/mine/original.lock")
    another = "plots/rendered/original.csv is not the one in the lock"
    assert original.stale == (Stale("original/dvc.yaml:flattery", (another,)),)
    assert original_of_mine.stale == (Stale("original/dvc.yaml:flattery", (another,)),)
    assert (mine.lock, mine.dataset, mine.current) == ("locks/mine/dvc.lock", "bccd", True)
    assert not root.current
    reasons = ("stages/evaluate.py", "parameters train", "metrics/rendered/resnet.json is not the one in the lock")
    assert root.stale == (Stale("evaluate", reasons),)


def test_a_pipeline_that_is_none_is_not_called_current(tree: Path, tmp_path: Path) -> None:
    (tree / "dvc.yaml").write_text("stages: [\n")
    (one,) = freshness(tree, tree, tmp_path)
    assert not one.current
    assert "dvc.yaml" in one.failure
    assert str(tmp_path) not in one.failure


def test_results_that_went_are_lost_though_dvc_forgives_what_is_missing(tree: Path, tmp_path: Path) -> None:
    (tree / "locks" / "mine").mkdir(parents=True)  # a kept run without the second pipeline
    for name in ("dvc.lock", "params.yaml"):
        (tree / "locks" / "mine" / name).write_bytes((tree / name).read_bytes())
    committed.second_pipeline(tree)
    (tree / "plots" / "rendered" / "original.csv").unlink()
    shutil.rmtree(tree / "metrics")
    found = freshness(tree, tree, tmp_path)
    assert [(one.lock, one.lost) for one in found] == [
        ("dvc.lock", ("metrics/rendered/resnet.json",)),
        ("original/dvc.lock", ("plots/rendered/original.csv",)),
        ("locks/mine/dvc.lock", ("metrics/rendered/resnet.json",)),
    ]
    assert not any(one.current or one.stale or one.failure for one in found)


def test_an_output_that_dvc_keeps_is_lost_if_git_held_it(tree: Path, tmp_path: Path) -> None:
    text = (tree / "dvc.yaml").read_text()
    (tree / "dvc.yaml").write_text(text.replace("cache: false", "cache: true"))
    base = shutil.copytree(tree, tmp_path / "base")
    shutil.rmtree(tree / "metrics")
    (one,) = freshness(tree, base, tmp_path / "a")
    assert one.lost == ("metrics/rendered/resnet.json",)
    (one,) = freshness(tree, tree, tmp_path / "b")
    assert one.current
    (tree / "stages" / "evaluate.py").write_text("# another stage\n")
    (one,) = freshness(tree, base, tmp_path / "c")
    assert one.stale  # which hides no loss
    assert one.lost == ("metrics/rendered/resnet.json",)


def test_a_tree_without_a_lock(tree: Path, tmp_path: Path) -> None:
    (tree / "dvc.lock").unlink()
    assert freshness(tree, tree, tmp_path) == []


def test_locks_and_pipelines_that_went_are_lost(tree: Path, tmp_path: Path) -> None:
    kept = tree / "locks" / "mine"
    kept.mkdir(parents=True)
    for name in ("dvc.lock", "params.yaml"):
        (kept / name).write_bytes((tree / name).read_bytes())
    project.set_params(kept, {"dataset": "bccd"})
    committed.second_pipeline(tree)
    (kept / "original.lock").write_bytes((tree / "original" / "dvc.lock").read_bytes())
    base = shutil.copytree(tree, tmp_path / "base")
    shutil.rmtree(kept)
    (tree / "original" / "dvc.yaml").unlink()
    found = freshness(tree, base, tmp_path / "a")
    assert [(one.lock, one.dataset, one.lost) for one in found if not one.current] == [
        ("original/dvc.lock", "rendered", ("original/dvc.yaml",)),
        ("locks/mine/dvc.lock", "bccd", ("locks/mine/dvc.lock",)),
        ("locks/mine/original.lock", "bccd", ("locks/mine/original.lock",)),
    ]
    shutil.rmtree(tree / "original")
    (tree / "dvc.lock").unlink()
    lost = {path for one in freshness(tree, base, tmp_path / "b") for path in one.lost}
    assert lost == {"dvc.lock", "original/dvc.lock", "locks/mine/dvc.lock", "locks/mine/original.lock"}


def test_code_that_went_makes_its_stage_stale_though_dvc_forgives_what_is_missing(tree: Path, tmp_path: Path) -> None:
    (tree / "stages" / "evaluate.py").unlink()
    (one,) = freshness(tree, tree, tmp_path)
    assert one.stale == (Stale("evaluate", ("stages/evaluate.py is gone",)),)


def test_a_frozen_stage_is_not_called_current(tree: Path, tmp_path: Path) -> None:
    text = (tree / "dvc.yaml").read_text()
    (tree / "dvc.yaml").write_text(text.replace("  evaluate:\n", "  evaluate:\n    frozen: true\n"))
    (one,) = freshness(tree, tree, tmp_path)
    assert [stage.stage for stage in one.stale] == ["evaluate"]
    assert "frozen" in one.stale[0].reasons[-1]
