"""Reading the labels of cells from a table, from folders or from boxes, as the record of the data set says."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Box
from bloodcells.datasets.boxes import read_boxes
from bloodcells.datasets.matching import CONTROL, FileNames, is_image, list_files
from bloodcells.datasets.record import AS_FOUND, DROP, Record, check_class_name, check_classes, normalize_label
from bloodcells.datasets.tables import Table, read_table

_SHOWN = 5  # wrong rows in a message
_SHOWN_LABELS = 40
_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation"}  # folders that are no class

_GROUP_WORDS = (  # with which a column of groups begins
    *("patient", "subject", "person", "participant", "individual", "donor", "animal", "mouse"),
    *("slide", "smear", "sample", "specimen", "acquisition", "session", "visit", "study", "series", "batch"),
)
_SHORT_GROUP_WORDS = {"pat", "pid", "case", "cases", "caseid", "mrn", "subj"}
_ID_WORDS = {"id", "ids", "no", "nr", "number", "code"}
_CELL_WORDS = {"image", "img", "file", "filename", "cell", "class", "label", "category", "type", "row", "index"}
_ID_VALUE = re.compile(r"[^\W\d_]+[ _-]?\d[\w.-]*")


@dataclass(frozen=True)
class LabelRow:
    """A cell with its labels.

    Attributes:
        line: of the label table; None for folders and boxes.
        image: path of its image below the folder of the images, with "/"; if there is no such file, as in the table.
        labels: class names, or labels that are dropped; none if it has no label, several if the table names several.
        group: its patient, slide or acquisition; "" if not known, which means a group of its own.
        box: the cell in the image; None if the image shows this cell alone.
    """

    line: int | None
    image: str
    labels: tuple[str, ...]
    group: str = ""
    box: Box | None = None

    @property
    def cell(self) -> str:
        """The name of the cell in all later tables: its image, and its box if there is one."""
        if self.box is None:
            return self.image
        return f"{self.image}#{self.box.left}-{self.box.top}-{self.box.right}-{self.box.bottom}"


def read_labels(record: Record, raw: Path) -> list[LabelRow]:
    """Read the labels of a data set, in the order of the table, or of the paths for folders and boxes.

    Labels are compared without case and surrounding space. Several labels in a cell of the table are separated by
    commas, unless the record knows the whole text as one label. With classes `as found`, a label that is neither mapped
    nor dropped becomes a class in lower case. Rows of the table with neither image nor label are skipped.

    Args:
        record: of the data set.
        raw: folder of its raw data.

    Raises:
        InputError: the images or labels are not where the record says, a row names no image, several images or the
            image of another row, or labels are unknown. The message names all unknown labels, the first lines and the
            remedy.
    """
    if not record.images_folder(raw).is_dir():
        raise InputError(
            f"{record.images_folder(raw)} is missing: write the images' folder in the record (images.folder)"
        )
    labels = _Labels(record)
    if record.labels.table is not None:
        rows = _table_rows(record, raw, labels)
        source = raw / record.labels.table
    elif record.labels.folders is not None:
        rows = _folder_rows(record, raw, labels)
        source = raw / record.labels.folders
    else:
        rows = _box_rows(record, raw, labels)
        source = raw / (record.labels.annotations or record.images.folder)
    labels.check(source)
    if not rows:
        raise InputError(f"{source}: no labels found; check the record (labels, images)")
    for row in rows:
        if CONTROL.search(row.image):
            raise InputError(f"{row.image!r}: a file name with a line end or control character; rename the file")
    return rows


def resolve_classes(record: Record, rows: Iterable[LabelRow]) -> tuple[str, ...]:
    """Return the classes of a data set: the record's in their order, or with `as found` those of the labels, sorted.

    Raises:
        InputError: the labels give fewer than two or more than 20 classes, or one with a name that is not allowed.
            The message lists the labels with their counts.
    """
    if record.classes != AS_FOUND:
        return record.classes
    dropped = _Labels(record).dropped
    counts = Counter(label for row in rows if len(row.labels) == 1 for label in row.labels if label not in dropped)
    classes = tuple(sorted(counts))
    try:
        for name in classes:
            check_class_name(name)
        check_classes(classes)
    except ValueError as error:
        found = ", ".join(f"{label!r} ({count})" for label, count in counts.most_common(_SHOWN_LABELS))
        more = f" and {len(counts) - _SHOWN_LABELS} more" if len(counts) > _SHOWN_LABELS else ""
        raise InputError(
            f"labels as found: {error}; found {found or 'none'}{more}; "
            "name the right column in the record (labels.label), or map and drop labels there (label_map, drop)"
        ) from None
    return classes


def suspicious_columns(table: Table, used: Iterable[str] = ()) -> list[str]:
    """Return the columns that look like a patient, slide or acquisition, by their name or by their values.

    Their values repeat: cells of one patient look alike, and if they are in both training and test, the test is too
    good. An image without a group is a group of its own, so a table may name the group for some images only.

    Args:
        table: the label table.
        used: columns that the record names.
    """
    taken = {normalize_label(name) for name in used}
    suspicious = []
    for index, name in enumerate(table.columns):
        values = [row.cells[index] for row in table.rows if row.cells[index]]
        distinct = len(set(values))
        words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
        if not name or normalize_label(name) in taken or not 1 < distinct < len(values):
            continue
        named = any(word.startswith(_GROUP_WORDS) for word in words) or words & _SHORT_GROUP_WORDS
        few = 2 < distinct < len(values) / 2 and not words & _CELL_WORDS
        if named or (few and (words & _ID_WORDS or all(_ID_VALUE.fullmatch(value) for value in values))):
            suspicious.append(name)
    return suspicious


def unused_group_columns(record: Record, raw: Path) -> list[str]:
    """Return the suspicious columns of a data set whose record has a table and names no group."""
    labels = record.labels
    if labels.table is None or labels.group is not None:
        return []
    return suspicious_columns(read_table(raw / labels.table), used=(labels.image, labels.label))


class _Labels:
    """What the labels of a record mean, and which ones it does not know."""

    def __init__(self, record: Record) -> None:
        self._as_found = record.classes == AS_FOUND
        mapped = {normalize_label(label): target for label, target in record.label_map.items() if target != DROP}
        names = (*(() if record.classes == AS_FOUND else record.classes), *mapped.values())
        kept = {normalize_label(name): name for name in names} | mapped
        self.dropped = {normalize_label(label) for label in record.drop}
        self.dropped |= {normalize_label(label) for label, target in record.label_map.items() if target == DROP}
        for label in sorted(self.dropped & kept.keys()):
            raise InputError(f"record: {label!r} is dropped, and also a class or mapped to one; choose one")
        self._known = kept | {label: label for label in self.dropped}
        self._unknown: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def parse(self, text: str, place: str) -> tuple[str, ...]:
        """Return what the labels of a text mean; `place` is where it stands."""
        parts = [text] if self._find(text) is not None else text.split(",")
        return tuple(self.meaning(part, place) for part in parts if part.strip())

    def meaning(self, label: str, place: str) -> str:
        """Return a class, or a dropped label; note a label that is unknown."""
        found = self._find(label)
        if found is None:
            found = _whole_number(normalize_label(label))
            if not self._as_found:
                self._unknown[found] += 1
                self._first.setdefault(found, place)
        return found

    def _find(self, label: str) -> str | None:
        return self._known.get(normalize_label(label)) or self._known.get(_whole_number(normalize_label(label)))

    def check(self, source: Path) -> None:
        """Raise an InputError that lists all unknown labels."""
        if not self._unknown:
            return
        listed = []
        for label, count in self._unknown.most_common(_SHOWN_LABELS):
            close = difflib.get_close_matches(label, self._known, n=1)
            listed.append(f"{label!r} ({count}, first in {self._first[label]}{'; ' + close[0] + '?' if close else ''})")
        more = f" and {len(self._unknown) - _SHOWN_LABELS} more" if len(self._unknown) > _SHOWN_LABELS else ""
        raise InputError(
            f"{source}: unknown labels {', '.join(listed)}{more}; correct the labels, "
            "or add them to classes, label_map or drop in the record (record.yaml)"
        )


def _whole_number(text: str) -> str:
    """Return `3` for `3.0`, which pandas writes where a column also has blank cells."""
    return re.sub(r"(\d+)\.0+", r"\1", text) if re.fullmatch(r"\d+\.0+", text) else text


def _table_rows(record: Record, raw: Path, labels: _Labels) -> list[LabelRow]:
    names = record.labels
    table = read_table(raw / str(names.table))
    image_column, label_column, *group_column = table.indices(
        [names.image, names.label, *([names.group] if names.group is not None else [])]
    )
    files = FileNames(list_files(record.images_folder(raw)), record.images.numbered, record.images.folder)
    found = iter(files.match(cells[image_column] for _, cells in table.rows))
    groups: dict[str, str] = {}
    rows: dict[str, LabelRow] = {}
    problems = []
    for line, cells in table.rows:
        text, label, images = cells[image_column], cells[label_column], next(found)
        if not text and not label:
            continue
        try:
            if CONTROL.search(label):
                raise ValueError(f"label {label[:40]!r} has a line break or control character; write it in one line")
            group = _whole_number(" ".join(cells[group_column[0]].split())) if group_column else ""
            group = groups.setdefault(normalize_label(group), group)
            row = LabelRow(line, _image(files, text, images), labels.parse(label, f"line {line}"), group)
            if row.image in rows:
                raise ValueError(_repeated(row, rows[row.image]))
            rows[row.image] = row
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise InputError(f"{table.path}, {'; '.join(problems[:_SHOWN])}{more}")
    return list(rows.values())


def _image(files: FileNames, text: str, found: list[str]) -> str:
    """Return the image that a text means, of those found, or the text itself if there is none.

    Raises:
        ValueError: it means several, or is no file name.
    """
    if len(found) > 1:
        raise ValueError(
            f"{text!r} may be {' or '.join(found[:3])}; write the path, or say in the record which file it means, "
            "as in images.numbered: '{}.png'"
        )
    if found:
        return found[0]
    try:
        return files.missing_name(text)
    except ValueError as error:
        raise ValueError(f"{str(error)!r} is not an image; write its number or its file name") from None


def _repeated(row: LabelRow, first: LabelRow) -> str:
    if row.labels == first.labels:
        return (
            f"{row.image} is already in line {first.line}; keep one row per image "
            "(for two cells in one image: one row with both labels)"
        )
    here, there = (" + ".join(labels) or "no label" for labels in (row.labels, first.labels))
    return f"{row.image} has {here}, but {there} in line {first.line}; keep the right row"


def _folder_rows(record: Record, raw: Path, labels: _Labels) -> list[LabelRow]:
    top, images = raw / str(record.labels.folders), record.images_folder(raw)
    if not top.is_dir() or not top.is_relative_to(images):
        raise InputError(f"{top} is not a folder in {images}: correct the record (labels.folders, images.folder)")
    rows = []
    for name in filter(is_image, list_files(top)):
        folder = PurePosixPath(name).parent.name
        image = (top / name).relative_to(images).as_posix()
        found = () if not folder or folder.lower() in _SPLITS else (labels.meaning(folder, image),)
        rows.append(LabelRow(None, image, found))
    return rows


def _box_rows(record: Record, raw: Path, labels: _Labels) -> list[LabelRow]:
    rows: dict[str, LabelRow] = {}
    for image, name, box in read_boxes(record, raw):
        row = LabelRow(None, image, (labels.meaning(name, image),) if name.strip() else (), box=box)
        first = rows.setdefault(row.cell, row)
        if first.labels != row.labels:
            here, there = (" + ".join(labels) or "no name" for labels in (row.labels, first.labels))
            raise InputError(f"{image}: the box {row.cell.rpartition('#')[2]} is {there} and {here}; keep one")
    return list(rows.values())
