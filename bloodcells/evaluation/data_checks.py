"""Checks of the data and the splits: what could make a result too good before anything is trained."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv
from bloodcells.evaluation.checks import Check, none_allowed

TRAIN, VALIDATION, TEST = "train", "validation", "test"

_SPLIT_AGAIN = "make the splits again: `dvc repro -f clean`; if it comes back, it is a bug of stages/clean.py"
_REGROUP = "near-duplicates must share a fold: check whether clean.near_duplicate is the one that made the splits"


class Cell(NamedTuple):
    """A kept cell, and the fold in which it is tested."""

    image: str
    label: str
    fold: int


class SplitRow(NamedTuple):
    """A row of a split: a cell in one of its parts; training may hold a cell several times."""

    image: str
    label: str
    part: str


def read_cells(path: Path) -> list[Cell]:
    """Read the kept cells.

    Raises:
        InputError: the table is missing, or a fold is not a number.
    """
    rows = read_csv(path, Cell._fields)
    for line, row in enumerate(rows, start=2):
        if not row["fold"].isdecimal():
            raise InputError(f"{path}, line {line}: fold is {row['fold']!r}, not a number: run `dvc repro -f clean`")
    return [Cell(row["image"], row["label"], int(row["fold"])) for row in rows]


Splits = Mapping[int, Sequence[SplitRow]]
"""The rows of the split of each test fold."""


def overlap(splits: Splits) -> list[Check]:
    """Count the images that are in more than one part of a split."""
    divided = _divided(splits)
    return [none_allowed("overlap", "images in more than one part of a split", divided, _SPLIT_AGAIN)]


def groups(cells: Mapping[str, tuple[str, str]], splits: Splits) -> list[Check]:
    """Count the groups, and the images of several cells, that are in more than one part of a split.

    Args:
        cells: the group (blank if it is unknown) and the image of each cell.
        splits: of all folds.

    Returns:
        Nothing of groups if no cell has one, nothing of images if each has one cell.
    """
    group_of = {cell: group for cell, (group, _) in cells.items()}
    image_of = {cell: image for cell, (_, image) in cells.items()}
    shared = {image for image, count in Counter(image_of.values()).items() if count > 1}
    checks = []
    for what, values, names in (
        ("groups", {*group_of.values()} - {""}, group_of),
        ("images of several cells", shared, image_of),
    ):
        if values:
            divided = _divided(splits, names)
            checks += [
                none_allowed("groups", f"{what} in more than one part of a split", divided, _SPLIT_AGAIN),
                Check("groups", f"{what} in total", len(values)),
            ]
    return checks


def _divided(splits: Splits, names: Mapping[str, str] | None = None) -> int:
    """Count the cells, or the names that they have, that are in more than one part of a split; a blank one is none."""
    count = 0
    for rows in splits.values():
        parts: dict[str, set[str]] = {}
        for row in rows:
            name = row.image if names is None else names.get(row.image, "")
            parts.setdefault(name, set()).add(row.part)
        count += sum(bool(name) and len(of_name) > 1 for name, of_name in parts.items())
    return count


def folds(cells: Sequence[Cell], splits: Splits) -> list[Check]:
    """Count the cells that are not tested in the fold that the table of cells names, and only there."""
    tested = {Cell(row.image, row.label, fold) for fold, rows in splits.items() for row in rows if row.part == TEST}
    known = {(cell.image, cell.label) for cell in cells}
    unknown = sum((row.image, row.label) not in known for rows in splits.values() for row in rows)
    return [
        none_allowed("folds", "cells not tested exactly once, in their fold", differing(cells, tested), _SPLIT_AGAIN),
        none_allowed("folds", "rows of splits that belong to no kept cell", unknown, _SPLIT_AGAIN),
    ]


def near_duplicates(
    images: Sequence[str],
    similarity: NDArray[np.float32],
    image_of: Mapping[str, str],
    splits: Splits,
    threshold: float,
) -> list[Check]:
    """Count the pairs of images of the same part of a smear that are in different parts of a split.

    Args:
        images: n of them.
        similarity: (n, n) of each pair; see `bloodcells.imaging.near_duplicates`.
        image_of: the image of each cell.
        splits: of all folds.
        threshold: pairs above it are near-duplicates.
    """
    place = {image: number for number, image in enumerate(images)}
    apart = np.zeros(similarity.shape, dtype=np.bool_)
    for rows in splits.values():
        held = np.zeros((len(images), 3), np.int64)  # whether a part has a cell of the image; several may
        for row in rows:
            if row.image in image_of:
                held[place[image_of[row.image]], (TRAIN, VALIDATION, TEST).index(row.part)] = 1
        in_parts = held.sum(axis=1)
        apart |= np.outer(in_parts, in_parts) > held @ held.T  # more pairs of parts than pairs of the same part
    np.fill_diagonal(apart, val=False)
    pairs = np.triu(similarity > threshold, k=1)
    largest = float(similarity[apart].max(initial=0))
    crossing = int((pairs & apart).sum())
    return [
        none_allowed("near-duplicates", "near-duplicate pairs in different parts of a split", crossing, _REGROUP),
        Check(
            "near-duplicates",
            "largest similarity of two images in different parts",
            round(largest, 4),
            f"≤ {threshold:g}",
            largest <= threshold,
            _REGROUP,
        ),
        Check("near-duplicates", "near-duplicate pairs in total", int(pairs.sum())),
    ]


def copies(splits: Splits) -> list[Check]:
    """Count the rows that repeat a cell: in training that is oversampling, elsewhere a fault."""
    repeated = {
        part: sum(
            count - 1
            for rows in splits.values()
            for count in Counter(row.image for row in rows if row.part == part).values()
        )
        for part in (TRAIN, VALIDATION, TEST)
    }
    outside = repeated[VALIDATION] + repeated[TEST]
    return [
        none_allowed("copies", "oversampled copies outside training", outside, _SPLIT_AGAIN),
        Check("copies", "oversampled copies in training, all splits", repeated[TRAIN]),
    ]


def resampling(
    cells: Sequence[Cell], splits: Splits, majority: str, downsample: float, oversample: float
) -> list[Check]:
    """Compare the class counts of each part with those of the cells before any resampling.

    Test parts must have the counts of their folds. Of the cells of the class `majority` that are in no other part,
    training must lack the fraction `downsample` (which would not hold if cells had been left out before the split), and
    it must have as many rows of the other classes as `oversample` says; see `clean` in params.yaml.
    """
    surplus = rows_off = others = left_out = candidates_of = 0
    off = 0.0  # in cells, the largest of all splits
    classes = sorted({cell.label for cell in cells})
    for fold, rows in splits.items():
        held_out = {row.image for row in rows if row.part != TRAIN}
        in_fold = Counter(cell.label for cell in cells if cell.fold == fold)
        tested = Counter(row.label for row in rows if row.part == TEST)
        surplus += sum(abs(in_fold[label] - tested[label]) for label in in_fold | tested)
        candidates = Counter(cell.label for cell in cells if cell.fold != fold and cell.image not in held_out)
        distinct = Counter(label for _, label, part in set(rows) if part == TRAIN)
        trained = Counter(row.label for row in rows if row.part == TRAIN)
        largest = max(distinct.values(), default=0)
        for label in classes:
            lacking = candidates[label] - distinct[label]
            wanted = distinct[label]
            if label == majority:
                left_out += lacking
                candidates_of += candidates[label]
                off = max(off, abs(lacking - downsample * candidates[label]))
            else:
                others += abs(lacking)
                wanted = max(wanted, round(largest * oversample))
            rows_off += abs(trained[label] - wanted)
    return [
        none_allowed("resampling", "cells that test parts lack or repeat", surplus, _SPLIT_AGAIN),
        Check(
            "resampling",
            f"fraction of {majority} left out of training",
            round(left_out / max(candidates_of, 1), 4),
            f"≈ {downsample:g}",
            off <= 1,  # a cell cannot be halved, and one is always kept
            _SPLIT_AGAIN,
        ),
        none_allowed("resampling", "cells of other classes left out of training", others, _SPLIT_AGAIN),
        none_allowed("resampling", "training rows that clean.oversample does not explain", rows_off, _SPLIT_AGAIN),
    ]


def counts(
    n_rows: int,
    kept: Mapping[str, int],
    dropped: Mapping[str, int],
    published: Mapping[str, int] | None,
    changes: Sequence[tuple[str, str]] = (),
) -> list[Check]:
    """Compare kept cells and dropped rows with the label table.

    Args:
        n_rows: rows of the label table.
        kept: cells by class.
        dropped: rows by reason: "double", "null", or a class that is not learned.
        published: both, as published for this data set; None if the files are not the published ones.
        changes: old and new labels that readers corrected; they are undone for the comparison.
    """
    remedy = "run `dvc repro -f clean`"
    lost = abs(n_rows - sum(kept.values()) - sum(dropped.values()))
    checks = [none_allowed("counts", "rows of the label table neither kept nor dropped", lost, remedy)]
    if published is not None:
        found = Counter(kept) + Counter(dropped)
        for old, new in changes:
            found[new] -= 1
            found["double" if " + " in old else old or "null"] += 1
        unlike = sum(abs(published.get(name, 0) - found.get(name, 0)) for name in published.keys() | found.keys())
        checks.append(none_allowed("counts", "rows that differ from the published counts", unlike, remedy))
    return checks


def differing(expected: Iterable[Cell], found: Iterable[Cell]) -> int:
    """Count the images that are in one of the two only, or in both with another label or fold."""
    return len({cell.image for cell in set(expected) ^ set(found)})
