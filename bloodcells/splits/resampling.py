"""Balancing the classes of a training part: downsampling and oversampling."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def balance(
    labels: Sequence[str], downsample: Mapping[str, float], oversample: Mapping[str, float], seed: int
) -> Indices:
    """Choose cells, with repetitions, so that the classes are nearer in size.

    Args:
        labels: of the cells to choose from.
        downsample: share of a class to leave out, at random.
        oversample: share of the then largest class up to which a class is repeated, at random.

    Returns:
        Sorted indices into `labels`.
    """
    names = np.asarray(labels)
    indices = np.arange(len(names)).reshape(-1, 1)
    counts = Counter(labels)
    keep = {name: max(1, round(count * (1 - downsample.get(name, 0.0)))) for name, count in counts.items()}
    indices, names = RandomUnderSampler(sampling_strategy=keep, random_state=seed).fit_resample(indices, names)
    largest = max(keep.values())
    grow = {name: max(count, round(largest * oversample.get(name, 0.0))) for name, count in keep.items()}
    indices, _ = RandomOverSampler(sampling_strategy=grow, random_state=seed).fit_resample(indices, names)
    return np.sort(indices[:, 0])
