"""The labeled cells of the data set that a model is tested on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bloodcells.core.errors import InputError
from bloodcells.core.paths import DatasetPaths
from bloodcells.datasets.annotations import WHITE_CELLS
from bloodcells.datasets.corrections import UNSURE, correct_labels
from bloodcells.datasets.fingerprint import Checksums, hash_files, read_checksums
from bloodcells.datasets.labels import LabelRow, read_labels, resolve_classes, unused_group_columns
from bloodcells.datasets.layout import all_files
from bloodcells.datasets.record import DROP, RECORDS, Record, normalize_label
from bloodcells.evaluation.clusters import Groups

SEVERAL = "several labels"
"""The actual class of an image whose row names several: to abstain is right."""


@dataclass(frozen=True)
class Cell:
    """A cell to test on.

    Attributes:
        row: of the labels.
        path: of its image.
        actual: its class by the model's spelling; by that of the record if the model does not know it; or `SEVERAL`.
        known: whether the model knows this class.
    """

    row: LabelRow
    path: Path
    actual: str
    known: bool


@dataclass(frozen=True)
class LabeledCells:
    """The cells of a data set to test on, and what was left out.

    Attributes:
        cells: in the order of the labels.
        left_out: rows that can't be tested, by reason.
        fingerprint: of the raw data, as DVC computes it.
        images_compared: whether the images of the data set that the model was trained on are known here, so that equal
            ones are among `left_out`.
        corrected: number of labels that the record's corrections change.
        unused_groups: columns of the label table that look like groups, and that the record does not name.
    """

    cells: tuple[Cell, ...]
    left_out: Counter[str]
    fingerprint: str
    images_compared: bool
    corrected: int
    unused_groups: tuple[str, ...]


def find_cells(name: str, record: Record, classes: Sequence[str], trained_on: str) -> LabeledCells:
    """Read the labels of a data set, and choose the cells to test a model on.

    Args:
        name: of the data set.
        record: of the data set.
        classes: of the model.
        trained_on: the data set that the model was trained on; empty if unknown. Images that are equal, byte for byte,
            to one of it are left out.

    Raises:
        InputError: the data are missing, or no cell can be tested.
    """
    raw = _raw(name, record)
    labeled = read_labels(record, raw)
    rows, changes = (
        correct_labels(labeled, record, RECORDS / name, resolve_classes(record, labeled))
        if record.corrections
        else (labeled, [])
    )
    images = record.images_folder(raw)
    added = (WHITE_CELLS,) if record.source == "published" else ()  # by the stage `download`, which does not count it
    hashed = hash_files({name: path for name, path in all_files(raw).items() if name not in added})
    trained = _trained_images(trained_on, raw)
    own = {normalize_label(one): one for one in classes}
    cells, left_out = [], Counter[str]()
    for row in rows:
        path = images / row.image
        reason = _reason(row, path, record)
        if not reason and trained and hashed.md5s.get(path.relative_to(raw).as_posix()) in trained:
            reason = f"the same image is in {trained_on}, on which the model was trained"
        if reason:
            left_out[reason] += 1
            continue
        label = row.labels[0] if len(row.labels) == 1 else SEVERAL
        known = normalize_label(label) in own
        cells.append(Cell(row, path, own.get(normalize_label(label), label), known))
    if not any(cell.known for cell in cells):
        found = ", ".join(sorted({cell.actual for cell in cells} - {SEVERAL})) or "no class"
        why = "; ".join(f"{count} rows left out: {reason}" for reason, count in sorted(left_out.items()))
        raise InputError(
            f"{name} has no cell of a class that the model knows ({', '.join(classes)}): it has {found}"
            f"{f' ({why})' if why else ''}; rename classes with label_map in {RECORDS / name / 'record.yaml'}"
        )
    corrected = sum(one.new != UNSURE for one in changes)
    unused = tuple(unused_group_columns(record, raw))
    return LabeledCells(tuple(cells), left_out, hashed.fingerprint(), trained is not None, corrected, unused)


def groups_of(cells: Sequence[Cell]) -> Groups | None:
    """Return the group of each cell: its patient, slide or acquisition, or else its image; None if none is shared."""
    groups = {
        cell.row.cell: f"group {cell.row.group}" if cell.row.group else f"image {cell.row.image}" for cell in cells
    }
    return groups if len(set(groups.values())) < len(groups) else None


def _raw(name: str, record: Record) -> Path:
    """Return the folder of the raw data.

    Raises:
        InputError: it is missing.
    """
    source = RECORDS / name / "source"
    raw = source if record.source == "folder" else DatasetPaths(name).raw
    if not raw.is_dir():
        remedy = (
            f"run `dvc pull {source}.dvc`, or copy the data there"
            if record.source == "folder"
            else f"run `bloodcells use {name}` and `dvc repro download`"
        )
        raise InputError(f"{raw} is missing, the data of {name}: {remedy}")
    return raw


def _reason(row: LabelRow, path: Path, record: Record) -> str:
    """Return why a row can't be tested; empty if it can."""
    if not row.labels:
        return "no label"
    if len(row.labels) == 1:
        dropped = (*record.drop, *(label for label, meaning in record.label_map.items() if meaning == DROP))
        if row.labels[0] == DROP:
            return "a correction drops it"
        if normalize_label(row.labels[0]) in map(normalize_label, dropped):
            return f"{row.labels[0]}, which the record drops"
    return "" if path.is_file() else "no image"


def _trained_images(name: str, raw: Path) -> set[str] | None:
    """Return the MD5 of the files of a data set that may be equal to one in `raw`; None if they are not here."""
    if not name:
        return None
    source = RECORDS / name / "source"
    listed = read_checksums(source / "files.md5") or Checksums({})
    folders = [DatasetPaths(name).raw, source] if source.with_name("source.dvc").is_file() else [DatasetPaths(name).raw]
    present = [folder for folder in folders if folder.is_dir()]
    if not present and not listed.md5s:
        return None
    sizes = {path.stat().st_size for path in all_files(raw).values()}  # hashing only what can be equal
    files = {str(path): path for folder in present for path in all_files(folder).values()}
    return {
        *listed.md5s.values(),
        *hash_files({name: path for name, path in files.items() if path.stat().st_size in sizes}).md5s.values(),
    }
