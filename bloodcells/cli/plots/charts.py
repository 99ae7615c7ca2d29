"""The charts that `dvc plots show` and `dvc plots diff` put on their page, as Vega-Lite's JSON."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bloodcells.core.errors import InputError


def charts(root: Path, revisions: Sequence[str]) -> dict[str, str]:
    """Give the charts of a repository by DVC's names for them, in its order. Pictures are not among them.

    Args:
        root: the repository.
        revisions: none for the working tree alone, one for it against that one, or several against each other.

    Raises:
        InputError: there is no such revision, or there is nothing to draw.
    """
    which = ("diff", *revisions) if revisions else ("show",)
    with tempfile.TemporaryDirectory(prefix="plots-") as scratch:  # for the pictures, which DVC writes
        told = json.loads(dvc(root, "plots", *which, "--json", "--out", scratch) or "{}")
    found = {
        name: json.dumps(item["content"])
        for name, items in told.get("data", {}).items()
        for item in items
        if item["type"] == "vega"
    }
    if not found:
        raise InputError("there is nothing to draw: run `dvc repro`, which makes the tables of the charts")
    return found


def dvc(root: Path, *arguments: str) -> str:
    """Run DVC there and give what it printed.

    Raises:
        InputError: DVC fails; the message is its own.
    """
    result = subprocess.run(
        [sys.executable, "-P", "-m", "dvc", *arguments],  # -P: a file there may be called like a module
        cwd=root,
        env=os.environ | {"DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        said = (result.stderr.strip() or "it ended without a word").splitlines()[0].removeprefix("ERROR: ")
        raise InputError(f"`dvc {' '.join(arguments[:2])}` fails: {said}")
    return result.stdout
