"""The command `bloodcells predict`: classify images, or abstain."""

import argparse
import sys
from pathlib import Path

from bloodcells.cli.arguments import folder_to_write
from bloodcells.cli.predict.images import find_sources
from bloodcells.cli.predict.model import find_model

_HELP = """\
Classify the white blood cell in each image. NOT FOR DIAGNOSIS.

The cell is found by its stain and cropped for a network. The model abstains if
the image shows no white cell or several, if the cell is cut off by the edge of
the image, or if its confidence is below a threshold that was fitted on
validation cells. Probabilities are calibrated, except those of a plain
checkpoint, which has no threshold either.
"""

_STATUS = """\
Folders are searched recursively for images. Exit status: 0 if all images could
be read (abstaining is not an error), 1 if one could not be read or nothing
could be done, 2 if the command is not understood, 130 after an interrupt.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _HELP
    parser.epilog = _STATUS
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("images", nargs="+", type=_named, metavar="IMAGE", help="an image, or a folder of images")
    parser.add_argument(
        "--model",
        help="name of a model of the pipeline run in this folder, or path of a predictor or checkpoint "
        "(default: the model of that run with the lowest validation loss)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object per line")
    form.add_argument("--csv", action="store_true", help="comma-separated values")
    parser.add_argument(
        "--explain",
        type=folder_to_write,
        metavar="FOLDER",
        help="write an explanation figure per image into FOLDER",
    )


def _named(text: str) -> Path:
    if not text:  # as a path, it would be the current folder
        raise argparse.ArgumentTypeError("an empty name: is a shell variable not set?")
    return Path(text)


def main(arguments: argparse.Namespace) -> None:
    """Predict.

    Raises:
        InputError: there is no such model, or a folder contains no images.
        SystemExit: an image could not be read, or the command was interrupted.
    """
    form = "json" if arguments.json else "csv" if arguments.csv else "table"
    try:
        sources = find_sources(arguments.images, apart=arguments.explain)
        model = find_model(arguments.model)
        from bloodcells.cli.predict.run import predict_all  # noqa: PLC0415 (PyTorch, which --help does not need)

        if not predict_all(sources, model, form, arguments.explain):
            sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
