"""The arguments and help of `bloodcells score`."""

import argparse
import sys
from pathlib import Path

from bloodcells.cli.arguments import folder_to_write

_HELP = """\
Test a trained model on another data set (an external test). NOT FOR DIAGNOSIS.

Every labeled cell goes through the rules of `bloodcells predict`: the same crop,
probabilities and threshold, and the same reasons to abstain. Classes are matched
by name; label_map in the record of the data set can rename them. The command
writes a page and its tables, to be committed and reviewed:

  page.md           figures with intervals, and the drop against the model's own
                    test
  scores.csv        the figures
  predictions.csv   the prediction for each cell, or why there is none
  reliability.csv   accuracy by confidence, raw and as shipped
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _HELP
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "model", metavar="MODEL", help="name of a model of the last run, or path of a predictor or checkpoint"
    )
    parser.add_argument("dataset", metavar="DATASET", help="the data set to test on, by the name of its record")
    parser.add_argument(
        "--output",
        type=folder_to_write,
        metavar="FOLDER",
        help="folder to write (default: plots/DATASET/external/MODEL, with the data set that MODEL was trained on)",
    )


def main(arguments: argparse.Namespace) -> None:
    """Run the command.

    Raises:
        InputError: there is no such model or data set, the data are missing, or nothing in them can be tested.
        SystemExit: the command was interrupted.
    """
    from bloodcells.cli.score.run import run  # noqa: PLC0415 (PyTorch, which --help does not need)

    output: Path | None = arguments.output
    try:
        run(arguments.model, arguments.dataset, output)
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        sys.exit(130)
