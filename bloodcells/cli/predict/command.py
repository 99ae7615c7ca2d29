"""The command `bloodcells predict`: images in, their answers out."""

import argparse
import sys
from pathlib import Path

from bloodcells.cli.arguments import folder_to_write
from bloodcells.cli.predict.images import find_sources
from bloodcells.cli.predict.model_choice import find_model

_HELP = """\
Tell the class of the white cell in each smear. NOT FOR DIAGNOSIS.

The cell is found by its stain and shown to a network. There is no answer
("abstains") where no white cell is seen, where there are several, where the
cell is cut off by the image's edge, and where the network is less sure than the
threshold that was fitted on validation. Probabilities are calibrated. With a
plain checkpoint they are not, and there is no threshold.
"""

_STATUS = """\
Folders are searched for images with all below them. Exit status: 0 if all
images could be read (no answer is not an error), 1 if one could not or nothing
could be done, 2 if the command is not understood, 130 if it was interrupted.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.description = _HELP
    parser.epilog = _STATUS
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("images", nargs="+", type=_named, metavar="IMAGE", help="an image, or a folder of images")
    parser.add_argument(
        "--model",
        help="the name of a model of the pipeline's run in this folder, or the path of a predictor or a checkpoint "
        "(default: the one of that run with the least validation loss)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--csv", action="store_true", help="a table with commas")
    parser.add_argument(
        "--explain", type=folder_to_write, metavar="FOLDER", help="write a picture for each cell seen, into FOLDER"
    )


def _named(text: str) -> Path:
    if not text:  # as a path that is the current folder
        raise argparse.ArgumentTypeError("an empty name: is a variable of the shell not set?")
    return Path(text)


def main(arguments: argparse.Namespace) -> None:
    """Answer.

    Raises:
        InputError: there is no such model, or a folder without images.
        SystemExit: an image could not be read, or there was an interrupt.
    """
    form = "json" if arguments.json else "csv" if arguments.csv else "table"
    try:
        sources = find_sources(arguments.images, apart=arguments.explain)
        model = find_model(arguments.model)
        from bloodcells.cli.predict.run import answer_all  # noqa: PLC0415 (it needs torch, which --help does not)

        if not answer_all(sources, model, form, arguments.explain):
            sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
