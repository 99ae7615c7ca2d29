"""Writing so that nothing is ever half-written: beside the target first, then renamed."""

import csv
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bloodcells.core.errors import FULL, InputError


def _beside(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let a full disk's error name `path`: a failed write names nothing, a failed opening the file beside."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            error.filename = str(path)
        raise


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a path to write to; it takes the place of `path` only if the block ends well.

    The parents of `path` are made. Whatever happens, nothing half-written stays behind.
    """
    with _naming(path):
        folder = _beside(path)
        try:
            part = folder / path.name
            yield part
            part.replace(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it takes the place of `path` only if the block ends well."""
    with _naming(path):
        folder = _beside(path)
        try:
            part = folder / path.name
            part.mkdir()
            yield part
            if path.exists():
                path.replace(folder / "old")
            part.replace(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON. Raises ValueError on NaN, which JSON does not have."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and `rows` as CSV with Unix line ends."""
    with atomic_write(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read the rows of a table that a stage wrote.

    Raises:
        InputError: there is no such file, it is no table, or it lacks one of `columns`, if only in one row.
    """
    remedy = "run `dvc repro` to make it anew"
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
        raise InputError(f"{path} is missing: run `dvc repro`, which makes it") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no table ({error}): {remedy}") from None
