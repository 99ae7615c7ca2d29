"""The cell classes of a data set, in their one order."""

import json
from pathlib import Path

from bloodcells.core.errors import InputError
from bloodcells.core.files import write_json


def write_classes(path: Path, classes: tuple[str, ...]) -> None:
    """Write the class names. Everything that learns or predicts numbers the classes by their place in this list."""
    write_json(path, classes)


def read_classes(path: Path) -> tuple[str, ...]:
    """Read the class names that the stage `clean` wrote.

    Raises:
        InputError: the file is missing or holds no class names.
    """
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro clean`, which writes it") from None
    except ValueError:
        names = None
    if not isinstance(names, list) or len(names) < 2 or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path} holds no class names: run `dvc repro -f clean`, which writes it")
    return tuple(names)
