"""How DVC judges lock files against the files beside them; each test runs it once or twice."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from bloodcells.cli.review.lock_status import LockStatus, Stale, lock_status
from tests.cli.review import committed
from tests.support import project

METRICS = "metrics/rendered/resnet.json"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files of a revision whose lock is current: no repository, no cache."""
    tree = committed.repository(tmp_path / "repository")
    committed.lock(tree)
    (tree / ".git").rename(tmp_path / "git")
    return tree


def keep_run(tree: Path, commit: str = "", folder: str = "report/provenance") -> None:
    """Add a kept run on the real data, made by a commit."""
    kept = tree / "locks" / "bccd"
    kept.mkdir(parents=True)
    for name in ("dvc.lock", "params.yaml"):
        shutil.copyfile(tree / name, kept / name)
    project.set_params(kept, {"dataset": "bccd", "train.epochs": 3})
    if commit:
        path = tree / "plots" / "bccd" / folder / "resnet.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"evaluation": {"commit": commit}}))


def test_a_current_lock_leaves_the_tree_as_it_was(tree: Path, tmp_path: Path) -> None:
    for name in ("dvc.py", "json.py"):  # DVC must run, not a file of the tree with the name of a module
        (tree / name).write_text("raise SystemExit('run')\n")
    before = sorted(tree.rglob("*"))
    assert lock_status(tree, tree, tmp_path) == [LockStatus("dvc.lock", "rendered")]
    assert sorted(tree.rglob("*")) == before


def test_what_changed_is_named(tree: Path, tmp_path: Path) -> None:
    (tree / METRICS).write_text("{}\n")
    (tree / "stages" / "evaluate.py").write_text("# another stage\n")
    (tree / "bloodcells" / "evaluation" / "more.py").write_text("# in a folder\n")
    project.set_params(tree, {"train.epochs": 4, "clean.seed": 5})
    (one,) = lock_status(tree, tree, tmp_path)
    (stale,) = one.stale
    assert not one.current
    assert (stale.stage, {*stale.reasons}) == (
        "evaluate",
        {"stages/evaluate.py", "bloodcells/evaluation", "parameters train", f"{METRICS} is not the one in the lock"},
    )


