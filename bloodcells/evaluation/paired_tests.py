"""Two models on the same cells: the paired test, what it needs, and its correction for several pairs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from bloodcells.evaluation.bootstrap import Estimate, Indices, bootstrap
from bloodcells.inference.predictions import Predictions

LEVEL = 0.05
"""The level of the tests: how often they may find a difference where there is none."""

POWER = 0.8
"""How often a test of so many cells as `cells_needed` says finds the difference."""


@dataclass(frozen=True)
class Paired:
    """What the cells say that two models, a and b, were both tested on.

    a_only: cells that a alone has right; b_only: those that b alone has right. cells: all of them.
    difference: accuracy of b less that of a, with low and high its 95 % bootstrap interval.
    p: of the exact McNemar test that both are right equally often.
    """

    a_only: int
    b_only: int
    cells: int
    difference: float
    low: float
    high: float
    p: float


def paired(first: Predictions, second: Predictions, resamples: int, seed: int) -> Paired:
    """Compare two models, or two revisions of one, on the cells that both predicted under the same label.

    Raises:
        ValueError: there is no such cell.
    """
    actual, predicted = aligned((first, second))
    drawn = bootstrap(actual, predicted, len(first.classes), resamples, seed)
    return contrast(actual, predicted[0], predicted[1], drawn.difference("accuracy", 0, 1))


def aligned(models: Sequence[Predictions]) -> tuple[Indices, Indices]:
    """Give the actual classes (n,) and what each of m models said (m, n) of the cells that all have predicted.

    A cell is the same if image and label are; the cells come in the order of the first model.

    Raises:
        ValueError: there is no such cell.
    """
    said = [dict(zip(zip(p.images, p.actual, strict=True), p.predicted, strict=True)) for p in models]
    shared = [cell for cell in said[0] if all(cell in other for other in said[1:])]
    if not shared:
        raise ValueError("the models have no cell in common")
    actual = np.array([label for _, label in shared], np.int64)
    return actual, np.array([[of[cell] for cell in shared] for of in said], np.int64)


def contrast(actual: Indices, first: Indices, second: Indices, difference: Estimate) -> Paired:
    """Test what two models said (n,) of the same cells; `difference` is that of their accuracies, estimated."""
    a, b = first == actual, second == actual
    a_only, b_only = int((a & ~b).sum()), int((b & ~a).sum())
    p = mcnemar(a_only, b_only)
    return Paired(a_only, b_only, len(actual), difference.value, difference.low, difference.high, p)


def mcnemar(a_only: int, b_only: int) -> float:
    """Give the two-sided p of the exact McNemar test, from the cells that one of two models alone has right.

    Twice the smaller tail of the binomial of those cells with a chance of a half, 1 at most, and 1 without such
    a cell: Q. McNemar, Psychometrika 12 (1947), 153-157; M. W. Fagerland, S. Lydersen and P. Laake, BMC Medical
    Research Methodology 13 (2013), 91.
    """
    discordant = a_only + b_only
    tail = sum(math.comb(discordant, count) for count in range(min(a_only, b_only) + 1))
    return float(min(1, 2 * tail / 2**discordant))


def holm(p: Sequence[float]) -> list[float]:
    """Adjust the p values of tests that are made together, so that all of them keep one level.

    S. Holm, Scandinavian Journal of Statistics 6 (1979), 65-70: the smallest times their number, the next times
    one less, and so on; never below one before it, and 1 at most.
    """
    adjusted = [0.0] * len(p)
    floor = 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda place: p[place])):
        floor = max(floor, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = floor
    return adjusted


def cells_needed(a_only: int, b_only: int, cells: int, tests: int = 1) -> int | None:
    """Give how many cells it takes to show such a difference as was seen, None where none was seen.

    For a two-sided McNemar test at `LEVEL` with `POWER`: R. J. Connor, Biometrics 43 (1987), 207-211, with the
    shares of discordant cells as observed. The approximation is by the normal distribution; where few cells are
    discordant the exact test needs some more.

    Args:
        a_only, b_only, cells: as `Paired` has them.
        tests: how many are made together. The level is divided by their number, which is what `holm` asks of the
            smallest p; of the others it asks less.
    """
    if a_only == b_only:
        return None
    z = NormalDist().inv_cdf
    discordant, difference = (a_only + b_only) / cells, (b_only - a_only) / cells
    reach = z(1 - LEVEL / tests / 2) * math.sqrt(discordant) + z(POWER) * math.sqrt(discordant - difference**2)
    return math.ceil((reach / difference) ** 2)
