"""What each fault of the original report's protocol is worth: by how much it flatters, blurs or misnames."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.classes import CLASSES
from bloodcells.evaluation.bootstrap import Estimate, bootstrap
from bloodcells.evaluation.clusters import draw, estimate, share
from bloodcells.evaluation.intervals import wilson
from bloodcells.evaluation.paired_tests import contrast
from studies.original_report.predictions import FAULTY, OURS, TEST, VALIDATION, Answers
from studies.original_report.protocol import PRINTED

Floats = NDArray[np.float64]

BOOTSTRAP, WILSON, NEWCOMBE, RANGE = "bootstrap of images", "Wilson", "Newcombe", "least and most"
"""How the two ends of an interval were found."""


class Figure(NamedTuple):
    """A figure of the report: an accuracy or another share, a difference of two, or a count.

    `low` and `high` are the ends of what `interval` names, None where there is none; so is `value` if undefined.
    """

    figure: str
    value: float | None
    low: float | None
    high: float | None
    interval: str
    what: str

    @property
    def estimate(self) -> Estimate:
        """The value and its ends. Raises ValueError where there are none."""
        if self.value is None or self.low is None or self.high is None:
            raise ValueError(f"{self.figure} has no interval")
        return Estimate(self.value, self.low, self.high)


class Deal(NamedTuple):
    """Of one deal into folds: how many of the cells have a near-duplicate in the training part of their fold."""

    seed: int
    twins: int
    cells: int


def figures(answers: Answers, ordinary: Sequence[Deal], ours: Deal, resamples: int, seed: int) -> dict[str, Figure]:
    """Work out all figures, by their names.

    Args:
        answers: of the networks of both protocols, to the same test cells.
        ordinary: deals that ignore near-duplicates, the one of our seed first.
        ours: the deal that keeps them together.
        resamples, seed: of the bootstrap.
    """
    accuracies = _Accuracies(answers, resamples, seed)
    found = [
        *_copies(answers, accuracies),
        *_networks(answers, resamples, seed),
        *_random_change(answers, accuracies),
        *_names(answers.of(OURS, TEST)),
        *_twins(ordinary, ours),
    ]
    return {figure.figure: figure for figure in found}


class _Accuracies:
    """Accuracies on any part of the splits, as observed and in resamples that draw the same images for all of them.

    So differences are paired, an image's copies and what several folds' networks said of it stay together, and a part
    without copies is treated alike.
    """

    def __init__(self, answers: Answers, resamples: int, seed: int) -> None:
        self._images, first = np.unique(answers.image, return_index=True)
        self._times = draw(answers.actual[first], resamples, seed)

    def __call__(self, part: Answers, said: NDArray[np.int64]) -> Floats:
        """Give them for what was said (n,) of a part's rows, or (n, d) several times: the mean."""
        right = (said.reshape(len(part.actual), -1) == part.actual[:, None]).mean(axis=1)
        return share(self._times, self._by_image(part, right), self._by_image(part, np.ones(len(right))))

    def mixed(self, part: Answers, said: NDArray[np.int64], like: Answers) -> Floats:
        """Give them as they would be if the classes were mixed like those of another part's rows.

        A class without a row in `part` is left out.
        """
        right, mix = np.zeros(len(self._times)), np.zeros(len(self._times))
        for label in np.unique(part.actual):
            rows = part.actual == label
            weight = self._times @ self._by_image(like, (like.actual == label).astype(np.float64))
            hits = self._by_image(part, (rows & (said == label)).astype(np.float64))
            right += weight * share(self._times, hits, self._by_image(part, rows.astype(np.float64)))
            mix += weight
        return np.asarray(np.divide(right, mix, out=np.full(len(mix), np.nan), where=mix > 0))

    def _by_image(self, part: Answers, values: Floats) -> Floats:
        """Sum values of rows (n,) over the rows of each image."""
        place = np.searchsorted(self._images, part.image)
        return np.asarray(np.bincount(place, weights=values, minlength=len(self._images)), np.float64)


def _copies(answers: Answers, accuracies: _Accuracies) -> Iterator[Figure]:
    faulty, ours = answers.of(FAULTY, VALIDATION), answers.of(OURS, VALIDATION)
    claimed = accuracies(faulty, faulty.draws[:, 0])
    unchanged = accuracies(faulty, faulty.views)
    tested = {protocol: answers.of(protocol, TEST) for protocol in (FAULTY, OURS)}
    truth = {protocol: accuracies(part, part.views) for protocol, part in tested.items()}
    at_its_mix = accuracies.mixed(tested[FAULTY], tested[FAULTY].views, like=faulty)
    ours_claimed = accuracies(ours, ours.views)

    for name, part, whose in (("trained on", faulty, "the original's"), ("our trained on", ours, "our")):
        seen = round(float(part.in_training.mean()), 4)
        yield Figure(name, seen, None, None, "", f"share of {whose} validation rows whose image is trained on")
    yield _estimated("claim", claimed, "accuracy on the original's validation, images randomly changed once")
    drawn = (faulty.draws == faulty.actual[:, None]).mean(axis=0)
    yield _ranged("claim, mean of draws", drawn, f"the same, {len(drawn)} times")
    yield _estimated("claim, unchanged", unchanged, "the same, images unchanged")
    yield _right("truth", tested[FAULTY], tested[FAULTY].views, "accuracy of the same networks on the test cells")
    yield _estimated("flattery", claimed - truth[FAULTY], "claim - truth")
    yield _estimated("flattery, unchanged", unchanged - truth[FAULTY], "claim, unchanged - truth")
    yield _estimated("truth, mixed", at_its_mix, "truth, if the classes were mixed as in the original's validation")
    yield _estimated("flattery of copies", unchanged - at_its_mix, "claim, unchanged - truth, mixed")
    yield _estimated("our claim", ours_claimed, "accuracy on our validation, images unchanged")
    yield _right("our truth", tested[OURS], tested[OURS].views, "accuracy of our networks on the test cells")
    ours_flattery = ours_claimed - truth[OURS]
    yield _estimated("our flattery", ours_flattery, "our claim - our truth")
    yield _estimated("excess flattery", unchanged - at_its_mix - ours_flattery, "flattery of copies - our flattery")


