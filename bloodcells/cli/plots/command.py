"""`bloodcells plots`: make the pages of `dvc plots` work offline, or draw their charts into files."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bloodcells.cli.arguments import folder_to_write
from bloodcells.cli.git import repository
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_text
from bloodcells.visualization.vega import draw_spec, hide_single_revision, page_scripts

TEMPLATE = Path(".dvc", "plots", "page.html")
"""The page as committed. Where there is no other, DVC fills in script tags that load Vega from the network."""

PAGE = Path(".dvc", "page.html")
"""The same page with Vega inside; ignored by git, and used by this clone only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("offline", help="make the pages of `dvc plots` in this clone work without a network")
    pictures = actions.add_parser("pictures", help="draw the charts of `dvc plots` into files, without a browser")
    pictures.add_argument("folder", type=folder_to_write, metavar="DIR", help="where to write")
    pictures.add_argument(
        "revisions", nargs="*", metavar="REVISION", help="as in `dvc plots diff` (default: the working tree alone)"
    )
    pictures.add_argument("--svg", action="store_true", help="write SVG instead of PNG")


def main(arguments: argparse.Namespace) -> None:
    """Run the action.

    Raises:
        InputError: there is no repository, no such revision, nothing to draw, or no page to fill.
    """
    root = repository(Path.cwd())
    if arguments.action == "offline":
        go_offline(root)
    else:
        draw(root, arguments.folder, arguments.revisions, ".svg" if arguments.svg else ".png")


def go_offline(root: Path) -> None:
    """Write the page with Vega inside, and let DVC use it in this clone."""
    try:
        template = (root / TEMPLATE).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{TEMPLATE} is missing: `git checkout {TEMPLATE}` restores it") from None
    write_text(root / PAGE, template.replace("{scripts}", page_scripts()))
    _dvc(root, "config", "--local", "plots.html_template", PAGE.name)  # relative to .dvc
    print("`dvc plots show` and `dvc plots diff` now work offline")


def draw(root: Path, folder: Path, revisions: Sequence[str], suffix: str) -> None:
    """Draw each chart into a file named after its table, and print the paths."""
    for name, chart in charts(root, revisions).items():
        path = folder / (re.sub(r"\W+", "-", name.removesuffix(".csv")) + suffix)
        draw_spec(chart, path)
        print(path)


def charts(root: Path, revisions: Sequence[str]) -> dict[str, str]:
    """Return the charts of a repository as Vega-Lite JSON, by DVC's names for them, without its pictures.

    Args:
        root: the repository.
        revisions: none for the working tree alone, one to compare it with, or several.

    Raises:
        InputError: there is no such revision, or nothing to draw.
    """
    which = ("diff", *revisions) if revisions else ("show",)
    with tempfile.TemporaryDirectory(prefix="plots-") as scratch:  # DVC copies the pictures there
        output = json.loads(_dvc(root, "plots", *which, "--json", "--out", scratch) or "{}")
    found = {
        name: json.dumps(hide_single_revision(item["content"]))
        for name, items in output.get("data", {}).items()
        for item in items
        if item["type"] == "vega"
    }
    if not found:
        raise InputError("there is nothing to draw: run `dvc repro`, which writes the tables of the charts")
    return found


def _dvc(root: Path, *arguments: str) -> str:
    """Run DVC and return its output.

    Raises:
        InputError: DVC fails; the message is its own.
    """
    result = subprocess.run(
        [sys.executable, "-P", "-m", "dvc", *arguments],  # -P: a file there may have the name of a module
        cwd=root,
        env=os.environ | {"DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        message = (result.stderr.strip() or "no message").splitlines()[0].removeprefix("ERROR: ")
        raise InputError(f"`dvc {' '.join(arguments[:2])}` failed: {message}")
    return result.stdout
