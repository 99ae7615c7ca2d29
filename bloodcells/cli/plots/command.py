"""`bloodcells plots`: make the pages of `dvc plots` work without a network, or draw their charts into files."""

import argparse
import io
import re
from pathlib import Path

from PIL import Image

from bloodcells.cli.git import repository
from bloodcells.cli.main import folder_to_write
from bloodcells.cli.plots.charts import charts, dvc
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_text
from bloodcells.reporting.style import write_png
from bloodcells.reporting.vega import png, scripts, svg

TEMPLATE = Path(".dvc", "plots", "page.html")
"""The page as the project writes it. Where there is no other, DVC puts its own script tags into it; they fetch Vega."""

PAGE = Path(".dvc", "page.html")
"""The same with Vega in it. Git ignores it, and no more than this clone's own configuration names it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    acts.add_parser("offline", help="from now on the pages of `dvc plots` in this clone need no network")
    pictures = acts.add_parser("pictures", help="draw the charts of `dvc plots` into files, without a browser")
    pictures.add_argument("folder", type=folder_to_write, metavar="DIR", help="where to write")
    pictures.add_argument(
        "revisions", nargs="*", metavar="REVISION", help="as in `dvc plots diff` (default: the working tree alone)"
    )
    pictures.add_argument("--svg", action="store_true", help="write SVG, not PNG")


def main(arguments: argparse.Namespace) -> None:
    """Do what is asked.

    Raises:
        InputError: no repository, no such revision, nothing to draw, or no page to fill.
    """
    root = repository(Path.cwd())
    if arguments.act == "offline":
        go_offline(root)
    else:
        draw(root, arguments.folder, arguments.revisions, arguments.svg)


def go_offline(root: Path) -> None:
    """Write the page that holds Vega, and let DVC use it in this clone."""
    try:
        template = (root / TEMPLATE).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{TEMPLATE} is missing: `git checkout {TEMPLATE}` brings it back") from None
    write_text(root / PAGE, template.replace("{scripts}", scripts()))
    dvc(root, "config", "--local", "plots.html_template", PAGE.name)  # DVC takes it from its own folder
    print("`dvc plots show` and `dvc plots diff` now write pages that need no network")


def draw(root: Path, folder: Path, revisions: list[str], as_svg: bool) -> None:
    """Write each chart as a file that is called like its table, and print the paths."""
    for name, chart in charts(root, revisions).items():
        path = folder / (re.sub(r"\W+", "-", name.removesuffix(".csv")) + (".svg" if as_svg else ".png"))
        if as_svg:
            write_text(path, svg(chart))
        else:
            write_png(path, Image.open(io.BytesIO(png(chart))).convert("RGB"))
        print(path)
