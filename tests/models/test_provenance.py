from pathlib import Path

import torch

from bloodcells.models import provenance
from tests.support import project


def test_a_commit_is_named_and_what_differs_from_it(tmp_path: Path) -> None:
    project.done("git", "init", "--quiet", cwd=tmp_path)
    results = ("metrics/a.json", "plots/deep/b.csv", "dvc.lock", "locks/bccd/dvc.lock")
    for name in ("code.py", "params.yaml", *results):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a = 1\n")
    project.commit(tmp_path, "first")
    head = project.done("git", "rev-parse", "HEAD", cwd=tmp_path).strip()
    (tmp_path / "untracked.txt").write_text("no matter")
    for name in results:
        (tmp_path / name).unlink()
    assert provenance.describe_code(tmp_path) == {"commit": head, "changed": []}
    (tmp_path / "code.py").write_text("a = 2\n")
    (tmp_path / "params.yaml").write_text("a = 3\n")
    project.done("git", "add", "params.yaml", cwd=tmp_path)
    assert provenance.describe_code(tmp_path) == {"commit": head, "changed": ["code.py", "params.yaml"]}


def test_outside_of_git_there_is_no_commit(tmp_path: Path) -> None:
    assert provenance.describe_code(tmp_path) == {"commit": "", "changed": []}


def test_a_process_says_what_it_ran_on_and_with() -> None:
    said = provenance.describe_process(12.345)
    assert said["seconds"] == 12.3
    assert said["libraries"]["torch"] == torch.__version__.split("+")[0]
    assert said["device"]["threads"] == torch.get_num_threads()
    assert said["device"]["processor"]


def test_a_fingerprint_follows_the_values_and_not_their_order() -> None:
    one = provenance.fingerprint({"a": 1, "b": {"c": [1, 2], "d": 0.1}})
    assert one == provenance.fingerprint({"b": {"d": 0.1, "c": [1, 2]}, "a": 1})
    assert one != provenance.fingerprint({"a": 1, "b": {"c": [2, 1], "d": 0.1}})
