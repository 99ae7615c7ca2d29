"""A folder to run a stage in: the project's parameters, with changes, and a small synthetic raw data set."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bloodcells.core.errors import run
from bloodcells.core.paths import DatasetPaths
from bloodcells.datasets.synthetic.generate import generate
from tests.support.project import ROOT, set_params

PUBLISHED = ROOT.parent / "shared" / "bccd" / "dataset-master"
IMAGES, SEED = 30, 7
PATHS = DatasetPaths("rendered")
RAW = PATHS.raw


def draw(folder: Path) -> Path:
    """Generate the raw data set."""
    folder.mkdir(parents=True)
    generate(folder, images=IMAGES, seed=SEED, progress=False, processes=1)
    return folder


def make(folder: Path, raw: Path, dataset: str = "rendered", **changes: Any) -> Path:
    """Fill a new folder with params.yaml and a copy of the raw data set.

    Args:
        folder: the folder.
        raw: the data set to copy.
        dataset: its name.
        changes: values of params.yaml by their keys, with `__` for the dots in these.
    """
    copy = folder / DatasetPaths(dataset).raw
    copy.parent.mkdir(parents=True)
    shutil.copytree(raw, copy, copy_function=shutil.copyfile)
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    set_params(folder, {"dataset": dataset} | {key.replace("__", "."): value for key, value in changes.items()})
    return folder


def table(path: Path) -> list[dict[str, str]]:
    """Read a CSV file with a header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run_stage(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a stage in a process of its own, as DVC does."""
    return subprocess.run(
        [sys.executable, "-m", f"stages.{name}"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def files(folder: Path) -> set[str]:
    """List all files and folders, hidden ones too, except the raw data set."""
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    return {name for name in names if "/raw/" not in name}


def error_of(main: Any) -> str:
    """Run a stage that must end with a one-line error, and return that line."""
    with pytest.raises(SystemExit) as ended:
        run(main)
    message = str(ended.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message
