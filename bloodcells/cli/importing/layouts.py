"""Where a folder has its labels: in a table, in boxes, or in the names of folders."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from bloodcells.cli.importing.box_files import BoxFiles, find_boxes
from bloodcells.cli.importing.classes import is_white_cell, says_nothing
from bloodcells.cli.importing.label_tables import (
    LabelTable,
    Tables,
    TableWishes,
    common_folder,
    find_label_table,
    read_tables,
)
from bloodcells.cli.importing.scanning import Scan
from bloodcells.core.errors import InputError
from bloodcells.datasets.record import normalize_label

Kind = Literal["table", "boxes", "folders"]

_PART = re.compile(r"train(ing)?|test(ing)?([ _-]?(simple|[a-z]))?|val(id(ation)?)?|dev", re.IGNORECASE)
_NO_CLASS = re.compile(
    r"|((jpe?g|bmp|png|tiff?)[ _-]?)?(images?|imgs?|pictures?|photos?)|data([ _-]?sets?)?|raw|originals?|crops?|cells?"
    r"|(data[ _-]?set|set|data|batch|slide|smear|patient|subject|case|part|folder|run|fold)[ _-]?\d+",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"[a-z]{0,8}[ _-]?\d+", re.IGNORECASE)
_FORMATS = {"voc": "Pascal VOC", "coco": "COCO", "yolo": "YOLO"}
_NO_VALUE = {"#n/a", "none", "null", "missing", "not available", "not known"}
_LARGE_GROUP = 0.5  # of the rows
_SHOWN = 6


@dataclass(frozen=True)
class Layout:
    """How labels and images are read.

    Attributes:
        kind: where the labels are.
        folder: the folder of the images.
        images: those that may have a label, by their paths.
        labels: the section `labels` of the record.
        files: the files with the labels, by their path below the data set's source.
        white_cells: the section `white_cells` of the record, if there are boxes that only say where the cells are.
        facts: how the labels are read, in lines for a person.
        remarks: what the user should look at.
    """

    kind: Kind
    folder: str
    images: tuple[str, ...]
    labels: dict[str, str]
    files: dict[str, Path] = field(default_factory=dict)
    white_cells: dict[str, str] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def path(self, image: str) -> str:
        """Return the path of an image below the data set's source, given the one below the images' folder."""
        return image if self.folder == "." else f"{self.folder}/{image}"


def choose_layout(scan: Scan, images: Sequence[str], kind: Kind | None, wishes: TableWishes) -> Layout:
    """Find where the labels are. A table comes before boxes, and boxes before folders.

    Args:
        scan: the content of the folder.
        images: the images that can be used, by their paths.
        kind: where the labels are, if the user says so.
        wishes: what the user says about the table.

    Raises:
        InputError: there are no labels, or several possibilities; the message says which option decides it.
    """
    if wishes != TableWishes():
        if kind not in (None, "table"):
            raise InputError(f"--layout {kind} reads no table: leave out --table, --group and the options for columns")
        kind = "table"
    boxes = find_boxes(scan)
    tables = read_tables(scan, (*boxes.files, boxes.names_file) if boxes else (), wishes.table)
    found: list[Layout] = []
    if boxes and kind in (None, "boxes") and (boxes.tells_classes or kind):
        found.append(_box_layout(scan, boxes, images))
    if kind in (None, "folders") and (folders := _folder_layout(images)):
        found.append(folders)
    if kind in (None, "table"):
        table = find_label_table(tables, images, wishes)
        if table:
            unused = [name for name in tables.readable if name != table.name]
            found.insert(0, _with_white_cells(scan, _table_layout(table, unused), boxes))
        elif tables.problems:
            instead = f"; or read the labels elsewhere: --layout {found[0].kind}" if found else ""
            raise InputError(tables.problems[0] + instead)
    if not found:
        raise InputError(_no_labels(scan, images, boxes, tables))
    chosen, *others = found
    also = tuple(f"The labels may also be in the {one.kind}: --layout {one.kind}" for one in others)
    return replace(chosen, remarks=(*chosen.remarks, *also))


def _table_layout(found: LabelTable, others: Sequence[str]) -> Layout:
    columns, table, group = found.columns, found.table, found.columns.group
    matched = sum(len(match) == 1 for match in columns.matches)
    facts = [
        f"table: {found.name}, {len(table.rows)} rows",
        f'images: column "{columns.image}"; {matched} of {len(table.rows)} rows name one',
        f'labels: column "{columns.label}"',
    ]
    if group:
        values = table.column(group)
        blank = values.count("")
        facts.append(
            f'groups: column "{group}"; {len({*filter(None, values)})} different'
            + (f", blank in {blank} rows, which are groups of their own" if blank else "")
        )
    remarks = [*_odd_groups(group, table.column(group))] if group else []
    if others:
        facts.append(f"other tables, not used: {_names(others)}")
    remarks += [
        f'"{name}" looks like a patient, slide or acquisition ({len({*table.column(name)})} different in '
        f"{len(table.rows)} rows). If cells belong together, say so: --group {_quoted(name)}. Otherwise cells of one "
        "patient are in training and in test, and the results are too good"
        for name in columns.suspicious
    ]
    remarks += [f'"{name}" was not used; see --image-column and --label-column' for name in columns.rivals]
    return Layout(
        kind="table",
        folder=found.folder,
        images=found.images,
        labels={
            "table": found.name,
            "image": columns.image,
            "label": columns.label,
            **({"group": group} if group else {}),
        },
        files={found.name: table.path},
        facts=tuple(facts),
        remarks=tuple(remarks),
    )


def _odd_groups(column: str, values: Sequence[str]) -> Iterator[str]:
    """Describe groups that may be no patient, slide or acquisition."""
    spelled = {normalize_label(value): value for value in values if value}
    for key, count in Counter(map(normalize_label, filter(None, values))).most_common():
        if count > 1 and (says_nothing(key) or key in _NO_VALUE):
            yield (
                f'"{column}" is {spelled[key]} in {count} rows. If that means "not known", leave these cells blank: as '
                "one group, they share a fold"
            )
        elif count > _LARGE_GROUP * len(values):
            yield (
                f'"{column}" is {spelled[key]} in {count} of {len(values)} rows. A group shares a fold: is this the '
                "column with the patient, slide or acquisition (--group)?"
            )


def _with_white_cells(scan: Scan, layout: Layout, boxes: BoxFiles | None) -> Layout:
    """Add boxes around white cells of unknown kind: they measure whether the cells are found."""
    if not boxes:
        return layout
    if boxes.format != "voc" or not boxes.white_cell:
        return replace(
            layout, facts=(*layout.facts, f"boxes, not used: {len(boxes.files)} {_FORMATS[boxes.format]} files")
        )
    folder = common_folder(boxes.files)
    fact = f"boxes: {folder}, named {boxes.white_cell}; they only measure whether the cells are found"
    return replace(
        layout,
        white_cells={"annotations": folder, "name": boxes.white_cell},
        files=layout.files | {name: scan.folder / name for name in boxes.files},
        facts=(*layout.facts, fact),
    )


def _box_layout(scan: Scan, boxes: BoxFiles, images: Sequence[str]) -> Layout:
    stems = {PurePosixPath(name).stem for name in boxes.files}
    named = [name for name in images if boxes.format == "coco" or PurePosixPath(name).stem in stems]
    where = boxes.files[0] if boxes.format == "coco" and len(boxes.files) == 1 else common_folder(boxes.files)
    folder = common_folder(named)
    labels: dict[str, str] = {"boxes": boxes.format}
    labels |= {"annotations": where} if where != folder else {}
    labels |= {"names": boxes.names_file} if boxes.names_file else {}
    files = [*boxes.files, *filter(None, [boxes.names_file])]
    facts = [
        f"boxes: {len(boxes.files)} {_FORMATS[boxes.format]} file{'s' * (len(boxes.files) > 1)}; each box is a cell"
    ]
    if boxes.format == "yolo":
        facts.append(f"names: {boxes.names_file or 'none found; the classes are numbers'}")
    return Layout(
        "boxes", folder, tuple(named), labels, {name: scan.folder / name for name in files}, facts=tuple(facts)
    )


def _folder_layout(images: Sequence[str]) -> Layout | None:
    """Lay out a folder per class, if the folders that hold the images may be classes."""
    parents = {name: PurePosixPath(name).parent for name in images}
    labeled = tuple(
        name
        for name, parent in parents.items()
        if not _PART.fullmatch(parent.name) and not _NO_CLASS.fullmatch(parent.name)
    )
    names = sorted({normalize_label(parents[name].name) for name in labeled})
    if len(names) < 2 or _classes_above(images):
        return None
    facts = ["folders: an image's label is the name of the folder that holds it"]
    parts = dict.fromkeys(part for name in labeled for part in parents[name].parts if _PART.fullmatch(part))
    if parts:
        facts.append(f"parts: {_names(list(parts), ' and ')} are used together; the cells are assigned to folds anew")
    remarks = []
    if all(map(_NUMBERED.fullmatch, names)):
        remarks.append(
            f"Are these classes, or patients or slides: {_names(names)}? If so, write a table with the labels"
        )
    return Layout("folders", ".", labeled, {"folders": "."}, facts=tuple(facts), remarks=tuple(remarks))


def _classes_above(images: Sequence[str]) -> list[str]:
    """Return the kinds of white cells that folders further up are named by, if those with the images are not."""
    parents = [PurePosixPath(name).parent for name in images]
    above = {part for parent in parents for part in parent.parts[:-1] if is_white_cell(part)}
    return sorted(above) if len(above) > 1 and not any(is_white_cell(parent.name) for parent in parents) else []


def _no_labels(scan: Scan, images: Sequence[str], boxes: BoxFiles | None, tables: Tables) -> str:
    folders = sorted({PurePosixPath(name).parent.name or "the folder itself" for name in images})
    looked = [
        f"no column of {_names(list(tables.readable))} names the images (--image-column chooses one)"
        if tables.readable
        else "there is no table (.csv)",
        f"the boxes are named {_names(list(boxes.names))}, and not by the kind of white cell"
        if boxes
        else "there are no boxes",
        f"the images are not directly in the folders {_names(above)}"
        if (above := _classes_above(images))
        else f"the images are in {_names(folders)}, and not in a folder per class",
    ]
    listed = ", ".join(looked)
    return f"{scan.folder}: no labels found: {listed}; add a table with a row for each image: its name, and its label"


def _names(names: Sequence[str], joint: str = ", ") -> str:
    more = len(names) - _SHOWN
    return joint.join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _quoted(name: str) -> str:
    return f'"{name}"' if re.search(r"\W", name) else name
