"""The committed results are those of the committed code: nothing is stale, for the default and for the real cells."""

import json
from pathlib import Path

import pytest

from tests import project

LOCKS = project.ROOT / "locks"
REAL = sorted(path.parent.name for path in LOCKS.glob("*/dvc.lock"))


def stale(folder: Path, *pipeline: str) -> str:
    """Say what a run would have to do beyond fetching what is missing; nothing, where all is current."""
    result = project.command("dvc", "repro", "--dry", "--allow-missing", *pipeline, cwd=folder)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return "\n".join(line for line in result.stdout.splitlines() if line.startswith("Running stage"))


def test_the_default_run_is_that_of_this_code(tmp_path: Path) -> None:
    folder = project.committed(tmp_path / "clone")
    assert not stale(folder)
    assert not stale(folder, "original/dvc.yaml")


@pytest.mark.parametrize("name", REAL)
def test_a_kept_run_is_that_of_this_code(tmp_path: Path, name: str) -> None:
    folder = project.committed(tmp_path / "clone")
    for file in ("dvc.lock", "params.yaml"):
        (folder / file).write_bytes((LOCKS / name / file).read_bytes())
    assert not stale(folder)
    (folder / "original" / "dvc.lock").write_bytes((LOCKS / name / "original.lock").read_bytes())
    assert not stale(folder, "original/dvc.yaml")


@pytest.mark.parametrize("name", REAL)
def test_a_kept_run_differs_from_the_default_in_data_and_folds_alone(name: str) -> None:
    kept = (LOCKS / name / "params.yaml").read_text().splitlines()
    default = (project.ROOT / "params.yaml").read_text().splitlines()
    changed = [line.split(":")[0] for line, other in zip(kept, default, strict=True) if line != other]
    assert set(changed) <= {"dataset", "folds"}


def test_the_run_on_real_cells_is_kept() -> None:
    assert "bccd" in REAL


@pytest.mark.parametrize("dataset", ["rendered", "bccd"])
def test_each_model_has_its_metrics(dataset: str) -> None:
    for model in ("resnet", "efficientnet", "alexnet"):
        scores = json.loads((project.ROOT / "metrics" / dataset / f"{model}.json").read_text())
        assert 0 < scores["accuracy_low"] < scores["accuracy"] <= scores["accuracy_high"] <= 1
