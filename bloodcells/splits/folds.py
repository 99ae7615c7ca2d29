"""Which cell is trained, validated or tested on: folds that can't leak, and balance within training."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from bloodcells.core.errors import InputError
from bloodcells.splits.resampling import balance

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Indices of the cells of each part; `balanced` is `train` after resampling, with repetitions."""

    train: Indices
    balanced: Indices
    validation: Indices
    test: Indices


def assign_folds(labels: Sequence[str], groups: Indices, folds: int, seed: int) -> Indices:
    """Deal the cells into folds, stratified by label, each group into one fold.

    Raises:
        InputError: a class has fewer groups of cells than there are folds.
    """
    _need(labels, groups, folds, "folds (clean.folds)", "lower clean.folds or add cells")
    result = np.empty(len(labels), dtype=np.int64)
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(dealer.split(np.zeros(len(labels)), labels, groups)):
        result[test] = fold
    return result


def split(
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
    """Part the cells for one test fold: a share of the others validates, the rest trains and alone is resampled.

    Args:
        labels: of the n cells; groups: (n,), the cells of one stand on one side; folds: (n,) from `assign_folds`.
        validation: share of the cells outside the test fold, rounded to one part in a whole number.
        downsample, oversample: as `balance` takes them.

    Raises:
        InputError: a class has too few cells to stand in training and in validation.
    """
    names = np.asarray(labels)
    rest = np.flatnonzero(folds != test_fold)
    what = f"parts (training and validation) outside fold {test_fold}"
    _need(names[rest].tolist(), groups[rest], 2, what, "add cells")
    most = max(_groups_by_label(names[rest].tolist(), groups[rest]).values())  # no more parts can be dealt
    dealer = StratifiedGroupKFold(min(max(2, round(1 / validation)), most), shuffle=True, random_state=seed + test_fold)
    # The cells of a rare class may be fewer than the parts that are dealt: take the one that misses least.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        parts = list(dealer.split(np.zeros(len(rest)), names[rest], groups[rest]))
    train, held = max(parts, key=lambda part: len(set(names[rest][part[1]])))
    return Split(
        train=rest[train],
        balanced=rest[train][balance(names[rest][train].tolist(), downsample, oversample, seed + test_fold)],
        validation=rest[held],
        test=np.flatnonzero(folds == test_fold),
    )


def _need(labels: Sequence[str], groups: Indices, parts: int, what: str, remedy: str) -> None:
    """Raise InputError unless each class has at least as many groups as there are parts."""
    counts = _groups_by_label(labels, groups)
    few = [f"{label} has {count}" for label, count in sorted(counts.items()) if count < parts]
    if few:
        alike = np.bincount(groups).max()
        told = f" ({alike} of {len(groups)} images are taken for one and the same: clean.near_duplicate decides that)"
        raise InputError(
            f"too few different cells for {parts} {what}: {', '.join(few)}; {remedy}{told if alike > 1 else ''}"
        )


def _groups_by_label(labels: Sequence[str], groups: Indices) -> Counter[str]:
    """Count the different groups in which each label stands."""
    return Counter(label for label, _ in set(zip(labels, groups.tolist(), strict=True)))
