"""What DVC says of locks against the files beside them; each test runs it once or twice."""

from pathlib import Path

import pytest

from bloodcells.review.staleness import Stale, freshness
from tests import project
from tests.bloodcells.review import committed


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
    (one,) = freshness(tree, tmp_path)
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

    root, mine = freshness(tree, tmp_path)
    assert (mine.lock, mine.dataset, mine.current) == ("locks/mine/dvc.lock", "bccd", True)
    assert not root.current
    reasons = ("stages/evaluate.py", "parameters train", "metrics/rendered/resnet.json is not the one in the lock")
    assert root.stale == (Stale("evaluate", reasons),)


def test_a_pipeline_that_is_none_is_not_called_current(tree: Path, tmp_path: Path) -> None:
    (tree / "dvc.yaml").write_text("stages: [\n")
    (one,) = freshness(tree, tmp_path)
    assert not one.current
    assert "dvc.yaml" in one.failure
    assert str(tmp_path) not in one.failure


def test_a_tree_without_a_lock(tree: Path, tmp_path: Path) -> None:
    (tree / "dvc.lock").unlink()
    assert freshness(tree, tmp_path) == []
