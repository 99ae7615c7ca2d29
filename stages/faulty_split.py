"""Part the cells as the original report did, and count the twins that an ordinary deal of folds trains on."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.errors import run
from bloodcells.core.files import atomic_folder, read_csv, write_csv
from bloodcells.core.parameters import Params, read_params
from bloodcells.imaging.near_duplicates import near_duplicate_groups, smear_thumbnails
from studies.original_report.protocol import FaultySplit, faulty_split, ordinary_folds, with_twin

Indices = NDArray[np.int64]

DEALS = 20  # of ordinary folds, each from a seed of its own: how many twins are parted is chance


def main() -> None:
    params = read_params()
    artifacts = Path("artifacts", params.dataset)
    cells = read_csv(artifacts / "cells.csv", ("image", "label", "fold"))
    images, labels = [row["image"] for row in cells], [row["label"] for row in cells]
    folds = np.array([int(row["fold"]) for row in cells])

    copied = in_both = 0
    with atomic_folder(artifacts / "original" / "splits") as folder:
        for fold in range(params.clean.n_splits):
            split = _split(params, labels, folds, fold, params.clean.seed)
            parts = {"train": split.train, "validation": split.validation, "test": split.test}
            write_csv(
                folder / f"{fold}.csv",
                ("image", "label", "part"),
                ((images[i], labels[i], part) for part, indices in parts.items() for i in indices),
            )
            copied += len(split.validation)
            in_both += int(np.isin(split.validation, split.train).sum())

    thumbnails = smear_thumbnails(artifacts / "raw" / "JPEGImages" / name for name in images)
    groups = near_duplicate_groups(thumbnails, params.clean.near_duplicate)
    rows = [("ours", params.clean.seed, _twins_of_ours(params, images, groups), len(cells))]
    rows += [("ordinary", seed, twins, len(cells)) for seed, twins in _twins(params, labels, groups)]
    write_csv(Path("plots", params.dataset, "original", "twins.csv"), ("folds", "seed", "twins", "cells"), rows)
    print(f"{in_both} of {copied} validation rows show an image that is trained on too")
    ours, ordinary = (row[2] for row in rows[:2])
    print(f"{ordinary} of {len(cells)} cells have a twin in training if folds are dealt blindly, in ours {ours}")


def _split(params: Params, labels: Sequence[str], folds: Indices, fold: int, seed: int) -> FaultySplit:
    clean = params.clean
    return faulty_split(labels, folds, fold, validation=clean.validation, oversample=clean.oversample, seed=seed)


def _twins(params: Params, labels: Sequence[str], groups: Indices) -> Iterator[tuple[int, int]]:
    """Yield seeds, and how many cells have a twin in the original's training part if folds are dealt blindly."""
    for seed in range(params.clean.seed, params.clean.seed + DEALS):
        folds = ordinary_folds(labels, params.clean.n_splits, seed)
        splits = [_split(params, labels, folds, fold, seed) for fold in range(params.clean.n_splits)]
        yield seed, sum(with_twin(groups, split.train, split.test) for split in splits)


def _twins_of_ours(params: Params, images: Sequence[str], groups: Indices) -> int:
    place = {image: number for number, image in enumerate(images)}
    twins = 0
    for fold in range(params.clean.n_splits):
        rows = read_csv(Path("artifacts", params.dataset, "splits", f"{fold}.csv"), ("image", "part"))
        train, test = (
            np.array([place[row["image"]] for row in rows if row["part"] == part], np.int64)
            for part in ("train", "test")
        )
        twins += with_twin(groups, train, test)
    return twins


if __name__ == "__main__":
    run(main)
