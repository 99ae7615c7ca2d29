"""Argument types that several commands share."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bloodcells.core.errors import DISK_FULL, InputError


def file_to_write(text: str) -> Path:
    """Return the path of a file to write.

    Raises:
        ArgumentTypeError: the path is a folder, or one of its parents is a file.
    """
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder: name a file")
    folder_to_write(str(path.parent))
    return path


def folder_to_write(text: str) -> Path:
    """Return the path of a folder to write into; it need not exist.

    Raises:
        ArgumentTypeError: the path, or one of its parents, is a file.
    """
    path = Path(text)
    for folder in (path, *path.parents):
        if folder.exists() and not folder.is_dir():
            raise argparse.ArgumentTypeError(f"{str(folder)!r} is a file, not a folder: name another")
    return path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one line that a file which the user named can't be written.

    Raises:
        InputError: the block raised an OSError, other than that of a full disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise InputError(f"{path} can't be written: {error.strerror}; name another file") from None
