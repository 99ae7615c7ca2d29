"""Confidence intervals of proportions."""

import math
from statistics import NormalDist


def wilson(right: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Give the Wilson score interval of a share: `right` of `total`.

    E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209-212: the shares from
    which `right` is at most z standard errors away. It stays within [0, 1], also for none or all right.

    Raises:
        ValueError: nothing was counted, or more were right than there are.
    """
    if not 0 <= right <= total or total == 0:
        raise ValueError(f"{right} right of {total}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = right / total
    middle = share + z * z / (2 * total)
    reach = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    whole = 1 + z * z / total
    return (
        0.0 if right == 0 else (middle - reach) / whole,
        1.0 if right == total else (middle + reach) / whole,
    )
