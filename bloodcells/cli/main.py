"""The command line: `bloodcells COMMAND …`, of which only the chosen command is loaded."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bloodcells.core.errors import run

COMMANDS = {
    "plots": "show the charts of `dvc plots` without a network, or draw them into files",
    "predict": "tell the class of the white cell in smears; not for diagnosis",
    "review": "compare two revisions and write what a reviewer must know",
}
"""Each command and what it does; the module `bloodcells.COMMAND.command` has `add_arguments(parser)` and
`main(arguments)`."""


def file_to_write(text: str) -> Path:
    """Take the path of a file that is written, as the type of an argument.

    Raises:
        ArgumentTypeError: a folder is there, or a file where it would need a folder.
    """
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder: name a file")
    folder_to_write(str(path.parent))
    return path


def folder_to_write(text: str) -> Path:
    """Take the path of a folder that is written into, as the type of an argument.

    Raises:
        ArgumentTypeError: a file is there, or where it would need a folder.
    """
    path = Path(text)
    for folder in (path, *path.parents):
        if folder.exists() and not folder.is_dir():
            raise argparse.ArgumentTypeError(f"{str(folder)!r} is a file, and no folder: name another")
    return path


def main(words: Sequence[str] | None = None) -> None:
    """Run the command that the words name; without words, those that the process was given.

    Raises:
        SystemExit: with the command's status where that is not 0, or with a message that its user can act on.
    """
    words = sys.argv[1:] if words is None else words
    parser = argparse.ArgumentParser(prog="bloodcells", description="White blood cells in blood smears.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), "")
    for name, does in COMMANDS.items():
        of_command = commands.add_parser(name, help=does)
        if name == chosen:
            command = import_module(f"bloodcells.cli.{name}.command")
            command.add_arguments(of_command)
    arguments = parser.parse_args(words)
    try:
        run(lambda: command.main(arguments))
    except BrokenPipeError:  # `bloodcells … | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python's last flush fails again
        sys.exit(1)
