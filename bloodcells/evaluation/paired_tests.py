"""Two models on the same cells: the paired test, its sample size, and the correction for several pairs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom, binomtest, norm

from bloodcells.evaluation.bootstrap import Estimate, Indices, bootstrap
from bloodcells.evaluation.clusters import Groups, cluster_numbers
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
        p: of the test that both are correct equally often: the exact McNemar test, or with groups `sign_flip`.
        groups: number of groups; None if the cells are independent.
        design_effect: how many times as much the difference varies as that of independent cells.
    """

    only_first: int
    only_second: int
    cells: int
    difference: float
    low: float
    high: float
    p: float
    groups: int | None = None
    design_effect: float = 1.0

    @property
    def test(self) -> str:
        """The name of the test."""
        return "exact McNemar test" if self.groups is None else "exact sign-flip test of groups"


def compare_paired(
    first: Predictions, second: Predictions, resamples: int, seed: int, groups: Groups | None = None
) -> Paired:
    """Compare two models, or two revisions of one, on the cells that both predicted under the same label.

    Raises:
        ValueError: there are no such cells.
    """
    images, actual, predicted = align((first, second))
    clusters = cluster_numbers(images, groups)
    drawn = bootstrap(actual, predicted, len(first.classes), resamples, seed, clusters)
    return paired_test(actual, predicted[0], predicted[1], drawn.difference("accuracy", 0, 1), clusters)


def align(models: Sequence[Predictions]) -> tuple[list[str], Indices, Indices]:
    """Return names (n), actual classes (n,) and predicted classes (m, n) of the cells that all m models predicted.

    Cells are the same if image and label are. They come in the order of the first model.

    Raises:
        ValueError: there are no such cells.
    """
    by_model = [dict(zip(zip(p.images, p.actual, strict=True), p.predicted, strict=True)) for p in models]
    shared = [cell for cell in by_model[0] if all(cell in other for other in by_model[1:])]
    if not shared:
        raise ValueError("the models have no cell in common")
    actual = np.array([label for _, label in shared], np.int64)
    return (
        [image for image, _ in shared],
        actual,
        np.array([[predicted[cell] for cell in shared] for predicted in by_model], np.int64),
    )


def paired_test(
    actual: Indices, first: Indices, second: Indices, difference: Estimate, clusters: Indices | None = None
) -> Paired:
    """Test the predictions (n,) of two models for the same cells.

    Args:
        actual: the actual classes.
        first, second: the predictions.
        difference: the estimate for the difference of their accuracies.
        clusters: (n,) the number of each cell's group; None if the cells are independent.
    """
    a, b = first == actual, second == actual
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    values = (only_first, only_second, len(actual), difference.value, difference.low, difference.high)
    if clusters is None:
        return Paired(*values, mcnemar(only_first, only_second))
    numbers = np.unique(clusters, return_inverse=True)[1]
    by_group = np.rint(np.bincount(numbers, b.astype(np.float64) - a)).astype(np.int64)
    design_effect = float((by_group**2).sum()) / max(only_first + only_second, 1)
    return Paired(*values, sign_flip(by_group), len(by_group), max(1.0, design_effect))


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p of the exact McNemar test: a binomial test of the discordant cells; 1 without any.

    Q. McNemar, Psychometrika 12 (1947), 153-157; M. W. Fagerland, S. Lydersen and P. Laake, BMC Medical Research
    Methodology 13 (2013), 91.
    """
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0


def sign_flip(differences: ArrayLike) -> float:
    """Return the two-sided p of the exact sign-flip test: 1 if no group differs.

    If the two models are alike, each group could as well have its results exchanged. So the observed sum is compared
    with those of all choices of signs, each equally probable (R. A. Fisher, The Design of Experiments, 1935, section
    21). Groups of one cell give the exact McNemar test. Cells of a group may depend on one another in any way, where
    McNemar's test would find differences by chance (N. A. Obuchowski, Statistics in Medicine 17 (1998), 1495-1507).
    Fewer than six groups that differ cannot be significant at 5 %.

    Args:
        differences: (g,) of each group, the number of cells that only the second model gets right, minus that of the
            first.
    """
    signed = np.asarray(differences, np.int64)
    sizes, groups = np.unique(np.abs(signed[signed != 0]), return_counts=True)
    probabilities = np.ones(1)  # of each sum, from -all to all
    for size, count in zip(sizes.tolist(), groups.tolist(), strict=True):
        before, width = probabilities, len(probabilities)
        probabilities = np.zeros(width + 2 * size * count)
        for positive, probability in enumerate(binom.pmf(np.arange(count + 1), count, 0.5).tolist()):
            probabilities[2 * size * positive : 2 * size * positive + width] += probability * before
    sums = np.arange(len(probabilities)) - len(probabilities) // 2
    return min(1.0, float(probabilities[np.abs(sums) >= abs(signed.sum())].sum()))


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p values of tests that are made together: S. Holm, Scandinavian Journal of Statistics 6 (1979), 65-70."""
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415 (takes a second to import)

    return [float(value) for value in multipletests(p, method="holm")[1]] if len(p) else []


def cells_needed(
    only_first: int, only_second: int, cells: int, tests: int = 1, design_effect: float = 1.0
) -> int | None:
    """Return how many cells a test needs to show the observed difference, or None without a difference.

    For a two-sided McNemar test at `LEVEL` with `POWER`: R. J. Connor, Biometrics 43 (1987), 207-211, with the
    observed proportions of discordant cells. It is a normal approximation; with few discordant cells the exact test
    needs some more.

    Args:
        only_first, only_second, cells: as in `Paired`.
        tests: number of tests made together. The level is divided by it, as `holm` does for the smallest p.
        design_effect: as in `Paired`; the cells then come in groups like the observed ones.
    """
    if only_first == only_second:
        return None
    discordant = design_effect * (only_first + only_second) / cells
    difference = (only_second - only_first) / cells
    reach = norm.ppf(1 - LEVEL / tests / 2) * math.sqrt(discordant) + norm.ppf(POWER) * math.sqrt(
        discordant - difference**2
    )
    return math.ceil(float(reach / difference) ** 2)
