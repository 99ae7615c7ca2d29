"""The figures of the study: optimism, test noise, permuted class labels and leaked near-duplicates."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bloodcells.core.classes import CLASSES
from bloodcells.evaluation.bootstrap import (
    Estimate,
    bootstrap,
    clustered_proportion,
    percentile_estimate,
    resample_counts,
)
from bloodcells.evaluation.intervals import newcombe, wilson
from bloodcells.evaluation.paired_tests import paired_test
from studies.original_report.protocol import PRINTED

Floats = NDArray[np.float64]

ORIGINAL, PROPOSED = "original", "proposed"
"""The protocols."""


class Figure(NamedTuple):
    """A value with its interval, where there is one; `interval` names the method."""

    figure: str
    value: float | None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    description: str = ""


def figures(
    rows: pd.DataFrame, ungrouped: Sequence[int], grouped: int, n_cells: int, resamples: int, seed: int
) -> list[Figure]:
    """Compute all figures.

    Args:
        rows: one row per cell of the validation and test parts, copies included: protocol, fold, part, image,
            in_training, actual, unchanged, tta (indices of classes), and perturbed (an array of d indices).
        ungrouped: cells with a leaked near-duplicate under ungrouped folds, for several seeds.
        grouped: the same with our folds.
        n_cells: all cells.
        resamples, seed: of the bootstrap.
    """
    return [
        *_optimism(rows, resamples, seed),
        *_test_noise(_part(rows, PROPOSED, "test"), resamples, seed),
        *_permuted_labels(_part(rows, PROPOSED, "test")),
        Figure(
            "near-duplicates leaked, ungrouped folds",
            ungrouped[0],
            min(ungrouped),
            max(ungrouped),
            "minimum and maximum",
            f"of {n_cells} cells, {len(ungrouped)} seeds",
        ),
        Figure("near-duplicates leaked, our folds", grouped, description=f"of {n_cells} cells"),
    ]


def _part(rows: pd.DataFrame, protocol: str, part: str) -> pd.DataFrame:
    return rows[(rows["protocol"] == protocol) & (rows["part"] == part)]


class _Accuracies:
    """Accuracies of parts of the rows, observed and resampled, with the same images drawn for all of them.

    Differences are therefore paired, and an image's copies, in whichever folds, are drawn together.
    """

    def __init__(self, rows: pd.DataFrame, resamples: int, seed: int) -> None:
        first = rows.drop_duplicates("image").sort_values("image")
        self._images = first["image"].to_numpy()
        self._counts = resample_counts(first["actual"], resamples, seed)

    def __call__(self, part: pd.DataFrame, correct: Floats) -> Floats:
        """Return them for one value per row: whether it is correct, or how often."""
        return clustered_proportion(self._counts, self._sum(part, correct), self._sum(part, np.ones(len(part))))

    def reweighted(self, part: pd.DataFrame, correct: Floats, like: pd.DataFrame) -> Floats:
        """Return them as if the classes were mixed as in another part; a class without rows is left out."""
        hits, weights = np.zeros(len(self._counts)), np.zeros(len(self._counts))
        for label in np.unique(part["actual"]):
            of_label = (part["actual"] == label).to_numpy(np.float64)
            weight = self._counts @ self._sum(like, (like["actual"] == label).to_numpy(np.float64))
            accuracy = clustered_proportion(
                self._counts, self._sum(part, of_label * correct), self._sum(part, of_label)
            )
            hits += weight * accuracy
            weights += weight
        return np.asarray(np.divide(hits, weights, out=np.full(len(weights), np.nan), where=weights > 0))

    def _sum(self, part: pd.DataFrame, values: Floats) -> Floats:
        place = np.searchsorted(self._images, part["image"].to_numpy())
        return np.asarray(np.bincount(place, weights=values, minlength=len(self._images)), np.float64)


def _optimism(rows: pd.DataFrame, resamples: int, seed: int) -> Iterator[Figure]:
    """Compare what each protocol claims on validation with what its networks reach on the test cells."""
    accuracies = _Accuracies(rows, resamples, seed)
    original, proposed = (_part(rows, protocol, "validation") for protocol in (ORIGINAL, PROPOSED))
    tested = {protocol: _part(rows, protocol, "test") for protocol in (ORIGINAL, PROPOSED)}
    perturbed = _perturbed_correct(original)
    claimed = accuracies(original, perturbed[:, 0])
    unchanged = accuracies(original, _correct(original, "tta"))
    reached = {protocol: accuracies(part, _correct(part, "tta")) for protocol, part in tested.items()}
    reweighted = accuracies.reweighted(tested[ORIGINAL], _correct(tested[ORIGINAL], "tta"), like=original)
    proposed_claimed = accuracies(proposed, _correct(proposed, "tta"))

    for protocol, part in ((ORIGINAL, original), (PROPOSED, proposed)):
        share = round(float(part["in_training"].mean()), 4)
        yield Figure(f"{protocol}: validation rows whose image is in training", share)
    yield _bootstrapped("original: claimed", claimed, "accuracy on validation, images perturbed once")
    draws = perturbed.mean(axis=0)
    yield _range("original: claimed, several draws", draws, f"the same, {len(draws)} times")
    yield _bootstrapped("original: claimed, unperturbed", unchanged, "the same, images unchanged")
    yield _wilson("original: reached", _correct(tested[ORIGINAL], "tta"), "accuracy of its networks on the test cells")
    yield _bootstrapped("original: optimism", claimed - reached[ORIGINAL], "claimed - reached")
    yield _bootstrapped(
        "original: optimism, unperturbed", unchanged - reached[ORIGINAL], "claimed, unperturbed - reached"
    )
    yield _bootstrapped("original: reached, reweighted", reweighted, "reached, with the class mix of its validation")
    copies = unchanged - reweighted
    yield _bootstrapped("original: optimism of copies", copies, "claimed, unperturbed - reached, reweighted")
    yield _bootstrapped("proposed: claimed", proposed_claimed, "accuracy on validation, images unchanged")
    yield _wilson("proposed: reached", _correct(tested[PROPOSED], "tta"), "accuracy of its networks on the test cells")
    own = proposed_claimed - reached[PROPOSED]
    yield _bootstrapped("proposed: optimism", own, "claimed - reached; the epoch is selected on validation")
    yield _bootstrapped("excess optimism", copies - own, "original: optimism of copies - proposed: optimism")

    pair = [part.sort_values("image") for part in tested.values()]
    actual = pair[0]["actual"].to_numpy(np.int64)
    predicted = np.array([part["tta"].to_numpy(np.int64) for part in pair])
    drawn = bootstrap(actual, predicted, len(CLASSES), resamples, seed).difference("accuracy", 0, 1)
    test = paired_test(actual, predicted[0], predicted[1], drawn)
    yield _figure("proposed - original", drawn, "bootstrap", "reached, on the same cells")
    yield Figure("proposed - original, p", float(f"{test.p:.3g}"), description="exact McNemar test")


def _test_noise(tested: pd.DataFrame, resamples: int, seed: int) -> Iterator[Figure]:
    """Measure what random perturbation at test does to the networks of the proposed protocol."""
    accuracies = _Accuracies(tested, resamples, seed)
    unchanged, perturbed = _correct(tested, "unchanged"), _perturbed_correct(tested)
    draws = perturbed.mean(axis=0)
    yield _wilson("unperturbed", unchanged, "accuracy on the test cells, without test-time augmentation")
    yield _range("perturbed, several draws", draws, f"the same, images perturbed, {len(draws)} times")
    yield Figure("perturbed, standard deviation", round(float(draws.std(ddof=1)), 4), description="of these draws")
    difference = accuracies(tested, perturbed.mean(axis=1)) - accuracies(tested, unchanged)
    yield _bootstrapped("perturbed - unperturbed", difference, "mean of the draws - unperturbed")
    labels = np.stack(tested["perturbed"].to_list())
    unstable = (labels != labels[:, :1]).any(axis=1)
    yield _wilson("prediction instability", unstable.astype(float), "test cells whose class varies between the draws")


def _permuted_labels(tested: pd.DataFrame) -> Iterator[Figure]:
    """Compare the sensitivity of each class with the one that the report would have printed under its name."""
    correct = _correct(tested, "tta")
    by_class = {name: correct[(tested["actual"] == label).to_numpy()] for label, name in enumerate(CLASSES)}
    for name in CLASSES:
        source = CLASSES[PRINTED.index(name)]
        own, printed = by_class[name], by_class[source]
        yield _wilson(f"sensitivity: {name}", own, f"of {len(own)} cells")
        yield _wilson(f"printed as {name}", printed, f"the sensitivity of {source}")
        if source != name and len(own) and len(printed):
            ends = newcombe(int(printed.sum()), len(printed), int(own.sum()), len(own))
            gap = Estimate(float(printed.mean() - own.mean()), *ends)
            yield _figure(f"printed - sensitivity: {name}", gap, "Newcombe")


def _correct(part: pd.DataFrame, column: str) -> Floats:
    return (part[column] == part["actual"]).to_numpy(np.float64)


def _perturbed_correct(part: pd.DataFrame) -> Floats:
    """Return (rows, draws)."""
    return np.asarray(np.stack(part["perturbed"].to_list()) == part["actual"].to_numpy()[:, None], np.float64)


def _bootstrapped(name: str, values: Floats, description: str) -> Figure:
    return _figure(name, percentile_estimate(values), "bootstrap of images", description)


def _range(name: str, draws: Floats, description: str) -> Figure:
    estimate = Estimate(float(draws.mean()), float(draws.min()), float(draws.max()))
    return _figure(name, estimate, "minimum and maximum", description)


def _wilson(name: str, successes: Floats, description: str) -> Figure:
    if not len(successes):
        return Figure(name, None, description=description)
    count = int(successes.sum())
    return _figure(name, Estimate(count / len(successes), *wilson(count, len(successes))), "Wilson", description)


def _figure(name: str, of: Estimate, interval: str, description: str = "") -> Figure:
    value, low, high = (round(number, 4) + 0.0 for number in (of.value, of.low, of.high))  # no -0.0
    return Figure(name, value, low, high, interval, description)
