"""Confidence intervals of proportions and of their differences."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, norm
from scipy.stats import t as student

CONFIDENCE_LEVEL = 0.95

Interval = tuple[float, float]


def wilson(successes: int, total: int) -> Interval:
    """Return the 95 % Wilson score interval of a proportion.

    E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209-212. It stays within [0, 1], also for
    no or only successes.

    Raises:
        ValueError: the total is 0, or there are more successes than that.
    """
    low, high = binomtest(successes, total).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
    return (0.0 if successes == 0 else float(low), 1.0 if successes == total else float(high))


def clustered_wilson(successes: ArrayLike, totals: ArrayLike) -> Interval:
    """Return the 95 % Wilson interval of a proportion of cells that come in groups, such as patients.

    As many independent cells are taken as give the variance of the proportion, by the jackknife over the groups, but
    no more than there are; and the normal quantile gives way to Student's, with `effective_groups` - 1 degrees of
    freedom (E. L. Korn and B. I. Graubard, Survey Methodology 24 (1998), 193-201; N. Dean and M. Pagano, Journal of
    Survey Statistics and Methodology 3 (2015), 484-503, compare such intervals). If all cells are successes, or none,
    nothing shows how alike the cells of a group are: each group counts as one cell. A single group tells nothing.

    Args:
        successes, totals: (g,) of each group; a group without cells is left out.

    Raises:
        ValueError: there are no cells.
    """
    hits, cells = np.asarray(successes, np.float64), np.asarray(totals, np.float64)
    hits, cells = hits[cells > 0], cells[cells > 0]
    groups, total = len(cells), cells.sum()
    if not groups:
        raise ValueError("there are no cells")
    if groups == 1:
        return 0.0, 1.0
    proportion = hits.sum() / total
    if proportion in (0, 1):
        return wilson(groups if proportion else 0, groups)
    variance = (groups - 1) / groups * float((((hits - proportion * cells) / (total - cells)) ** 2).sum())
    independent = proportion * (1 - proportion) / max(variance, proportion * (1 - proportion) / total)
    z = _quantile(cells)
    center = (proportion + z**2 / (2 * independent)) / (1 + z**2 / independent)
    reach = math.sqrt(proportion * (1 - proportion) / independent + (z / (2 * independent)) ** 2)
    half = z * reach / (1 + z**2 / independent)
    return max(0.0, float(center - half)), min(1.0, float(center + half))


def proportion_interval(hits: ArrayLike, clusters: ArrayLike | None = None) -> Interval:
    """Return the 95 % interval of the proportion of hits among n cells; NaN without cells.

    Args:
        hits: (n,) whether each cell is one.
        clusters: (n,) the group of each cell; None if the cells are independent.
    """
    successes = np.asarray(hits, np.bool_)
    if not len(successes):
        return math.nan, math.nan
    if clusters is None:
        return wilson(int(successes.sum()), len(successes))
    numbers = np.unique(clusters, return_inverse=True)[1]
    return clustered_wilson(np.bincount(numbers, successes), np.bincount(numbers))


def effective_groups(sizes: ArrayLike) -> float:
    """Return how many groups of equal size tell as much: few, if a few of them have most of the cells.

    A. V. Carter, K. T. Schnepel and D. G. Steigerwald, Review of Economics and Statistics 99 (2017), 698-709.
    """
    cells = np.asarray(sizes, np.float64)
    return float(cells.sum() ** 2 / (cells**2).sum())


def expanded_tail(sizes: ArrayLike) -> float:
    """Return which quantile of resamples of groups to take instead of 2.5 %, which gives too narrow intervals.

    T. C. Hesterberg, The American Statistician 69 (2015), 371-386: Student's quantile for the normal one, and the
    variance with n - 1 for that with n, for `effective_groups`. It is 0 for a single group.
    """
    groups = effective_groups(sizes)
    return float(norm.sf(math.sqrt(groups / (groups - 1)) * _quantile(sizes))) if len(np.asarray(sizes)) > 1 else 0.0


def _quantile(sizes: ArrayLike) -> float:
    return float(student.ppf((1 + CONFIDENCE_LEVEL) / 2, effective_groups(sizes) - 1))


def newcombe(successes: int, total: int, other_successes: int, other_total: int) -> Interval:
    """Return the 95 % interval of a difference of two independent proportions, the first minus the other.

    R. G. Newcombe, Statistics in Medicine 17 (1998), 873-890, method 10: from the two Wilson intervals.

    Raises:
        ValueError: one of the totals is 0.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep  # noqa: PLC0415 (a second, which few need)

    if not (total and other_total):
        raise ValueError("an interval needs observations of both proportions")
    low, high = confint_proportions_2indep(
        successes, total, other_successes, other_total, method="newcomb", alpha=1 - CONFIDENCE_LEVEL
    )
    return float(low), float(high)
