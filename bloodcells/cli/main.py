"""The command line `bloodcells COMMAND`; only the module of the chosen command is imported."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from bloodcells.core.errors import run

COMMANDS = {
    "agreement": "compare the corrections of two readers: kappa, and the cells on which they disagree",
    "import": "make a data set of a folder with images and their labels",
    "plots": "make the pages of `dvc plots` work offline, or write its charts to files",
    "predict": "classify the white blood cell in each image; not for diagnosis",
    "relabel": "write an offline page in which an expert corrects doubtful labels",
    "review": "compare two revisions and write a page for the reviewer",
    "score": "test a trained model on another data set",
    "use": "choose a data set, with the parameters and the lock file that belong to it",
}
"""The commands and their help.

The module `bloodcells.cli.PACKAGE.command` defines `add_arguments(parser)` and `main(arguments)`.
"""

_PACKAGES = {"import": "importing"}  # where a command can't have a package of its name, which is a keyword


def main(words: Sequence[str] | None = None) -> None:
    """Run a command.

    Args:
        words: the command and its arguments; None for those of the process.

    Raises:
        SystemExit: the command failed; it carries the exit status or a message for the user.
    """
    words = sys.argv[1:] if words is None else words
    parser = argparse.ArgumentParser(prog="bloodcells", description="Classification of white blood cells.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), "")
    for name, text in COMMANDS.items():
        subparser = commands.add_parser(name, help=text)
        if name == chosen:
            command = import_module(f"bloodcells.cli.{_PACKAGES.get(name, name)}.command")
            command.add_arguments(subparser)
    arguments = parser.parse_args(words)
    try:
        run(lambda: command.main(arguments))
    except BrokenPipeError:  # the reader has closed the pipe, as in `bloodcells … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's last flush succeeds
        sys.exit(1)
