"""Resampling of the training part, so that its classes are closer in size."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def most_frequent(labels: Sequence[str]) -> str:
    """Return the most frequent class; of several, the first in the alphabet."""
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def resample(labels: Sequence[str], majority: str, downsample: float, oversample: float, seed: int) -> Indices:
    """Downsample the most frequent class, then oversample the others, at random.

    Args:
        labels: classes of the cells.
        majority: the most frequent class of the data set.
        downsample: fraction of that class to leave out; one cell is always kept.
        oversample: repeat every other class up to this fraction of the largest class after downsampling.
        seed: random seed.

    Returns:
        Sorted indices into `labels`; oversampled cells are repeated.
    """
    names = np.asarray(labels)
    indices = np.arange(len(names)).reshape(-1, 1)
    kept = Counter(labels)
    if majority in kept:
        kept[majority] = max(1, round(kept[majority] * (1 - downsample)))
    indices, names = RandomUnderSampler(sampling_strategy=dict(kept), random_state=seed).fit_resample(indices, names)
    wanted = round(max(kept.values()) * oversample)
    grown = {name: count if name == majority else max(count, wanted) for name, count in kept.items()}
    indices, _ = RandomOverSampler(sampling_strategy=grown, random_state=seed).fit_resample(indices, names)
    return np.sort(indices[:, 0])
