"""A folder to run a stage in: the project's parameters, with changes, and a small synthetic raw data set."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bloodcells.core.errors import run
from bloodcells.core.files import write_json
from bloodcells.core.paths import DatasetPaths
from bloodcells.datasets.fingerprint import hash_files
from bloodcells.datasets.layout import all_files
from bloodcells.datasets.record import read_record, record_path
from bloodcells.datasets.synthetic.generate import generate
from tests.support.project import ROOT, set_params

PUBLISHED = ROOT.parent / "shared" / "bccd" / "dataset-master"
IMAGES, SEED = 30, 7
PATHS = DatasetPaths("rendered")
RAW = PATHS.raw
IMAGE_FOLDER = RAW / "JPEGImages"


def draw(folder: Path) -> Path:
    """Generate the raw data set."""
    folder.mkdir(parents=True)
    generate(folder, images=IMAGES, seed=SEED, progress=False, processes=1)
    return folder


def make(folder: Path, raw: Path, dataset: str = "rendered", **changes: Any) -> Path:
    """Fill a new folder with params.yaml, the record of a data set, and a copy of the raw data: as after `download`.

    Args:
        folder: the folder.
        raw: the data set to copy.
        dataset: its name.
        changes: values of params.yaml by their keys, with `__` for the dots in these.
    """
    copy = folder / DatasetPaths(dataset).raw
    copy.parent.mkdir(parents=True)
    shutil.copytree(raw, copy, copy_function=shutil.copyfile)
    configure(folder, dataset)
    set_params(folder, {key.replace("__", "."): value for key, value in changes.items()})
    return folder


def configure(folder: Path, dataset: str) -> None:
    """Write params.yaml with this data set, its record, and which files its raw data are."""
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    set_params(folder, {"dataset": dataset})
    shutil.copytree(ROOT / "datasets" / dataset, folder / "datasets" / dataset, copy_function=shutil.copyfile)
    write_source(folder, dataset, hash_files(all_files(folder / DatasetPaths(dataset).raw)).fingerprint())


def write_source(folder: Path, dataset: str, fingerprint: str) -> None:
    """Write which files the raw data are."""
    source = read_record(dataset, folder / "datasets").source
    write_json(folder / DatasetPaths(dataset).source, {"source": source, "fingerprint": fingerprint})


def publish(**published: Any) -> None:
    """Pretend, in the record of `rendered` here, that its raw data are published files; `published` is that section."""
    path = record_path("rendered")
    content = yaml.safe_load(path.read_text()) | {"source": "published"}
    found = {"archive": "", "fingerprint": json.loads(PATHS.source.read_text())["fingerprint"]}
    path.write_text(yaml.safe_dump(content | {"published": found | published}))


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
    """List all files and folders, hidden ones too, except the raw data set and the record."""
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    return {name for name in names if "/raw/" not in name and not name.startswith("datasets")}


def error_of(main: Any) -> str:
    """Run a stage that must end with a one-line error, and return that line."""
    with pytest.raises(SystemExit) as ended:
        run(main)
    message = str(ended.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message
