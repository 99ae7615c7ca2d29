"""The figures of the study: optimism, test noise, permuted class labels, and near-duplicates under ungrouped folds."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bloodcells.evaluation.bootstrap import Estimate, clustered_proportion, percentile_estimate, resample_counts
from bloodcells.evaluation.intervals import newcombe, wilson
from bloodcells.evaluation.paired_tests import mcnemar
from studies.original_report.protocol import CLASSES, PRINTED

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ORIGINAL, PROPOSED = "original", "proposed"
"""The protocols."""


class Figure(NamedTuple):
    """A number with the ends of its interval, if it has one.

    `interval` names the method, or says "range" where the ends are the smallest and largest of several random draws;
    `n` is the number of cells behind a proportion.
    """

    figure: str
    value: float | None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    n: int | None = None


def figures(predictions: pd.DataFrame, near_duplicates: pd.DataFrame, resamples: int, seed: int) -> list[Figure]:
    """Compute all figures.

    Args:
        predictions: one row per row of the validation and test parts, copies included. Columns: protocol, fold, part,
            image, in_training, and as class names actual, unchanged, tta; perturbed has an initial per random draw.
        near_duplicates: n_leaked of n_cells for each seed; the column folds says "grouped" or "ungrouped".
        resamples, seed: of the bootstrap.
    """
    return [
        *_optimism(predictions, _Resampled(predictions, resamples, seed)),
        *_test_noise(_part(predictions, PROPOSED, "test"), resamples, seed),
        *_permuted_labels(_part(predictions, PROPOSED, "test")),
        *_near_duplicates(near_duplicates),
    ]


class _Resampled:
    """Accuracies as observed and in each resample. The same images are drawn for all of them.

    Differences are therefore paired, and all rows of an image, in whichever part or fold, are resampled together.
    """

    def __init__(self, predictions: pd.DataFrame, resamples: int, seed: int) -> None:
        first = predictions.drop_duplicates("image").sort_values("image")
        self._images = first["image"].to_numpy()
        self._counts = resample_counts(first["actual"], resamples, seed)

    def accuracy(self, part: pd.DataFrame, correct: Floats | Flags) -> Floats:
        """Return the accuracy for one value (n,) per row: whether it is correct, or how often."""
        return clustered_proportion(self._counts, self._sum(part, correct), self._sum(part, np.ones(len(part))))

    def reweighted(self, part: pd.DataFrame, correct: Flags, like: pd.DataFrame) -> Floats:
        """Return the accuracy at the class proportions of another part; a class without rows is left out."""
        hits, weights = np.zeros(len(self._counts)), np.zeros(len(self._counts))
        for label in np.unique(part["actual"]):
            of_label = (part["actual"] == label).to_numpy()
            weight = self._counts @ self._sum(like, (like["actual"] == label).to_numpy())
            hits += weight * clustered_proportion(
                self._counts, self._sum(part, of_label & correct), self._sum(part, of_label)
            )
            weights += weight
        return np.asarray(np.divide(hits, weights, out=np.full(len(weights), np.nan), where=weights > 0))

    def _sum(self, part: pd.DataFrame, values: Floats | Flags) -> Floats:
        """Sum values (n,) over the rows of each image."""
        place = np.searchsorted(self._images, part["image"].to_numpy())
        return np.asarray(np.bincount(place, weights=values, minlength=len(self._images)), np.float64)


def _optimism(predictions: pd.DataFrame, resampled: _Resampled) -> Iterator[Figure]:
    """Compare the validation accuracy of each protocol with the accuracy of the same networks on the test cells."""
    validation = {protocol: _part(predictions, protocol, "validation") for protocol in (ORIGINAL, PROPOSED)}
    test = {protocol: _part(predictions, protocol, "test").sort_values("image") for protocol in (ORIGINAL, PROPOSED)}
    correct = {protocol: _correct(part, "tta") for protocol, part in test.items()}
    validated = {protocol: resampled.accuracy(part, _correct(part, "tta")) for protocol, part in validation.items()}
    tested = {protocol: resampled.accuracy(part, correct[protocol]) for protocol, part in test.items()}
    reweighted = resampled.reweighted(test[ORIGINAL], correct[ORIGINAL], like=validation[ORIGINAL])
    perturbed = _perturbed_correct(validation[ORIGINAL])
    once = resampled.accuracy(validation[ORIGINAL], perturbed[:, 0])
    from_copies = validated[ORIGINAL] - reweighted

    for protocol, part in validation.items():
        in_training = round(float(part["in_training"].mean()), 4)
        yield Figure(f"{protocol}: validation rows in training", in_training, n=len(part))
    yield _bootstrapped("original: validation accuracy, perturbed once", once)
    yield _range("original: validation accuracy, perturbed", perturbed)
    yield _bootstrapped("original: optimism, perturbed once", once - tested[ORIGINAL])
    for protocol in (ORIGINAL, PROPOSED):
        yield _bootstrapped(f"{protocol}: validation accuracy", validated[protocol])
        yield _proportion(f"{protocol}: test accuracy", correct[protocol])
        yield _bootstrapped(f"{protocol}: optimism", validated[protocol] - tested[protocol])
    yield _bootstrapped("original: test accuracy, reweighted", reweighted)
    yield _bootstrapped("original: optimism from copies", from_copies)
    yield _bootstrapped("excess optimism", from_copies - (validated[PROPOSED] - tested[PROPOSED]))
    yield _bootstrapped("proposed - original: test accuracy", tested[PROPOSED] - tested[ORIGINAL])
    only = [int((correct[one] & ~correct[other]).sum()) for one, other in ((ORIGINAL, PROPOSED), (PROPOSED, ORIGINAL))]
    yield Figure("proposed - original: p", float(f"{mcnemar(*only):.3g}"), n=sum(only))


def _test_noise(test: pd.DataFrame, resamples: int, seed: int) -> Iterator[Figure]:
    """Measure what random perturbation of the test images does to the networks of the proposed protocol."""
    resampled = _Resampled(test, resamples, seed)
    unchanged, perturbed = _correct(test, "unchanged"), _perturbed_correct(test)
    difference = resampled.accuracy(test, perturbed.mean(axis=1)) - resampled.accuracy(test, unchanged)
    draws = _perturbed(test)
    yield _proportion("test accuracy, no augmentation", unchanged)
    yield _range("test accuracy, perturbed", perturbed)
    yield Figure("test accuracy, perturbed: standard deviation", round(float(perturbed.mean(axis=0).std(ddof=1)), 4))
    yield _bootstrapped("perturbed - no augmentation", difference)
    yield _proportion("prediction instability", (draws != draws[:, :1]).any(axis=1))


def _permuted_labels(test: pd.DataFrame) -> Iterator[Figure]:
    """Compare the sensitivity of each class with the one that the report would have printed under its name."""
    correct = _correct(test, "tta")
    by_class = {name: correct[(test["actual"] == name).to_numpy()] for name in CLASSES}
    for name in CLASSES:
        own, printed = by_class[name], by_class[CLASSES[PRINTED.index(name)]]
        yield _proportion(f"sensitivity: {name}", own)
        yield _proportion(f"printed sensitivity: {name}", printed)
        error = f"printed - sensitivity: {name}"
        if printed is own:
            yield Figure(error, 0.0)
        elif len(own) and len(printed):
            ends = newcombe(int(printed.sum()), len(printed), int(own.sum()), len(own))
            yield _figure(error, Estimate(float(printed.mean() - own.mean()), *ends), "Newcombe")
        else:
            yield Figure(error, None)


def _near_duplicates(table: pd.DataFrame) -> Iterator[Figure]:
    for folds, rows in table.groupby("folds"):
        counts, name = rows["n_leaked"].tolist(), f"near-duplicates in training, {folds} folds"
        ends = (min(counts), max(counts), "range") if len(counts) > 1 else ()
        yield Figure(name, counts[0], *ends)._replace(n=int(rows["n_cells"].iloc[0]))


def _part(predictions: pd.DataFrame, protocol: str, part: str) -> pd.DataFrame:
    return predictions[(predictions["protocol"] == protocol) & (predictions["part"] == part)]


def _correct(part: pd.DataFrame, column: str) -> Flags:
    return (part[column] == part["actual"]).to_numpy(np.bool_)


def _perturbed(part: pd.DataFrame) -> NDArray[np.str_]:
    """Return the predictions of each draw (n, draws), as the classes' initials."""
    return np.array([[*draws] for draws in part["perturbed"]])


def _perturbed_correct(part: pd.DataFrame) -> Flags:
    return np.asarray(_perturbed(part) == np.array([[name[0]] for name in part["actual"]]))


def _bootstrapped(name: str, values: Floats) -> Figure:
    return _figure(name, percentile_estimate(values), "bootstrap")


def _range(name: str, correct: Flags) -> Figure:
    draws = correct.mean(axis=0)
    return _figure(name, Estimate(float(draws.mean()), float(draws.min()), float(draws.max())), "range")


def _proportion(name: str, successes: Flags) -> Figure:
    hits, n = int(successes.sum()), len(successes)
    return _figure(name, Estimate(hits / n, *wilson(hits, n)), "Wilson")._replace(n=n) if n else Figure(name, None, n=0)


def _figure(name: str, estimate: Estimate, interval: str) -> Figure:
    value, low, high = (round(number, 4) + 0.0 for number in (estimate.value, estimate.low, estimate.high))  # no -0.0
    return Figure(name, value, low, high, interval)
