"""Assignment of cells to folds and to training, validation and test parts, without leakage between groups.

A group's place depends on its name and the seed. Cells that are added or removed therefore move few of the others.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bloodcells.core.errors import InputError
from bloodcells.splits.bounded_hashing import Indices, assign_parts
from bloodcells.splits.resampling import most_frequent, resample


@dataclass(frozen=True)
class Split:
    """Indices of the cells in each part; `resampled` is `train` after resampling, with repetitions."""

    train: Indices
    resampled: Indices
    validation: Indices
    test: Indices


def assign_folds(labels: Sequence[str], groups: Sequence[str], n_splits: int, seed: int) -> Indices:
    """Assign cells to folds, stratified by class; all cells of a group get the same fold.

    See `bloodcells.splits.bounded_hashing.assign_parts`.

    Args:
        labels: classes of the n cells.
        groups: names of their groups; see `bloodcells.splits.groups.combined_groups`.
        n_splits: number of folds.
        seed: random seed.

    Returns:
        Their folds, (n,).

    Raises:
        InputError: a class can't be in every fold.
    """
    remedy = "lower clean.n_splits (and test_folds) in params.yaml, or add cells"
    _check_class_sizes(labels, groups, n_splits, "folds (clean.n_splits)", remedy)
    folds = assign_parts(labels, groups, [1] * n_splits, f"{seed}")
    names = np.asarray(labels)
    lacking = [label for label in sorted({*labels}) if len(np.unique(folds[names == label])) < n_splits]
    if lacking:
        raise InputError(
            f"{' and '.join(lacking)} can't be in each of {n_splits} folds (clean.n_splits), since groups hold several "
            f"classes; {remedy}{_largest_group(labels, groups, lacking[0])}"
        )
    return folds


def split_cells(
    labels: Sequence[str],
    groups: Sequence[str],
    folds: Indices,
    test_fold: int,
    *,
    validation: float,
    downsample: float,
    oversample: float,
    seed: int,
) -> Split:
    """Split the cells for one test fold; only the training part is resampled.

    Args:
        labels: classes of the n cells.
        groups: names of their groups; all cells of a group go to the same part.
        folds: their folds from `assign_folds`, (n,).
        test_fold: the fold to test.
        validation: fraction of the cells outside the test fold.
        downsample: as in `resample`.
        oversample: as in `resample`.
        seed: random seed; each test fold has a validation part of its own.

    Raises:
        InputError: a class has too few cells to be in both training and validation.
    """
    names = np.asarray(labels)
    rest = np.flatnonzero(folds != test_fold)
    rest_labels, rest_groups = names[rest].tolist(), [groups[i] for i in rest.tolist()]
    _check_class_sizes(
        rest_labels, rest_groups, 2, f"parts (training and validation) outside fold {test_fold}", "add cells"
    )
    held_out = assign_parts(rest_labels, rest_groups, [validation, 1 - validation], f"{seed} {test_fold}") == 0
    train = rest[~held_out]
    train_labels = names[train].tolist()
    lacking = sorted({*rest_labels} - {*train_labels})
    if lacking:
        raise InputError(
            f"no {' and no '.join(lacking)} is left for training when fold {test_fold} is tested; lower "
            f"clean.validation or add cells{_largest_group(rest_labels, rest_groups, lacking[0])}"
        )
    chosen = resample(train_labels, most_frequent(labels), downsample, oversample, seed + test_fold)
    return Split(
        train=train,
        resampled=train[chosen],
        validation=rest[held_out],
        test=np.flatnonzero(folds == test_fold),
    )


def _check_class_sizes(labels: Sequence[str], groups: Sequence[str], parts: int, what: str, remedy: str) -> None:
    """Raise InputError unless each class has at least as many groups as there are parts."""
    counts = Counter(label for label, _ in {*zip(labels, groups, strict=True)})
    small = {label: count for label, count in sorted(counts.items()) if count < parts}
    if small:
        listed = ", ".join(f"{label} has {count}" for label, count in small.items())
        hint = _largest_group(labels, groups, next(iter(small)))
        raise InputError(f"too few different cells for {parts} {what}: {listed}; {remedy}{hint}")


def _largest_group(labels: Sequence[str], groups: Sequence[str], label: str) -> str:
    """Name the group with the most cells of a class, if it has several."""
    of_class = Counter(group for name, group in zip(labels, groups, strict=True) if name == label)
    name, cells = max(of_class.items(), key=lambda item: (item[1], item[0]))
    if cells == 1:
        return ""
    return (
        f" ({cells} of {of_class.total()} {label} cells belong to one group, {name}: a group holds the cells of one "
        "value of the group column, of one image, and of near-duplicates, see clean.near_duplicate)"
    )
