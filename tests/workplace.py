"""A folder to run a stage in: the project's parameters, some of them changed, and a small raw set that was drawn."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bloodcells.core.errors import run
from bloodcells.datasets.synthetic import smears
from tests.project import set_params

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT.parent / "shared" / "bccd" / "dataset-master"
IMAGES, SEED = 30, 7
RAW = Path("artifacts", "rendered", "raw")


def draw(folder: Path) -> Path:
    folder.mkdir(parents=True)
    smears.draw(folder, images=IMAGES, seed=SEED, progress=False, processes=1)
    return folder


def make(folder: Path, raw: Path, dataset: str = "rendered", **changes: Any) -> Path:
    """Fill a new folder with params.yaml and a copy of the raw set; `changes` has dots as double underscores."""
    copy = folder / "artifacts" / dataset / "raw"
    copy.parent.mkdir(parents=True)
    shutil.copytree(raw, copy, copy_function=shutil.copyfile)
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    set_params(folder, {"dataset": dataset} | {key.replace("__", "."): value for key, value in changes.items()})
    return folder


def table(path: Path) -> list[dict[str, str]]:
    header, *rows = (line.split(",") for line in path.read_text().splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


def run_stage(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
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
    """Name all files and folders but the raw set, hidden ones too."""
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    return {name for name in names if "/raw/" not in name}


def error_of(main: Any) -> str:
    """Run a stage that must end with a message, and give it: one line, as the user reads it."""
    with pytest.raises(SystemExit) as ended:
        run(main)
    message = str(ended.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message
