"""Reading tables as Excel and other programs write them."""

import csv
import difflib
import io
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bloodcells.core.errors import InputError
from bloodcells.datasets.record import normalize_label

_SEPARATORS = "\t;|,"  # if two fit equally well, the earlier: commas are also in decimals and in prose
_SAMPLE = 1 << 16  # characters from which the separator is chosen
_MAX_BYTES = 1 << 28
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods, .xls
_SEP_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?[ ,;|\t]*(?=[\r\n])', re.IGNORECASE)  # Excel's first line, as in sep=;
_LINE_END = re.compile(r"\r\n|\r|\n")


class TableRow(NamedTuple):
    """A row of a table: the line in which it begins, and a stripped cell for each column."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table with a header.

    Attributes:
        path: its file.
        line: the line of the header.
        columns: their names as written, without the space around them; columns before the last named one may have none.
        rows: all rows that are not blank.
    """

    path: Path
    line: int
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]

    def column(self, name: str) -> list[str]:
        """Return the cells of a column; its name is compared without case and surrounding space.

        Raises:
            InputError: there is no such column, or more than one.
        """
        (index,) = self.indices([name])
        return [row.cells[index] for row in self.rows]

    def indices(self, names: Sequence[str]) -> list[int]:
        """Return the indices of columns; their names are compared without case and surrounding space.

        Raises:
            InputError: there is no such column, or more than one. The message names all that are wrong, the columns
                that there are, and near matches.
        """
        normalized = [normalize_label(column) for column in self.columns]
        wrong = []
        for name in names:
            count = normalized.count(normalize_label(name))
            if count > 1:
                wrong.append(f"{count} columns {name!r}")
            elif not count:
                close = difflib.get_close_matches(normalize_label(name), filter(None, normalized), n=1)
                hint = f" (did you mean {self.columns[normalized.index(close[0])]!r}?)" if close else ""
                wrong.append(f"no column {name!r}{hint}")
        if wrong:
            found = ", ".join(column or "one without a name" for column in self.columns)
            raise InputError(
                f"{self.path}, line {self.line}: {' and '.join(wrong)}; there are {found[:300]}; "
                "correct the header, or name the right column in the record (record.yaml)"
            )
        return [normalized.index(normalize_label(name)) for name in names]


def read_table(path: Path) -> Table:
    """Read a table of text with a header.

    Cells are separated by commas, semicolons, tabs or `|`, whichever fits the header and most rows, or as Excel's first
    line `sep=;` says. The encoding is UTF-8, UTF-16 with a byte order mark, or Windows-1252. Blank rows, and blank
    columns at the right, are skipped. A cell in quotes may contain separators and line breaks.

    Raises:
        InputError: the file can't be read, is not text, or has no header; a row has more cells than the header; or a
            quotation mark would swallow other rows. The message names the line (for a quotation mark, where it opens)
            and the remedy.
    """
    text = _read(path)
    given = _SEP_LINE.match(text)
    records = _records(path, text, given[1] if given else _separator(text))
    rows = [TableRow(line, cells) for line, cells in records if any(cells)][bool(given) :]
    if not rows:
        raise InputError(f"{path} is empty; write a header and a row for each image")

    header, *rows = rows
    width = _width(header.cells)
    for line, cells in rows:
        if any(cells[width:]):
            raise InputError(
                f"{path}, line {line}: {_width(cells)} cells, but the header in line {header.line} names {width}; "
                'put a cell that contains the separator in quotes ("NEUTROPHIL, EOSINOPHIL"), name every column, '
                "and remove what is above the header"
            )
    padding = ("",) * width
    padded = tuple(TableRow(line, (cells + padding)[:width]) for line, cells in rows)
    return Table(path, header.line, header.cells[:width], padded)


def _width(cells: Sequence[str]) -> int:
    """Return the number of cells without blank ones at the right."""
    return max((number for number, cell in enumerate(cells, 1) if cell and not cell.isspace()), default=0)


def _read(path: Path) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is not a file; name the label table")
        if status.st_size > _MAX_BYTES:
            raise InputError(f"{path} is no label table: it has {status.st_size >> 20} MiB")
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: add a label table of that name to the raw data") from None
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    if data.startswith(_WORKBOOKS):
        raise InputError(f"{path} is a spreadsheet, not text; save its sheet as CSV (UTF-8)")
    try:
        text = _decode(data)
        before, wrong, _ = text.partition("\0")  # UTF-16 without a byte order mark is valid UTF-8 with NULs
    except UnicodeDecodeError as error:
        text, wrong = "", error.reason
        before = data[: error.start].decode(error.encoding, errors="ignore")
    if wrong:
        line = len(_LINE_END.split(before))
        raise InputError(f"{path}, line {line}: not text, or in several encodings; save the table as CSV (UTF-8)")
    return text.lstrip("\ufeff")


def _decode(data: bytes) -> str:
    """Decode text; it is Windows-1252 if it is not UTF-8, unless some of its characters are."""
    encoding = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8" or not data.decode("utf-8", errors="ignore").isascii():
            raise
        return data.decode("cp1252")


def _separator(text: str) -> str:
    """Return the separator that gives most rows two cells or more, but no more than the header."""

    def fit(separator: str) -> tuple[int, int]:
        reader = csv.reader(io.StringIO(text[:_SAMPLE], newline=""), delimiter=separator, skipinitialspace=True)
        header, *widths = [width for width in map(_width, reader) if width] or [0]
        return (sum(1 < width <= header for width in widths), header) if header > 1 else (-1, int(separator == ","))

    return max(_SEPARATORS, key=fit)


def _records(path: Path, text: str, separator: str) -> list[tuple[int, tuple[str, ...]]]:
    """Return the line in which each row begins, and its stripped cells.

    Raises:
        InputError: a quotation mark swallows rows.
    """
    # A stray quotation mark opens a cell that ends at the next one. Mostly, text follows there, which strict mode
    # refuses; else the cell ends with a separator or contains whole rows.
    text = re.sub(rf'" +(?={re.escape(separator)}|[\r\n]|\Z)', '"', text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    records: list[tuple[int, tuple[str, ...]]] = []
    tall: list[tuple[int, list[str]]] = []  # rows of several lines
    narrowest, line, refused = 0, 1, []
    try:
        for cells in reader:
            if reader.line_num > line:
                tall.append((line, cells))
            elif len(cells) > 1:
                narrowest = min(narrowest or len(cells), len(cells))
            records.append((line, tuple(map(str.strip, cells))))
            line = reader.line_num + 1
    except csv.Error:
        refused = [line]
    swallowing = [line for line, cells in tall if _swallows(cells, separator, narrowest)]
    for line in (swallowing + refused)[:1]:
        raise InputError(
            f"{path}, line {line}: a quotation mark opens in this row, and the cell does not end where it should; "
            "remove the mark or close it, and write a mark inside a cell in quotes twice"
        )
    return records


def _swallows(cells: list[str], separator: str, narrowest: int) -> bool:
    """Return whether a cell seems to contain rows, given the number of cells in the table's narrowest row."""
    least = max(narrowest, 2) - 1
    for following, cell in enumerate(reversed(cells)):
        _, *lines = _LINE_END.split(cell)
        counts = [line.count(separator) for line in lines]
        if counts and counts[-1]:
            counts[-1] += following  # to the end of its line
        if any(count >= least for count in counts) or (lines and cell.rstrip(" ").endswith(separator)):
            return True
    return False
