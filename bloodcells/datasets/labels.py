"""Reading of the label table."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Box
from bloodcells.datasets.record import Record

_MAX_NAME_BYTES = 255  # on every common file system
_COLUMNS = ("Image", "Category")
_EXTRA = "cells beyond the header"


@dataclass(frozen=True)
class LabelRow:
    """A labeled cell.

    Attributes:
        line: its line in the label table; None without a table.
        image: path of its image, below the images folder.
        labels: class names, or labels that are dropped; none without a label, several for several cells.
        group: its patient, slide or acquisition; empty if unknown.
        box: its place in the image if that shows several cells.
    """

    line: int | None
    image: str
    labels: tuple[str, ...]
    group: str = ""
    box: Box | None = None

    @property
    def cell(self) -> str:
        """The name of the cell everywhere downstream: that of its image, and its place if there is a box."""
        if self.box is None:
            return self.image
        return f"{self.image}#{self.box.left}-{self.box.top}-{self.box.right}-{self.box.bottom}"


def parse_category(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Split a category into labels: `"NEUTROPHIL, Eosinophil "` gives two, a blank gives none.

    Raises:
        ValueError: a label is unknown; the message is that label.
    """
    if not text.strip():
        return ()
    labels = tuple(part.strip().lower() for part in text.split(","))
    for label in labels:
        if label not in known:
            raise ValueError(label)
    return labels


def image_name(text: str) -> str:
    """Return the file name of an image: the table has its number (17 means `BloodImage_00017.jpg`) or its name.

    Raises:
        ValueError: the text is neither a number nor a plain file name; the message is how it begins.
    """
    text = text.strip()
    is_path = text in ("", ".", "..") or any(letter in "/\\" or letter < " " for letter in text)
    if is_path or len(text.encode()) > _MAX_NAME_BYTES:
        raise ValueError(text[:40])
    if text.isascii() and text.isdigit():
        return f"BloodImage_{int(text):05d}.jpg"
    return text


def resolve_classes(record: Record, rows: list[LabelRow]) -> tuple[str, ...]:
    """Return the classes in order."""
    return tuple(record.classes)


def read_labels(record: Record, raw: Path) -> list[LabelRow]:
    """Read a label table with the columns `Image` and `Category`, in the table's order.

    Raises:
        InputError: the file is missing or not UTF-8, a column is missing, a row has more cells than the header, a
            label is unknown, or an image is not a file name or repeated. The message names the line (the last one of
            a row of several lines) and the remedy.
    """
    path, known = raw / str(record.labels.table), (*record.classes, *record.drop)
    reader = csv.DictReader(io.StringIO(_read(path), newline=""), restkey=_EXTRA, skipinitialspace=True)
    rows: list[LabelRow] = []
    seen: dict[str, int] = {}
    for fields in _fields(path, reader):
        line = reader.line_num
        if any(cell.strip() for cell in fields.get(_EXTRA) or ()):
            raise InputError(
                f"{path}, line {line}: more cells than columns in the header; "
                'put several labels in quotes: "NEUTROPHIL, EOSINOPHIL"'
            )
        try:
            image = image_name(fields["Image"] or "")
        except ValueError as error:
            raise InputError(
                f"{path}, line {line}: {str(error)!r} is not an image; write its number or its file name"
            ) from None
        try:
            labels = parse_category(fields["Category"] or "", known)
        except ValueError as error:
            raise InputError(
                f"{path}, line {line}: unknown label {str(error)!r} for {image}; write one of "
                f"{', '.join(known)}, several separated by commas, or leave it blank"
            ) from None
        if image in seen:
            raise InputError(
                f"{path}, line {line}: {image} is already in line {seen[image]}; "
                "keep one row per image (for two cells in one image: one row with both labels)"
            )
        seen[image] = line
        rows.append(LabelRow(line, image, labels))
    return rows


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: add a label table of that name to the raw data") from None
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
        wrong = data.find(b"\0")  # UTF-16 without a byte order mark is valid UTF-8 with NULs
    except UnicodeDecodeError as error:
        text, wrong = "", error.start
    if wrong >= 0:
        line = data[:wrong].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text; save the table as UTF-8")
    return text


def _fields(path: Path, reader: "csv.DictReader[str]") -> Iterator[dict[str, Any]]:
    """Yield the rows of a table after a check of its header; raise InputError if the header or a row is wrong."""
    try:
        header = list(reader.fieldnames or ())
        wrong = [f"{header.count(name) or 'no'} columns {name}" for name in _COLUMNS if header.count(name) != 1]
        if wrong:
            found = ", ".join(header)[:200] or "nothing"
            raise InputError(
                f"{path}, line 1: {' and '.join(wrong)} (found: {found}); "
                "write a header with one column Image and one column Category, separated by commas"
            )
        yield from reader
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; close the quotation mark if one is open") from None
