"""Correct labels, drop unusable rows of the label table, assign cells to folds, and resample the training parts."""

import argparse
from collections import Counter
from dataclasses import astuple
from pathlib import Path

from bloodcells.core.cell_classes import write_classes
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import atomic_folder, write_csv
from bloodcells.core.parameters import StageParameters, read_parameters
from bloodcells.datasets.corrections import COLUMNS as CHANGE_COLUMNS
from bloodcells.datasets.corrections import correct_labels, unused_corrections
from bloodcells.datasets.labels import LabelRow, read_labels, resolve_classes
from bloodcells.datasets.record import read_record, record_path
from bloodcells.imaging.near_duplicates import near_duplicate_groups, smear_thumbnails
from bloodcells.splits.folds import assign_folds, split_cells
from bloodcells.splits.groups import combined_groups
from bloodcells.splits.parameters import CleanParameters

NO_IMAGE = "null: no image"

Rows = list[tuple[LabelRow, str | None]]
"""Rows of the label table, each with the reason to drop it or None."""


class Parameters(StageParameters):
    """Parameters of the stage."""

    clean: CleanParameters


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.clean", description=__doc__).parse_args()
    params = read_parameters(Parameters)
    paths, clean = params.paths, params.clean
    record = read_record(params.dataset)
    labeled, images = read_labels(record, paths.raw), record.images_folder(paths.raw)
    classes = resolve_classes(record, labeled)
    folder = record_path(params.dataset).parent
    corrected, changes = correct_labels(labeled, record, folder, classes)
    rows = [(row, reason_to_drop(row, classes, images)) for row in corrected]
    kept = [row for row, reason in rows if reason is None]
    labels = [row.labels[0] for row in kept]
    absent = [label for label in classes if label not in labels]
    if absent:
        raise InputError(
            f"{record_path(params.dataset)}: no {' and no '.join(absent)} is left after cleaning; "
            f"each class needs cells with that one label and an image{_without_image(rows)}"
        )
    distinct = [*dict.fromkeys(row.image for row in kept)]
    thumbnails = smear_thumbnails((images / image for image in distinct), record.images.range)
    alike = near_duplicate_groups(thumbnails, clean.near_duplicate)
    near_duplicates = dict(zip(distinct, alike.tolist(), strict=True))
    groups = combined_groups([row.image for row in kept], [row.group for row in kept], near_duplicates)
    folds = assign_folds(labels, groups, clean.n_splits, clean.seed)

    published = Counter("double" if len(row.labels) > 1 else "".join(row.labels) or "null" for row in labeled)
    counts = [(label, "labeled", count) for label, count in sorted(published.items())]
    counts += [(label, "kept", labels.count(label)) for label in classes]
    with atomic_folder(paths.splits) as splits:
        for fold in range(clean.n_splits):
            split = split_cells(
                labels,
                groups,
                folds,
                fold,
                validation=clean.validation,
                downsample=clean.downsample,
                oversample=clean.oversample,
                seed=clean.seed,
            )
            parts = {"train": split.resampled, "validation": split.validation, "test": split.test}
            write_csv(
                splits / paths.split(fold).name,
                ("image", "label", "part"),
                ((kept[i].cell, labels[i], part) for part, indices in parts.items() for i in indices),
            )
            steps = {"train": split.train, "train resampled": split.resampled}
            for step, indices in (steps | {"validation": split.validation, "test": split.test}).items():
                chosen = [labels[i] for i in indices]
                counts += [(label, f"fold {fold} {step}", chosen.count(label)) for label in classes]

    write_csv(
        paths.chart("dropped"),
        ("line", "image", "labels", "reason"),
        ((row.line, row.cell, " + ".join(row.labels), reason) for row, reason in rows if reason is not None),
    )
    write_csv(
        paths.chart("label_changes"),
        (*CHANGE_COLUMNS, "file"),
        ((*one.row, one.file.relative_to(folder).as_posix()) for one in changes),
    )
    write_csv(paths.chart("counts"), ("class", "step", "count"), counts)
    write_csv(
        paths.cells,
        ("image", "label", "fold", "group", "file", "left", "top", "right", "bottom"),
        (
            (row.cell, label, fold, row.group, row.image, *(astuple(row.box) if row.box else [None] * 4))
            for row, label, fold in zip(kept, labels, folds, strict=True)
        ),
    )
    write_classes(paths.classes, classes)
    for path in unused_corrections(record, folder):
        print(f"{path} is not applied: the record does not name it under corrections")
    for one in changes:
        print(f"{one.image}: {one.old or 'no label'} → {one.new} ({one.reader}, {one.file})")
    _print_summary(classes, labels, rows, near_duplicates, groups)


def reason_to_drop(row: LabelRow, classes: tuple[str, ...], images: Path) -> str | None:
    """Return why a row can't be used, or None if it can."""
    if not row.labels:
        return "null: no label"
    if len(row.labels) > 1:
        return "double"
    if row.labels[0] not in classes:
        return row.labels[0]
    if not (images / row.image).is_file():
        return NO_IMAGE
    return None


def _without_image(rows: Rows) -> str:
    """Count the rows, or boxes, whose image is missing, and name the first."""
    missing = [row for row, reason in rows if reason == NO_IMAGE]
    if not missing:
        return ""
    first, of_table = missing[0], missing[0].line is not None
    where = f"in line {first.line}: {first.image}" if of_table else first.image
    kind = "rows name" if of_table else "cells are of"
    return f" ({len(missing)} of {len(rows)} {kind} an image that is not there, the first {where})"


def _print_summary(
    classes: tuple[str, ...], labels: list[str], rows: Rows, near_duplicates: dict[str, int], groups: list[str]
) -> None:
    dropped_rows = Counter(reason for _, reason in rows if reason is not None)
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped_rows.items()))
    print(f"kept {len(labels)} cells:", ", ".join(f"{labels.count(label)} {label}" for label in classes))
    print(f"dropped {dropped_rows.total()} rows{': ' if counts else ''}{counts}")
    repeated = len(near_duplicates) - len(set(near_duplicates.values()))
    print(f"images: {len(near_duplicates)}, of which {repeated} show the same part of a smear as another one")
    name, cells = Counter(groups).most_common(1)[0]
    print(f"groups: {len(set(groups))}; each is kept in one fold; the largest, {name}, has {cells} cells")


if __name__ == "__main__":
    run(main)