def _networks(answers: Answers, resamples: int, seed: int) -> Iterator[Figure]:
    """Compare the networks of the two protocols on the same test cells."""
    parts = [answers.of(protocol, TEST) for protocol in (FAULTY, OURS)]
    order = [np.argsort(part.image) for part in parts]
    actual = parts[0].actual[order[0]]
    said = np.array([part.views[by] for part, by in zip(parts, order, strict=True)])
    drawn = bootstrap(actual, said, len(CLASSES), resamples, seed).difference("accuracy", 0, 1)
    test = contrast(actual, said[0], said[1], drawn)
    yield _figure("ours - original", drawn, BOOTSTRAP, "our truth - truth, on the same cells")
    yield Figure("ours - original, p", float(f"{test.p:.3g}"), None, None, "", "exact McNemar test of the same")


def _random_change(answers: Answers, accuracies: _Accuracies) -> Iterator[Figure]:
    """Say what random changes at test do to our networks."""
    ours = answers.of(OURS, TEST)
    drawn = (ours.draws == ours.actual[:, None]).mean(axis=0)
    yield _right("as it is", ours, ours.as_it_is, "accuracy of our networks on the test cells, one view, unchanged")
    yield _ranged("changed, mean of draws", drawn, f"the same, images randomly changed, {len(drawn)} times")
    yield Figure(
        "changed, deviation", round(float(drawn.std(ddof=1)), 4), None, None, "", "standard deviation of these draws"
    )
    difference = accuracies(ours, ours.draws) - accuracies(ours, ours.as_it_is)
    yield _estimated("changed - as it is", difference, "changed, mean of draws - as it is")
    fickle = int((ours.draws != ours.draws[:, :1]).any(axis=1).sum())
    yield _share("fickle", fickle, len(ours.image), "test cells whose class is another in some of the draws")


def _names(tested: Answers) -> Iterator[Figure]:
    """Say which sensitivity would have been printed for each class, and which it has."""
    hits = {name: int((tested.views[tested.actual == k] == k).sum()) for k, name in enumerate(CLASSES)}
    cells = {name: int((tested.actual == k).sum()) for k, name in enumerate(CLASSES)}
    for name in CLASSES:
        source = CLASSES[PRINTED.index(name)]
        yield _share(f"sensitivity: {name}", hits[name], cells[name], f"of {cells[name]} cells")
        yield _share(f"printed: {name}", hits[source], cells[source], f"under the report's names: that of {source}")
        off = Figure(f"misnamed: {name}", None, None, None, "", "printed - sensitivity")
        if source == name:
            off = off._replace(value=0.0)
        elif cells[name] and cells[source]:
            ends = newcombe(hits[source], cells[source], hits[name], cells[name])
            value = hits[source] / cells[source] - hits[name] / cells[name]
            off = _figure(off.figure, Estimate(value, *ends), NEWCOMBE, off.what)
        yield off


def newcombe(right: int, total: int, other_right: int, other_total: int) -> tuple[float, float]:
    """Give the 95 % interval of the difference of two shares of different cells, the first less the other.

    R. G. Newcombe, Statistics in Medicine 17 (1998), 873-890, method 10: from the two Wilson intervals.

    Raises:
        ValueError: nothing was counted in one of them.
    """
    share, other = right / total, other_right / other_total
    (low, high), (other_low, other_high) = wilson(right, total), wilson(other_right, other_total)
    difference = share - other
    return (
        difference - math.hypot(share - low, other_high - other),
        difference + math.hypot(high - share, other - other_low),
    )


def _twins(ordinary: Sequence[Deal], ours: Deal) -> Iterator[Figure]:
    counts = [deal.twins for deal in ordinary]
    yield Figure(
        "twins",
        counts[0],
        min(counts),
        max(counts),
        RANGE,
        f"of {ours.cells} cells: near-duplicate trained on, folds that ignore them ({len(counts)} seeds)",
    )
    yield Figure("our twins", ours.twins, None, None, "", f"of {ours.cells} cells: the same, our folds")


def _estimated(name: str, values: Floats, what: str) -> Figure:
    return _figure(name, estimate(values), BOOTSTRAP, what)


def _ranged(name: str, drawn: Floats, what: str) -> Figure:
    return _figure(name, Estimate(float(drawn.mean()), float(drawn.min()), float(drawn.max())), RANGE, what)


def _right(name: str, part: Answers, said: NDArray[np.int64], what: str) -> Figure:
    return _share(name, int((said == part.actual).sum()), len(part.actual), what)


def _share(name: str, part: int, whole: int, what: str) -> Figure:
    if not whole:
        return Figure(name, None, None, None, "", what)
    return _figure(name, Estimate(part / whole, *wilson(part, whole)), WILSON, what)


def _figure(name: str, of: Estimate, interval: str, what: str) -> Figure:
    """Make a figure, rounded to four digits."""
    value, low, high = (round(number, 4) + 0.0 for number in (of.value, of.low, of.high))  # no "-0.0"
    return Figure(name, value, low, high, interval, what)
