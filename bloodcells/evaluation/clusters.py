"""The bootstrap of images of which several rows tell: all rows of an image are drawn together."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bloodcells.evaluation.bootstrap import CONFIDENCE, Estimate

Floats = NDArray[np.float64]


def draw(strata: ArrayLike, resamples: int, seed: int) -> Floats:
    """Draw the images anew, with replacement, as many of each stratum as there are.

    Args:
        strata: (n,) the class of each image.
        resamples: how many times to draw.
        seed: the same seed gives the same resamples.

    Returns:
        (1 + resamples, n) how often each image is drawn; in the first row once, as observed.
    """
    classes = np.asarray(strata)
    random = np.random.default_rng(seed)
    times = np.ones((1 + resamples, len(classes)))
    for one in np.unique(classes):
        members = np.flatnonzero(classes == one)
        times[1:, members] = random.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
    return times


def share(times: Floats, right: ArrayLike, rows: ArrayLike) -> Floats:
    """Give the share of the rows that are right, as observed and in each resample.

    A ratio of two sums over the images: an image with more rows weighs more, and brings all of them or none
    (A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997, section 3.8: clusters are
    resampled whole).

    Args:
        times: (1 + resamples, n) from `draw`.
        right: (n,) how many rows of each image are right.
        rows: (n,) how many it has.

    Returns:
        (1 + resamples,); NaN where a resample has no row.

    Raises:
        ValueError: no image has a row.
    """
    hits, wholes = times @ np.asarray(right, np.float64), times @ np.asarray(rows, np.float64)
    if not wholes[0]:
        raise ValueError("there are no rows")
    return np.asarray(np.divide(hits, wholes, out=np.full(len(times), np.nan), where=wholes > 0))


def estimate(values: Floats) -> Estimate:
    """Give what `share` gave, or a difference of such, with its 95 % percentile interval.

    Resamples in which it is undefined say nothing and are left out.
    """
    low, high = np.nanquantile(values[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(values[0]), float(low), float(high))
