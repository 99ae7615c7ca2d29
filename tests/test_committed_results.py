"""The committed results of the default run are those of the committed code; those of kept runs say what made them."""

import json
from pathlib import Path

import pytest

from tests.support import project

REAL = sorted(path.parent.name for path in (project.ROOT / "locks").glob("*/dvc.lock"))


def test_the_default_run_is_up_to_date_in_a_fresh_clone(tmp_path: Path) -> None:
    folder = project.committed(tmp_path / "clone")
    result = project.command("dvc", "repro", "--dry", "--allow-missing", cwd=folder)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    assert "Running stage" not in result.stdout


def test_a_clone_with_the_line_ends_of_windows_is_up_to_date(tmp_path: Path) -> None:
    """The attributes of the repository keep git from changing the bytes that DVC hashes."""
    autocrlf = ("-c", "core.autocrlf=true")
    project.done("git", "clone", "--quiet", *autocrlf, str(project.ROOT), str(tmp_path / "clone"), cwd=tmp_path)
    result = project.command("dvc", "repro", "--dry", "--allow-missing", cwd=tmp_path / "clone")
    assert "Running stage" not in result.stdout
    assert result.returncode == 0, result.stderr


def test_the_run_on_real_cells_is_kept() -> None:
    assert "bccd" in REAL


@pytest.mark.parametrize("dataset", ["rendered", "bccd"])
def test_each_model_has_its_metrics(dataset: str) -> None:
    for model in ("resnet", "efficientnet", "alexnet"):
        scores = json.loads((project.ROOT / "metrics" / dataset / f"{model}.json").read_text())
        assert all(0 < scores[name] <= 1 for name in ("accuracy", "mean_sensitivity", "mean_specificity"))
