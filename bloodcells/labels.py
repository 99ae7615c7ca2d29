"""The classes in their one order, and how the published label table is read."""

import csv
from dataclasses import dataclass
from pathlib import Path

from bloodcells.errors import InputError

CLASSES = ("eosinophil", "lymphocyte", "monocyte", "neutrophil")
"""The classes that are told apart. An index into a row of logits is an index into this tuple:
the order stands here alone, and is stored with every checkpoint and every table of predictions."""

RARE = ("basophil",)
"""Classes that the label table may name and that are too few to learn."""


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
        ValueError: it is neither a number nor a plain file name.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return f"BloodImage_{int(text):05d}.jpg"
    if not text or text in (".", "..") or "/" in text or "\\" in text:
        raise ValueError(text)
    return text


def read_label_table(path: Path) -> list[LabelRow]:
    """Read a label table with the columns `Image` and `Category`, in the table's order.

    Raises:
        InputError: no such file, not UTF-8, a column missing, an unknown label, an image that can't be
            one, or an image named twice; the message names the line and the remedy.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path} is missing: the raw data must hold a label table of that name") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text; save the table with the encoding UTF-8") from None
    reader = csv.DictReader(text.splitlines())
    missing = {"Image", "Category"} - set(reader.fieldnames or ())
    if missing:
        found = ", ".join(reader.fieldnames or ()) or "nothing"
        raise InputError(
            f"{path}, line 1: no column {' and no column '.join(sorted(missing))} (found: {found}); "
            "the header must name the columns Image and Category"
        )
    rows: list[LabelRow] = []
    seen: dict[str, int] = {}
    for fields in reader:
        line = reader.line_num
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
