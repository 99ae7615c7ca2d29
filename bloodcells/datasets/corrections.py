"""Corrections of labels: the files that readers save in the page of `bloodcells relabel`, and how they are applied."""

import difflib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bloodcells.core.errors import InputError
from bloodcells.datasets.labels import LabelRow
from bloodcells.datasets.matching import CONTROL
from bloodcells.datasets.record import CORRECTIONS, DROP, Record, normalize_label
from bloodcells.datasets.tables import read_table

UNSURE = "unsure"
"""What a reader writes who can't tell the class: it changes nothing."""

COLUMNS = ("image", "old", "new", "reader", "date", "note")
"""Columns of a file of corrections."""

_FORMULA = tuple("=+-@'\t\r")  # a spreadsheet would compute a cell that begins with one; ' makes it text


@dataclass(frozen=True)
class Correction:
    """What one reader decided about one cell; `new` may equal `old`: the label is confirmed.

    Attributes:
        image: the cell, by `LabelRow.cell`.
        old: its label when it was read; several are joined by ` + `.
        new: a class, `drop` or `unsure`.
        reader, date, note: as the reader entered them.
        file, line: where it stands.
    """

    image: str
    old: str
    new: str
    reader: str
    date: str
    note: str
    file: Path
    line: int

    @property
    def where(self) -> str:
        """The place, for messages."""
        return f"{self.file}, line {self.line}"

    @property
    def row(self) -> tuple[str, ...]:
        """The columns `COLUMNS` as a file has them."""
        return tuple(as_text(getattr(self, column)) for column in COLUMNS)


def as_text(value: str) -> str:
    """Return a value as a spreadsheet may open it: one that looks like a formula begins with an apostrophe."""
    return f"'{value}" if value.startswith(_FORMULA) else value


def from_text(value: str) -> str:
    """Return the value that `as_text` wrote."""
    return value[1:] if value.startswith("'") and value[1:].startswith(_FORMULA) else value


def read_corrections(
    path: Path, remedy: str = "put it there, or take it out of the record's corrections"
) -> list[Correction]:
    """Read a file of corrections, also as a spreadsheet saves it again.

    Args:
        path: the file.
        remedy: what the user can do if there is no such file.

    Raises:
        InputError: it is missing or no table, lacks a column or a value, has a control character, or has an image
            twice. The message names the line and the remedy.
    """
    if not path.is_file():
        raise InputError(f"{path} is {'not a file' if path.exists() else 'missing'}: {remedy}")
    table = read_table(path)
    places = table.indices(COLUMNS)
    rows: dict[str, Correction] = {}
    for line, cells in table.rows:
        values = {name: from_text(cells[place]) for name, place in zip(COLUMNS, places, strict=True)}
        found = Correction(**values, file=path, line=line)
        missing = [name for name in ("image", "new", "reader") if not getattr(found, name)]
        if missing:
            raise InputError(f"{found.where}: no {' and no '.join(missing)}; fill it in, or delete the row")
        unprintable = [name for name in COLUMNS if name != "note" and CONTROL.search(getattr(found, name))]
        if unprintable:
            value = getattr(found, unprintable[0])
            raise InputError(f"{found.where}: {unprintable[0]} {value!r} has a control character; write it again")
        if found.image in rows:
            raise InputError(f"{found.where}: {found.image} is already in line {rows[found.image].line}; keep one")
        rows[found.image] = found
    return list(rows.values())


def correct_labels(
    rows: Sequence[LabelRow], record: Record, folder: Path, classes: Sequence[str]
) -> tuple[list[LabelRow], list[Correction]]:
    """Apply the corrections that a record names; `folder` is that of the record. See `apply_corrections`.

    Raises:
        InputError: a file can't be read, or does not fit the labels or another file.
    """
    given = [one for file in record.corrections for one in read_corrections(folder / file)]
    return apply_corrections(rows, given, classes)


def unused_corrections(record: Record, folder: Path) -> list[Path]:
    """Return the files in the folder of corrections that the record does not name."""
    return sorted({*(folder / CORRECTIONS).glob("*.csv")} - {folder / file for file in record.corrections})


def apply_corrections(
    rows: Sequence[LabelRow], corrections: Iterable[Correction], classes: Sequence[str]
) -> tuple[list[LabelRow], list[Correction]]:
    """Apply what readers decided, in the given order.

    A later correction may change the label that an earlier one gave: its `old` is that label. Corrections with the same
    `old` were read side by side, and must agree unless one of them is unsure. Once a later correction has changed the
    label, a former label may return and be read anew.

    Args:
        rows: the labels of the data set.
        corrections: of all files.
        classes: of the data set.

    Returns:
        The rows with their new labels (`drop` is the label of one to drop), and the corrections that change a label or
        are unsure, with labels written as in `classes`.

    Raises:
        InputError: an image or a class is unknown, `old` is not the label that the image has, or two corrections
            contradict each other.
    """
    result = list(rows)
    position = {row.cell: place for place, row in enumerate(rows)}
    names = {normalize_label(name): name for name in (*classes, DROP, UNSURE)}
    decided: dict[str, dict[str, Correction]] = defaultdict(dict)  # by image and the label that it was read under
    changes: list[Correction] = []
    for given in corrections:
        if given.image not in position:
            hint = _near(given.image, position)
            raise InputError(f"{given.where}: no cell {given.image!r}{hint}; correct or delete the row")
        if normalize_label(given.new) not in names:
            hint = f"{_near(given.new, names.values())}; write one of {', '.join(names.values())}"
            raise InputError(f"{given.where}: unknown class {given.new!r} for {given.image}{hint}")
        old, new = names.get(normalize_label(given.old), given.old), names[normalize_label(given.new)]
        one = replace(given, old=old, new=new)
        row = result[position[one.image]]
        current = " + ".join(row.labels)
        seen = normalize_label(one.old)
        before = decided[one.image].get(seen)
        if before is None and seen != normalize_label(current):
            raise InputError(
                f"{one.where}: {one.image} was read as {one.old or 'unlabeled'}, but its label is now "
                f"{current or 'missing'}; delete the row, or let it be read again"
            )
        if before is not None and UNSURE not in (one.new, before.new):
            if one.new != before.new:
                raise InputError(
                    f"{one.where}: {one.reader} says {one.new} for {one.image}, but {before.reader} says {before.new} "
                    f"({before.where}); correct one of them (`bloodcells agreement` lists what two readers disagree on)"
                )
            continue
        if before is None or before.new == UNSURE:
            if one.new not in (one.old, UNSURE):
                decided[one.image].clear()  # what was read under former labels: the label has changed since
            decided[one.image][seen] = one
        if one.new == UNSURE:
            changes.append(one)
        elif one.new != one.old:
            result[position[one.image]] = replace(row, labels=(one.new,))
            changes.append(one)
    return result, changes


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