def test_stages_that_follow_are_stale_too_and_a_mixed_lock_is_found(tree: Path, tmp_path: Path) -> None:
    pipeline = yaml.safe_load((tree / "dvc.yaml").read_text())
    made = {"path": METRICS, "hash": "md5", "md5": "0" * 32, "size": 1}
    pipeline["stages"]["compare"] = {"cmd": "python -m stages.compare", "deps": [METRICS], "outs": ["artifacts/x"]}
    (tree / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    lock = yaml.safe_load((tree / "dvc.lock").read_text())
    lock["stages"]["compare"] = {
        "cmd": "python -m stages.compare",
        "deps": list(lock["stages"]["evaluate"]["outs"]),
        "outs": [made | {"path": "artifacts/x"}],
    }
    (tree / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert lock_status(tree, tree, tmp_path / "a") == [LockStatus("dvc.lock", "rendered")]

    (tree / "stages" / "evaluate.py").write_text("# another stage\n")
    (one,) = lock_status(tree, tree, tmp_path / "b")
    assert one.stale == (Stale("evaluate", ("stages/evaluate.py",)), Stale("compare", ()))

    committed.lock(tree)
    own = yaml.safe_load((tree / "dvc.lock").read_text())["stages"]
    text = (tree / "dvc.yaml").read_text().replace("cache: false", "cache: true")  # a clone lacks the file itself
    (tree / "dvc.yaml").write_text(text)
    (tree / METRICS).unlink()
    lock["stages"] |= own
    lock["stages"]["compare"]["deps"] = [made]
    (tree / "dvc.lock").write_text(yaml.safe_dump(lock))
    (one,) = lock_status(tree, tree, tmp_path / "c")
    assert one.stale == (Stale("compare", ("its inputs in the lock are those of another run",)),)


def test_an_invalid_pipeline_is_not_called_current(tree: Path, tmp_path: Path) -> None:
    (tree / "dvc.yaml").write_text("stages: [\n")
    (one,) = lock_status(tree, tree, tmp_path)
    assert not one.current
    assert "dvc.yaml" in one.failure
    assert str(tmp_path) not in one.failure


@pytest.mark.parametrize("folder", ["report/provenance", "provenance"])
def test_a_kept_run_may_be_older_than_the_code_and_names_its_commit(tree: Path, tmp_path: Path, folder: str) -> None:
    keep_run(tree, "0f08bb03b561149dc025a1e33e36eecd1905397e", folder)
    _, kept = lock_status(tree, tree, tmp_path)
    assert kept == LockStatus("locks/bccd/dvc.lock", "bccd", made_by="0f08bb0")
    assert (kept.kept, kept.current) == (True, True)


def test_changed_and_deleted_results_of_a_kept_run(tree: Path, tmp_path: Path) -> None:
    keep_run(tree, "0" * 40)
    base = shutil.copytree(tree, tmp_path / "base")
    (tree / "dvc.lock").unlink()
    (base / "dvc.lock").unlink()
    (tree / METRICS).write_text("{}\n")
    (kept,) = lock_status(tree, base, tmp_path)
    assert kept.stale == (Stale("evaluate", (f"{METRICS} is not the one in the lock",)),)
    (tree / METRICS).unlink()
    (kept,) = lock_status(tree, base, tmp_path)
    assert (kept.stale, kept.missing) == ((), (METRICS,))
    (tree / "locks" / "bccd" / "dvc.lock").write_text("stages: [\n")
    assert "not a lock file" in lock_status(tree, base, tmp_path)[0].failure


def test_a_kept_run_without_provenance_is_of_an_unknown_commit(tree: Path, tmp_path: Path) -> None:
    keep_run(tree)
    assert lock_status(tree, tree, tmp_path)[1].made_by == ""


def test_deleted_results_are_missing_although_dvc_accepts_that(tree: Path, tmp_path: Path) -> None:
    shutil.rmtree(tree / "metrics")
    assert lock_status(tree, tree, tmp_path) == [LockStatus("dvc.lock", "rendered", missing=(METRICS,))]


def test_a_cached_output_is_missing_only_if_git_had_it(tree: Path, tmp_path: Path) -> None:
    text = (tree / "dvc.yaml").read_text()
    (tree / "dvc.yaml").write_text(text.replace("cache: false", "cache: true"))
    base = shutil.copytree(tree, tmp_path / "base")
    shutil.rmtree(tree / "metrics")
    (one,) = lock_status(tree, base, tmp_path / "a")
    assert one.missing == (METRICS,)
    (one,) = lock_status(tree, tree, tmp_path / "b")
    assert one.current
    (tree / "stages" / "evaluate.py").write_text("# another stage\n")
    (one,) = lock_status(tree, base, tmp_path / "c")
    assert one.stale  # which does not hide that the file is missing
    assert one.missing == (METRICS,)


def test_a_tree_without_a_lock(tree: Path, tmp_path: Path) -> None:
    (tree / "dvc.lock").unlink()
    assert lock_status(tree, tree, tmp_path) == []


def test_deleted_locks_are_missing(tree: Path, tmp_path: Path) -> None:
    keep_run(tree)
    base = shutil.copytree(tree, tmp_path / "base")
    shutil.rmtree(tree / "locks")
    (tree / "dvc.lock").unlink()
    assert [(one.lock, one.dataset, one.missing) for one in lock_status(tree, base, tmp_path)] == [
        ("dvc.lock", "rendered", ("dvc.lock",)),
        ("locks/bccd/dvc.lock", "bccd", ("locks/bccd/dvc.lock",)),
    ]


def test_deleted_code_makes_its_stage_stale_although_dvc_accepts_that(tree: Path, tmp_path: Path) -> None:
    (tree / "stages" / "evaluate.py").unlink()
    (one,) = lock_status(tree, tree, tmp_path)
    assert one.stale == (Stale("evaluate", ("stages/evaluate.py is missing",)),)


def test_a_frozen_stage_is_not_called_current(tree: Path, tmp_path: Path) -> None:
    text = (tree / "dvc.yaml").read_text()
    (tree / "dvc.yaml").write_text(text.replace("  evaluate:\n", "  evaluate:\n    frozen: true\n"))
    (one,) = lock_status(tree, tree, tmp_path)
    assert [stage.stage for stage in one.stale] == ["evaluate"]
    assert "frozen" in one.stale[0].reasons[-1]
