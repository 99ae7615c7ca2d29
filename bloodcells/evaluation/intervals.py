"""Confidence intervals of proportions and of their differences."""

from scipy.stats import binomtest

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
