"""`bloodcells relabel`: write the page in which an expert reads doubtful cells and corrects their labels."""

import argparse
from pathlib import Path

from bloodcells.cli.arguments import file_to_write, writing
from bloodcells.cli.git import is_ignored, repository
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_text
from bloodcells.core.parameters import StageParameters, read_parameters
from bloodcells.core.paths import DatasetPaths
from bloodcells.datasets.record import read_record

ORDERS = ("doubt", "image", "random")

_HELP = """\
Write one HTML page, which opens offline, for an expert to read doubtful cells: the
labels that most models contradict, and near-duplicates with different labels. The
reader chooses a class for each by keyboard or mouse, and saves a CSV file. Put that
file into datasets/NAME/corrections, name it in datasets/NAME/record.yaml, and run
the pipeline again. The page contains pictures of the data set; do not commit it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _HELP
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--dataset", metavar="NAME", help="the data set (default: that of params.yaml)")
    parser.add_argument("--output", type=file_to_write, metavar="FILE", help="the page (default: relabel/NAME.html)")
    parser.add_argument("--limit", type=_count, metavar="N", help="only the N most doubtful cells")
    parser.add_argument(
        "--controls",
        type=_count,
        default=0,
        metavar="N",
        help="also N cells that no model contradicts, mixed in: they show how often this reader changes a label that "
        "nothing speaks against",
    )
    parser.add_argument(
        "--cells",
        type=Path,
        metavar="CSV",
        help="instead of the doubtful cells, those in the column `image` of a table",
    )
    parser.add_argument(
        "--order", choices=ORDERS, help="default: doubt, the most doubtful first; with --controls: random"
    )
    parser.add_argument(
        "--blind",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="hide label, votes and file name until the reader has chosen, because they bias (default: hide)",
    )


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of cells")
    return number


def main(arguments: argparse.Namespace) -> None:
    """Write the page.

    Raises:
        InputError: the data set or its last run is missing or malformed, or there is no cell to read.
    """
    from bloodcells.cli.relabel.cells import questions  # noqa: PLC0415 (NumPy and Pillow, which --help does not need)
    from bloodcells.cli.relabel.page import relabel_page  # noqa: PLC0415
    from bloodcells.cli.relabel.pictures import Pictures  # noqa: PLC0415

    dataset = arguments.dataset or read_parameters(StageParameters).dataset
    record, paths = read_record(dataset), DatasetPaths(dataset)
    order = arguments.order or ("random" if arguments.controls else "doubt")
    cells, classes = questions(
        paths, only=arguments.cells, limit=arguments.limit, controls=arguments.controls, order=order
    )
    pictures = Pictures(paths, record)
    page, shown = relabel_page(dataset, record.title, classes, cells, pictures.draw, blind=arguments.blind)
    output: Path = arguments.output or Path("relabel", f"{dataset}.html")
    with writing(output):
        write_text(output, page)
    print(f"written: {output}: {shown} cells ({len(page) / 1e6:.1f} MB); open it in a browser")
    if _would_be_added(output):
        print(f"{output} has pictures of the data set, and git does not ignore it: move it, so that none gets into git")
    if shown < len(cells):
        print(f"{len(cells) - shown} more cells would make the page too large: correct these first, and run it again")


def _would_be_added(path: Path) -> bool:
    """Return whether `git add` would take the file."""
    try:
        root = repository(Path.cwd())
    except InputError:  # not in a repository
        return False
    return path.resolve().is_relative_to(root.resolve()) and not is_ignored(root, path)
