"""Atomic files: everything is written beside its target first, then renamed, so that nothing is ever half-written."""

import csv
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bloodcells.core.errors import DISK_FULL, InputError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a path to write to; it replaces `path` if, and only if, the block ends without an error.

    Parent folders of `path` are created. A full disk raises an OSError that names `path`.
    """
    with _temporary_folder(path) as folder:
        part = folder / path.name
        yield part
        part.replace(path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it replaces `path` if, and only if, the block ends without an error."""
    with _temporary_folder(path) as folder:
        part = folder / path.name
        part.mkdir()
        yield part
        old = folder / "old"
        try:
            if path.exists():
                path.replace(old)
            part.replace(path)
        finally:
            if old.exists() and not path.exists():  # interrupted in between
                old.replace(path)


@contextmanager
def _temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a folder beside `path`, on the same file system, and remove it afterwards."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        if error.errno in DISK_FULL:  # the system names no file, or the temporary one
            error.filename = str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8 with Unix line ends."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON.

    Raises:
        ValueError: the content holds NaN, which JSON does not have.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows as CSV with Unix line ends; None becomes an empty cell."""
    with atomic_write(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read the rows of a table that a stage wrote.

    Raises:
        InputError: the file is missing or not a table, or lacks one of `columns`, if only in one row.
    """
    remedy = "run `dvc repro` to write it again"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(columns) - set(reader.fieldnames or ())
            if missing:
                raise InputError(f"{path} has no column {', '.join(sorted(missing))}: {remedy}")
            rows = []
            for row in reader:
                if None in row.values() or None in row:
                    raise InputError(f"{path}, line {reader.line_num}: more or fewer cells than columns: {remedy}")
                rows.append(row)
            return rows
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`, which writes it") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a table ({error}): {remedy}") from None
