"""`bloodcells import`: make a data set of a folder as a laboratory has it."""

import argparse
import re
from pathlib import Path

import yaml

from bloodcells.datasets.record import DROP

_HELP = """\
Make a data set of a folder with images and their labels. The command finds the
labels (a table, boxes, or a folder per class), writes datasets/NAME/record.yaml,
and copies what the record needs into datasets/NAME/source. FOLDER itself is never
changed. What it can't decide is an error that names the option for it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _HELP
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=_path, metavar="FOLDER", help="the folder that holds images and labels")
    parser.add_argument("--name", required=True, type=_name, help="of the data set: small letters, digits, - and _")
    parser.add_argument("--title", help="of the data set (default: the name of the folder)")
    parser.add_argument("--dry-run", action="store_true", help="only say what was found")
    parser.add_argument("--force", action="store_true", help="replace the record and the files of a data set")
    where = parser.add_argument_group("where images and labels are")
    where.add_argument("--layout", choices=("table", "boxes", "folders"), help="where the labels are")
    where.add_argument("--images", metavar="SUBFOLDER", help="use only the images in this folder of FOLDER")
    where.add_argument("--table", type=_path, metavar="FILE", help="the label table")
    where.add_argument("--image-column", metavar="COLUMN", help="its column that names the images")
    where.add_argument("--label-column", metavar="COLUMN", help="its column with the labels")
    where.add_argument(
        "--group", metavar="COLUMN", help="its column with the patient, slide or acquisition: a group shares a fold"
    )
    classes = parser.add_argument_group("classes")
    classes.add_argument(
        "--labels", type=_label_map, default={}, metavar='"1=NAME,2=drop"', help="the classes that labels mean"
    )
    classes.add_argument("--drop", type=_list, default=[], metavar="LABEL,…", help="labels whose cells are left out")
    classes.add_argument(
        "--classes", type=_list, metavar="NAME,…", help="all classes in order; or as-found, also for labels to come"
    )
    parser.add_argument("--crop", type=_side, metavar="PIXELS", help="side of the square around a cell")


def main(arguments: argparse.Namespace) -> None:
    """Import the folder.

    Raises:
        InputError: something can't be decided or used; the message names the remedy.
    """
    from bloodcells.cli.importing.run import run  # noqa: PLC0415  (NumPy, which --help does not need)

    run(arguments)


def _path(text: str) -> Path:
    if not text:  # as a path, it would be the current folder
        raise argparse.ArgumentTypeError("an empty name: a shell variable may not be set")
    return Path(text)


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", text):
        raise argparse.ArgumentTypeError(f"{text!r}: write small letters, digits, - and _, a letter first")
    if not isinstance(yaml.safe_load(text), str):
        raise argparse.ArgumentTypeError(f"{text!r}: YAML reads it as {yaml.safe_load(text)!r}; choose another name")
    return text


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _label_map(text: str) -> dict[str, str]:
    pairs = [[side.strip() for side in part.split("=")] for part in _list(text)]
    if wrong := ["=".join(pair) for pair in pairs if len(pair) != 2 or not all(pair)]:
        raise argparse.ArgumentTypeError(f'{wrong[0]!r}: write each label with its class, as in "1=neutrophil,2=drop"')
    return {label: DROP if name.casefold() == DROP else name for label, name in pairs}


def _side(text: str) -> int:
    if not text.isdecimal() or int(text) < 16:
        raise argparse.ArgumentTypeError(f"{text!r}: write a number of pixels, at least 16")
    return int(text)
