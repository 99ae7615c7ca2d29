"""Two models on the same cells: the paired test, its sample size, and the correction for several pairs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm

from bloodcells.evaluation.bootstrap import Estimate, Indices, bootstrap
from bloodcells.inference.predictions import Predictions

LEVEL = 0.05
"""Significance level of the tests."""

POWER = 0.8
"""Power for which `cells_needed` is computed."""


@dataclass(frozen=True)
class Paired:
    """A paired comparison of two models.

    Attributes:
        only_first: cells that only the first model gets right.
        only_second: cells that only the second gets right.
        cells: cells that both predicted.
        difference: accuracy of the second minus that of the first, with `low` and `high` its 95 % bootstrap interval.
        p: of the exact McNemar test that both are correct equally often.
    """

    only_first: int
    only_second: int
    cells: int
    difference: float
    low: float
    high: float
    p: float


def compare_paired(first: Predictions, second: Predictions, resamples: int, seed: int) -> Paired:
    """Compare two models, or two revisions of one, on the cells that both predicted under the same label.

    Raises:
        ValueError: there are no such cells.
    """
    actual, predicted = align((first, second))
    drawn = bootstrap(actual, predicted, len(first.classes), resamples, seed)
    return paired_test(actual, predicted[0], predicted[1], drawn.difference("accuracy", 0, 1))


def align(models: Sequence[Predictions]) -> tuple[Indices, Indices]:
    """Return actual classes (n,) and predicted classes (m, n) of the cells that all m models predicted.

    Cells are the same if image and label are. They come in the order of the first model.

    Raises:
        ValueError: there are no such cells.
    """
    by_model = [dict(zip(zip(p.images, p.actual, strict=True), p.predicted, strict=True)) for p in models]
    shared = [cell for cell in by_model[0] if all(cell in other for other in by_model[1:])]
    if not shared:
        raise ValueError("the models have no cell in common")
    actual = np.array([label for _, label in shared], np.int64)
    return actual, np.array([[predicted[cell] for cell in shared] for predicted in by_model], np.int64)


def paired_test(actual: Indices, first: Indices, second: Indices, difference: Estimate) -> Paired:
    """Test the predictions (n,) of two models for the same cells; `difference` is the estimate for their accuracies."""
    a, b = first == actual, second == actual
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    p = mcnemar(only_first, only_second)
    return Paired(only_first, only_second, len(actual), difference.value, difference.low, difference.high, p)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p of the exact McNemar test: a binomial test of the discordant cells; 1 without any.

    Q. McNemar, Psychometrika 12 (1947), 153-157; M. W. Fagerland, S. Lydersen and P. Laake, BMC Medical Research
    Methodology 13 (2013), 91.
    """
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p values of tests that are made together: S. Holm, Scandinavian Journal of Statistics 6 (1979), 65-70."""
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415 (takes a second to import)

    return [float(value) for value in multipletests(p, method="holm")[1]] if len(p) else []


def cells_needed(only_first: int, only_second: int, cells: int, tests: int = 1) -> int | None:
    """Return how many cells a test needs to show the observed difference, or None without a difference.

    For a two-sided McNemar test at `LEVEL` with `POWER`: R. J. Connor, Biometrics 43 (1987), 207-211, with the
    observed proportions of discordant cells. It is a normal approximation; with few discordant cells the exact test
    needs some more.

    Args:
        only_first, only_second, cells: as in `Paired`.
        tests: number of tests made together. The level is divided by it, as `holm` does for the smallest p.
    """
    if only_first == only_second:
        return None
    discordant, difference = (only_first + only_second) / cells, (only_second - only_first) / cells
    reach = norm.ppf(1 - LEVEL / tests / 2) * math.sqrt(discordant) + norm.ppf(POWER) * math.sqrt(
        discordant - difference**2
    )
    return math.ceil(float(reach / difference) ** 2)
