"""The classes in their one order, and how the published label table is read."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bloodcells.core.classes import CLASSES, RARE
from bloodcells.core.errors import InputError

_LONGEST_NAME = 255  # bytes, on every common file system
_COLUMNS = ("Image", "Category")
_SURPLUS = "cells beyond the header"


@dataclass(frozen=True)
class LabelRow:
    """One row of the label table: where it stands, its image's file name, the labels in it."""

    line: int
    image: str
    labels: tuple[str, ...]


def parse_category(text: str) -> tuple[str, ...]:
    """Split a category into its labels: `"NEUTROPHIL, Eosinophil "` gives two, a blank none.

    Raises:
        ValueError: a label is no class that we know; the message is that label.
    """
    if not text.strip():
        return ()
    labels = tuple(part.strip().lower() for part in text.split(","))
    for label in labels:
        if label not in CLASSES + RARE:
            raise ValueError(label)
    return labels


def image_name(text: str) -> str:
    """Give the file name of an image: the published table has its number, your own may have the name.

    Raises:
        ValueError: it is neither a number nor a plain file name; the message is its beginning.
    """
    text = text.strip()
    odd = text in ("", ".", "..") or any(letter in "/\\" or letter < " " for letter in text)
    if odd or len(text.encode()) > _LONGEST_NAME:
        raise ValueError(text[:40])
    if text.isascii() and text.isdigit():
        return f"BloodImage_{int(text):05d}.jpg"
    return text


def read_label_table(path: Path) -> list[LabelRow]:
    """Read a label table with the columns `Image` and `Category`, in the table's order.

    Raises:
        InputError: no such file, not UTF-8, a column missing, more cells in a row than columns, an unknown
            label, an image that can't be one, or an image named twice; the message names the line (of a row
            of several lines the last) and the remedy.
    """
    reader = csv.DictReader(io.StringIO(_read(path), newline=""), restkey=_SURPLUS, skipinitialspace=True)
    rows: list[LabelRow] = []
    seen: dict[str, int] = {}
    for fields in _fields(path, reader):
        line = reader.line_num
        if any(cell.strip() for cell in fields.get(_SURPLUS) or ()):
            raise InputError(
                f"{path}, line {line}: more cells than the header has columns; "
                'put several labels in quotes: "NEUTROPHIL, EOSINOPHIL"'
            )
        try:
            image = image_name(fields["Image"] or "")
        except ValueError as error:
            raise InputError(
                f"{path}, line {line}: {str(error)!r} names no image; write its number or its file name"
            ) from None
        try:
            labels = parse_category(fields["Category"] or "")
        except ValueError as error:
            raise InputError(
                f"{path}, line {line}: unknown label {str(error)!r} for {image}; known are "
                f"{', '.join(CLASSES + RARE)}, several with commas between them, or a blank"
            ) from None
        if image in seen:
            raise InputError(
                f"{path}, line {line}: {image} stands in line {seen[image]} already; "
                "keep one row per image (two cells in one image: one row with both labels)"
            )
        seen[image] = line
        rows.append(LabelRow(line, image, labels))
    return rows


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: the raw data must hold a label table of that name") from None
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
        wrong = data.find(b"\0")  # UTF-16 without its mark is valid UTF-8, with a NUL beside each letter
    except UnicodeDecodeError as error:
        text, wrong = "", error.start
    if wrong >= 0:
        line = data[:wrong].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text; save the table with the encoding UTF-8")
    return text


def _fields(path: Path, reader: "csv.DictReader[str]") -> Iterator[dict[str, Any]]:
    """Give the rows of a table whose header is right; raise InputError where it is not, or where a row is none."""
    try:
        header = list(reader.fieldnames or ())
        wrong = [f"{header.count(name) or 'no'} columns {name}" for name in _COLUMNS if header.count(name) != 1]
        if wrong:
            found = ", ".join(header)[:200] or "nothing"
            raise InputError(
                f"{path}, line 1: {' and '.join(wrong)} (found: {found}); "
                "the header must name each of Image and Category once, with commas between them"
            )
        yield from reader
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; is a quotation mark left open?") from None
