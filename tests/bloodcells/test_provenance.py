from pathlib import Path

import torch

from bloodcells import provenance
from tests import project


def test_a_commit_is_named_and_its_changes_too(tmp_path: Path) -> None:
    project.done("git", "init", "--quiet", cwd=tmp_path)
    (tmp_path / "code.py").write_text("a = 1\n")
    project.commit(tmp_path, "first")
    head = project.done("git", "rev-parse", "HEAD", cwd=tmp_path).strip()
    (tmp_path / "untracked.txt").write_text("no matter")
    assert provenance.commit(tmp_path) == head
    (tmp_path / "code.py").write_text("a = 2\n")
    assert provenance.commit(tmp_path) == f"{head}+changes"


def test_outside_of_git_there_is_no_commit(tmp_path: Path) -> None:
    assert provenance.commit(tmp_path) == ""


def test_a_process_says_what_it_ran_on_and_with() -> None:
    said = provenance.of_this_process(12.345)
    assert said["seconds"] == 12.3
    assert said["libraries"]["torch"] == torch.__version__.split("+")[0]
    assert said["device"]["threads"] == torch.get_num_threads()
    assert said["device"]["processor"]


def test_a_fingerprint_follows_the_values_and_not_their_order() -> None:
    one = provenance.fingerprint({"a": 1, "b": {"c": [1, 2], "d": 0.1}})
    assert one == provenance.fingerprint({"b": {"d": 0.1, "c": [1, 2]}, "a": 1})
    assert one != provenance.fingerprint({"a": 1, "b": {"c": [2, 1], "d": 0.1}})
