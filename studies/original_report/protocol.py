"""What the original report did to its data: copies before the split, a fifth left out, names over the wrong classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from bloodcells.splits.resampling import resample

Indices = NDArray[np.int64]

LEFT_OUT = {"neutrophil": 0.2}
"""Share of a class that the report left out: by its code. Its text says a tenth."""

PRINTED = ("neutrophil", "eosinophil", "monocyte", "lymphocyte")
"""The names that the report printed, in the order of its logits, which is that of `labels.CLASSES`: the figures
under the first are those of the eosinophils."""


@dataclass(frozen=True)
class FaultySplit:
    """Indices of the cells of each part; those of training and of validation are repeated, and overlap."""

    train: Indices
    validation: Indices
    test: Indices


def faulty_split(
    labels: Sequence[str],
    folds: Indices,
    test_fold: int,
    *,
    validation: float,
    oversample: Mapping[str, float],
    seed: int,
) -> FaultySplit:
    """Part the cells for one test fold as the report did: it repeats cells first and deals the copies afterwards.

    The copies are dealt to training and validation at random, whatever their class and whatever they look like.
    In one thing this is better than the report: it is seeded, so that it can be done again.

    Args:
        labels: of the n cells.
        folds: (n,) the fold in which each is tested; the test part is left as it is.
        test_fold: the fold to test.
        validation: share of the copies that validate.
        oversample: share of the largest class up to which a class is repeated.
        seed: decides what is left out, repeated, and dealt where.
    """
    rest = np.flatnonzero(folds != test_fold)
    names = [labels[cell] for cell in rest.tolist()]
    copies = rest[resample(names, LEFT_OUT, oversample, seed + test_fold)]
    dealt = np.random.default_rng([seed, test_fold]).permutation(len(copies))
    held = max(1, round(validation * len(copies)))
    return FaultySplit(
        train=copies[np.sort(dealt[held:])],
        validation=copies[np.sort(dealt[:held])],
        test=np.flatnonzero(folds == test_fold),
    )


def ordinary_folds(labels: Sequence[str], folds: int, seed: int) -> Indices:
    """Deal the cells into folds, stratified by label and blind to near-duplicates, as is common: (n,)."""
    result = np.empty(len(labels), dtype=np.int64)
    dealer = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(dealer.split(np.zeros(len(labels)), labels)):
        result[test] = fold
    return result


def with_twin(groups: Indices, train: Indices, test: Indices) -> int:
    """Count the tested cells of which a near-duplicate is trained on.

    Args:
        groups: (n,) of all cells: those of one show the same part of a smear.
        train, test: indices of the cells.
    """
    return int(np.isin(groups[test], groups[train]).sum())
