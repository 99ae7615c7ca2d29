"""The arguments, help and exit status of `bloodcells predict`."""

import argparse
import sys
from pathlib import Path

from bloodcells.cli.arguments import folder_to_write
from bloodcells.cli.predict.images import find_images

_HELP = """\
Classify the white blood cell in each image. NOT FOR DIAGNOSIS.

The command finds the cell by its stain, crops it, and passes the crop to a
network. It abstains if the image shows no white cell or several, if the cell is
cut off by the edge of the image, if the image is at least twice or at most half
as large as the training images, or if the confidence is below a threshold that
was fitted on validation cells. Probabilities are calibrated. A plain checkpoint
has neither calibrated probabilities nor a threshold.
"""

_STATUS = """\
Folders are searched recursively for images. Exit status: 0 if all images could
be read, even if the model abstained; 1 if an image or the model could not be
read; 2 if the arguments are wrong; 130 after an interrupt.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _HELP
    parser.epilog = _STATUS
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("images", nargs="+", type=_path, metavar="IMAGE", help="an image, or a folder of images")
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
        help="write an explanation figure for each cell found, into FOLDER",
    )


def _path(text: str) -> Path:
    if not text:  # as a path, it would be the current folder
        raise argparse.ArgumentTypeError("an empty name: a shell variable may not be set")
    return Path(text)


def main(arguments: argparse.Namespace) -> None:
    """Run the command.

    Raises:
        InputError: there is no such model, or a folder contains no images.
        SystemExit: an image could not be read, or the command was interrupted.
    """
    form = "json" if arguments.json else "csv" if arguments.csv else "table"
    try:
        images = find_images(arguments.images, exclude=arguments.explain)
        from bloodcells.cli.predict.run import run  # noqa: PLC0415 (PyTorch, which --help does not need)

        if not run(images, arguments.model, form, arguments.explain):
            sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
