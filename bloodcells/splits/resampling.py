"""Resampling of the training part, so that its classes are closer in size."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def resample(
    labels: Sequence[str], downsample: Mapping[str, float], oversample: Mapping[str, float], seed: int
) -> Indices:
    """Downsample, then oversample classes at random.

    Args:
        labels: labels of the cells.
        downsample: fraction of a class to leave out.
        oversample: repeat a class up to this fraction of the largest class after downsampling.
        seed: random seed.

    Returns:
        Sorted indices into `labels`; oversampled cells are repeated.
    """
    names = np.asarray(labels)
    indices = np.arange(len(names)).reshape(-1, 1)
    counts = Counter(labels)
    kept = {name: max(1, round(count * (1 - downsample.get(name, 0.0)))) for name, count in counts.items()}
    indices, names = RandomUnderSampler(sampling_strategy=kept, random_state=seed).fit_resample(indices, names)
    largest = max(kept.values())
    grown = {name: max(count, round(largest * oversample.get(name, 0.0))) for name, count in kept.items()}
    indices, _ = RandomOverSampler(sampling_strategy=grown, random_state=seed).fit_resample(indices, names)
    return np.sort(indices[:, 0])
