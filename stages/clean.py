"""Keep the cells that can be learned, deal them into folds, and balance what each fold trains on."""

from collections import Counter
from pathlib import Path

import numpy as np

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import atomic_folder, write_csv
from bloodcells.core.parameters import read_params
from bloodcells.datasets.labels import LabelRow, read_label_table
from bloodcells.imaging.near_duplicates import near_duplicate_groups, smear_thumbnails
from bloodcells.splits.folds import assign_folds, split

NO_IMAGE = "null: no image"


def dropped_because(row: LabelRow, images: Path) -> str | None:
    """Say why a row can't be used, or None where it can."""
    if not row.labels:
        return "null: no label"
    if len(row.labels) > 1:
        return "double"
    if row.labels[0] not in CLASSES:
        return row.labels[0]
    if not (images / row.image).is_file():
        return NO_IMAGE
    return None


def main() -> None:
    """Write `cells.csv`, `splits/`, `dropped.csv` and `counts.csv` of the data set."""
    params = read_params()
    raw = Path("artifacts", params.dataset, "raw")
    reasons = [(row, dropped_because(row, raw / "JPEGImages")) for row in read_label_table(raw / "labels.csv")]
    kept = [row for row, reason in reasons if reason is None]
    labels = [row.labels[0] for row in kept]
    absent = [label for label in CLASSES if label not in labels]
    if absent:
        raise InputError(
            f"{raw / 'labels.csv'}: no {' and no '.join(absent)} is left after cleaning; "
            f"each class needs rows with that one label and an image{_without_image(reasons)}"
        )
    thumbnails = smear_thumbnails(raw / "JPEGImages" / row.image for row in kept)
    groups = near_duplicate_groups(thumbnails, params.clean.near_duplicate)
    folds = assign_folds(labels, groups, params.clean.n_splits, params.clean.seed)

    published = Counter("double" if len(row.labels) > 1 else "".join(row.labels) or "null" for row, _ in reasons)
    counts = [(label, "published", count) for label, count in sorted(published.items())]
    counts += [(label, "kept", labels.count(label)) for label in CLASSES]
    with atomic_folder(Path("artifacts", params.dataset, "splits")) as folder:
        for fold in range(params.clean.n_splits):
            part = split(
                labels,
                groups,
                folds,
                fold,
                validation=params.clean.validation,
                downsample=params.clean.downsample,
                oversample=params.clean.oversample,
                seed=params.clean.seed,
            )
            parts = {"train": part.balanced, "validation": part.validation, "test": part.test}
            write_csv(
                folder / f"{fold}.csv",
                ("image", "label", "part"),
                ((kept[i].image, labels[i], name) for name, indices in parts.items() for i in indices),
            )
            shown = {"train": part.train, "train balanced": part.balanced} | {
                name: indices for name, indices in parts.items() if name != "train"
            }
            for name, indices in shown.items():
                chosen = [labels[i] for i in indices]
                counts += [(label, f"fold {fold} {name}", chosen.count(label)) for label in CLASSES]

    tables = Path("plots", params.dataset)
    write_csv(
        tables / "dropped.csv",
        ("line", "image", "labels", "reason"),
        ((row.line, row.image, " + ".join(row.labels), reason) for row, reason in reasons if reason is not None),
    )
    write_csv(tables / "counts.csv", ("class", "step", "count"), counts)
    write_csv(
        Path("artifacts", params.dataset, "cells.csv"),
        ("image", "label", "fold"),
        ((row.image, label, fold) for row, label, fold in zip(kept, labels, folds, strict=True)),
    )
    _report(labels, reasons, groups)


def _without_image(reasons: list[tuple[LabelRow, str | None]]) -> str:
    """Say how many rows name an image that is not there, and which is the first."""
    rows = [row for row, reason in reasons if reason == NO_IMAGE]
    if not rows:
        return ""
    first = f"the first in line {rows[0].line}: {rows[0].image}"
    return f" ({len(rows)} of {len(reasons)} rows name none in JPEGImages, {first})"


def _report(labels: list[str], reasons: list[tuple[LabelRow, str | None]], groups: np.ndarray) -> None:
    dropped = Counter(reason for _, reason in reasons if reason is not None)
    print(f"kept {len(labels)} cells:", ", ".join(f"{labels.count(label)} {label}" for label in CLASSES))
    print(
        f"dropped {dropped.total()} rows:", ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()))
    )
    print(
        f"near-duplicates: {len(labels) - len(set(groups.tolist()))} cells share a fold with one that looks the same; "
        f"most of one kind: {np.bincount(groups).max()}"
    )


if __name__ == "__main__":
    run(main)
