"""Assignment of cells to folds and to training, validation and test parts, without leakage between near-duplicates."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from bloodcells.core.errors import InputError
from bloodcells.splits.resampling import resample

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Indices of the cells in each part; `resampled` is `train` after resampling, with repetitions."""

    train: Indices
    resampled: Indices
    validation: Indices
    test: Indices


def assign_folds(labels: Sequence[str], groups: Indices, n_splits: int, seed: int) -> Indices:
    """Assign cells to folds, stratified by label; all cells of a group get the same fold.

    Args:
        labels: labels of the n cells.
        groups: their group numbers, (n,).
        n_splits: number of folds.
        seed: random seed.

    Returns:
        Their folds, (n,).

    Raises:
        InputError: a class has fewer groups than there are folds.
    """
    _check_class_sizes(labels, groups, n_splits, "folds (clean.n_splits)", "lower clean.n_splits or add cells")
    folds = np.empty(len(labels), dtype=np.int64)
    splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(splitter.split(np.zeros(len(labels)), labels, groups)):
        folds[test] = fold
    return folds


def split_cells(
    labels: Sequence[str],
    groups: Indices,
    folds: Indices,
    test_fold: int,
    *,
    validation: float,
    downsample: Mapping[str, float],
    oversample: Mapping[str, float],
    seed: int,
) -> Split:
    """Split the cells for one test fold; only the training part is resampled.

    Args:
        labels: labels of the n cells.
        groups: their group numbers, (n,); all cells of a group go to the same part.
        folds: their folds from `assign_folds`, (n,).
        test_fold: the fold to test.
        validation: fraction of the cells outside the test fold, rounded to 1 / (a whole number).
        downsample: as in `resample`.
        oversample: as in `resample`.
        seed: random seed; the test fold is added to it.

    Raises:
        InputError: a class has too few cells to be in both training and validation.
    """
    names = np.asarray(labels)
    rest = np.flatnonzero(folds != test_fold)
    rest_labels = names[rest].tolist()
    parts = f"parts (training and validation) outside fold {test_fold}"
    _check_class_sizes(rest_labels, groups[rest], 2, parts, "add cells")
    max_splits = max(_groups_by_label(rest_labels, groups[rest]).values())
    n_splits = min(max(2, round(1 / validation)), max_splits)
    splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed + test_fold)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a class with fewer cells than splits
        candidates = list(splitter.split(np.zeros(len(rest)), names[rest], groups[rest]))
    # Not every candidate holds out a cell of such a class: take the one that lacks the fewest classes.
    train, held_out = max(candidates, key=lambda candidate: len(set(names[rest][candidate[1]])))
    return Split(
        train=rest[train],
        resampled=rest[train][resample(names[rest][train].tolist(), downsample, oversample, seed + test_fold)],
        validation=rest[held_out],
        test=np.flatnonzero(folds == test_fold),
    )


def _check_class_sizes(labels: Sequence[str], groups: Indices, parts: int, what: str, remedy: str) -> None:
    """Raise InputError unless each class has at least as many groups as there are parts."""
    counts = _groups_by_label(labels, groups)
    small = [f"{label} has {count}" for label, count in sorted(counts.items()) if count < parts]
    if small:
        largest = np.bincount(groups).max()
        hint = f" ({largest} of {len(groups)} images count as near-duplicates of one another: see clean.near_duplicate)"
        raise InputError(
            f"too few different cells for {parts} {what}: {', '.join(small)}; {remedy}{hint if largest > 1 else ''}"
        )


def _groups_by_label(labels: Sequence[str], groups: Indices) -> Counter[str]:
    """Count the groups that contain each label."""
    return Counter(label for label, _ in set(zip(labels, groups.tolist(), strict=True)))
