"""Which table of a folder holds the labels, and in which folder the images are that it names."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from bloodcells.cli.importing.columns import (
    Columns,
    choose_columns,
    find_image_columns,
    find_label_columns,
    find_matches,
)
from bloodcells.cli.importing.scanning import Scan
from bloodcells.core.errors import InputError
from bloodcells.datasets.matching import FileNames
from bloodcells.datasets.tables import Table, read_table

_WORKBOOKS = (".ods", ".xls", ".xlsm", ".xlsx")
_LOSSY = (".jpe", ".jpeg", ".jpg")
_MAX_FOLDERS = 100  # that are tried if names of images are ambiguous


@dataclass(frozen=True)
class TableWishes:
    """What the user says about the label table; None where nothing is said.

    Attributes:
        table: its path, from where the command runs or below the folder.
        image: the column that names the images.
        label: the column with the labels.
        group: the column with the patient, slide or acquisition.
    """

    table: Path | None = None
    image: str | None = None
    label: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class LabelTable:
    """A table that holds labels.

    Attributes:
        name: its path below the data set's source.
        table: its content.
        columns: what is in its columns.
        folder: the folder of the images that it names.
        images: those that may be named.
    """

    name: str
    table: Table
    columns: Columns
    folder: str
    images: tuple[str, ...]


@dataclass(frozen=True)
class Tables:
    """The tables of a folder by their paths, and why others can't be read."""

    readable: dict[str, Table]
    problems: tuple[str, ...]


def common_folder(names: Iterable[str]) -> str:
    """Return the innermost folder in which all files are."""
    folders = {str(PurePosixPath(name).parent) for name in names}
    return PurePosixPath(os.path.commonpath(folders)).as_posix() if folders else "."


def in_folder(folder: str, names: Iterable[str]) -> list[str]:
    """Return the paths of the files in and below a folder."""
    return [name for name in names if folder == "." or name.startswith(f"{folder}/")]


def read_tables(scan: Scan, others: Collection[str], asked: Path | None) -> Tables:
    """Read the tables of a folder, or the one that the user names, which may be elsewhere.

    Args:
        scan: the content of the folder.
        others: text files that are no tables.
        asked: the table that the user names.

    Raises:
        InputError: the table that the user names is missing or can't be read.
    """
    if asked:
        path = next((path for path in (asked, scan.folder / asked) if path.is_file()), None)
        if path is None:
            raise InputError(f"--table: there is no {asked}, here or in {scan.folder}; it has {', '.join(scan.tables)}")
        inside = path.resolve().is_relative_to(scan.folder.resolve())
        name = path.resolve().relative_to(scan.folder.resolve()).as_posix() if inside else path.name
        return Tables({name: read_table(path)}, ())
    readable: dict[str, Table] = {}
    problems: list[str] = []
    for name in scan.tables:
        if name in others:
            continue
        note = name.lower().endswith(".txt")
        try:
            table = read_table(scan.folder / name)
        except InputError as error:
            problems += [] if note else [str(error)]
        else:
            readable |= {} if note and len(table.columns) == 1 else {name: table}
    problems += [
        f"{scan.folder / name} is a spreadsheet, not text: save its sheet as CSV (UTF-8)"
        for name in scan.others
        if name.lower().endswith(_WORKBOOKS)
    ]
    return Tables(readable, tuple(problems))


def find_label_table(tables: Tables, images: Sequence[str], wishes: TableWishes) -> LabelTable | None:
    """Return the table that holds the labels of the images; None if there is none.

    Args:
        tables: the tables of the folder.
        images: paths of the images.
        wishes: what the user says.

    Raises:
        InputError: there are several, or the columns can't be told; the message says which option decides it.
    """
    files = FileNames(images)
    chosen = tables.readable
    if wishes.table is None and wishes.image is None:
        chosen = {name: table for name, table in chosen.items() if find_image_columns(table, files)}
    if wishes.table is None and len(chosen) > 1 and wishes.label is None:
        labeled = {name: table for name, table in chosen.items() if find_label_columns(table)}
        chosen = labeled or chosen
    if len(chosen) > 1:
        listed = ", ".join(f"{name} ({len(table.rows)} rows)" for name, table in chosen.items())
        raise InputError(
            f"several tables may hold the labels: {listed}; choose one with --table, or join them in a file"
        )
    if not chosen:
        return None
    ((name, table),) = chosen.items()
    return _find_images(name, table, files, images, wishes)


def _find_images(name: str, table: Table, files: FileNames, images: Sequence[str], wishes: TableWishes) -> LabelTable:
    """Find the images that are meant: of one name in several formats the best, and the folder that fits best.

    In that folder, most names mean one image, and few images are not named.
    """
    columns = choose_columns(table, files, wishes.image, wishes.label, wishes.group)
    if columns.ambiguous:
        images = _best_formats(images)
        columns = replace(columns, matches=find_matches(table, FileNames(images), columns.image))
    if not columns.ambiguous:
        folder = common_folder(found[0] for found in columns.matches if found)
        return LabelTable(name, table, columns, folder, tuple(in_folder(folder, images)))
    tried: dict[tuple[int, int], list[LabelTable]] = defaultdict(list)
    folders = {folder.as_posix() for image in images for folder in PurePosixPath(image).parents}
    for folder in sorted(folders, key=lambda folder: (-len(in_folder(folder, images)), folder))[:_MAX_FOLDERS]:
        inside = in_folder(folder, images)
        names = (PurePosixPath(image).relative_to(folder).as_posix() for image in inside)
        matches = find_matches(table, FileNames(names, folder=folder), columns.image)
        matched = sum(len(found) == 1 for found in matches)
        found = LabelTable(name, table, replace(columns, matches=matches), folder, tuple(inside))
        tried[matched, -len(inside)].append(found)
    best = tried[max(tried)]
    if len(best) > 1:
        raise InputError(
            f"{table.path} may name the images in {' or '.join(table.folder for table in best)}; choose with --images"
        )
    return best[0]


def _best_formats(images: Sequence[str]) -> list[str]:
    """Leave out an image if there is one of the same name in a format that loses less."""
    same: dict[str, list[str]] = defaultdict(list)
    for image in images:
        same[image.rpartition(".")[0]].append(image)
    chosen = {min(names, key=lambda name: PurePosixPath(name).suffix.lower() in _LOSSY) for names in same.values()}
    return [image for image in images if image in chosen]
