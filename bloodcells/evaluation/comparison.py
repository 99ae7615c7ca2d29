"""What stands beside what in the comparison: models, largest class, original report; and the models pair by pair."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bloodcells.core.errors import InputError
from bloodcells.evaluation.bootstrap import SCORES, Bootstrap, Estimate, bootstrap
from bloodcells.evaluation.intervals import wilson
from bloodcells.evaluation.metrics import confusion, mean_sensitivity, mean_specificity
from bloodcells.evaluation.paired_tests import LEVEL, Paired, aligned, cells_needed, contrast, holm
from bloodcells.inference.predictions import Predictions
from bloodcells.reporting import markdown


@dataclass(frozen=True)
class Entry:
    """One row of the comparison; the two means are over the classes, each against the rest."""

    name: str
    right: int
    cells: int
    mean_sensitivity: float
    mean_specificity: float
    kind: Literal["model", "baseline", "report"]

    @property
    def accuracy(self) -> float:
        """Share of the cells that are right."""
        return self.right / self.cells

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the accuracy."""
        return wilson(self.right, self.cells)


ORIGINAL_REPORT = (
    Entry("original report: ResNet", 28, 35, 0.92, 0.94, "report"),
    Entry("original report: EfficientNet", 32, 35, 0.86, 0.97, "report"),
    Entry("original report: AlexNet", 6, 35, 0.25, 0.75, "report"),
)
"""What the report that this project reproduces and corrects gives for its one holdout of 35 images."""

LARGEST_CLASS = "largest class"

COLUMNS = (
    "model",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "mean_sensitivity",
    "mean_specificity",
    "cells",
    "right",
)
"""The columns of `table`."""


def compare(models: Mapping[str, Predictions], largest: str) -> list[Entry]:
    """Give the entries: each model, then always the class `largest`, then the original report's figures.

    Raises:
        InputError: two models were not tested on the same cells.
    """
    first, *others = models
    for other in others:
        _same_cells(first, models[first], other, models[other])
    p = models[first]
    guess = np.full_like(p.actual, p.classes.index(largest))
    return [
        *(_entry(name, one, one.predicted, "model") for name, one in models.items()),
        _entry(LARGEST_CLASS, p, guess, "baseline"),
        *ORIGINAL_REPORT,
    ]


def table(entries: Sequence[Entry]) -> list[tuple[str | float | int, ...]]:
    """Give a row per entry for `COLUMNS`, shares rounded to four digits."""
    return [
        (
            entry.name,
            round(entry.accuracy, 4),
            *(round(bound, 4) for bound in entry.interval),
            round(entry.mean_sensitivity, 4),
            round(entry.mean_specificity, 4),
            entry.cells,
            entry.right,
        )
        for entry in entries
    ]


def entry_lines(entries: Sequence[Entry]) -> str:
    """Give the entries as a table of GitHub's Markdown, in columns that read as well as plain text.

    Sensitivity and specificity are the means over the classes.
    """
    head = ("", "right", "accuracy, 95 % interval", "sens.", "spec.")
    rows = [
        (
            entry.name.removeprefix("original "),
            f"{entry.right} of {entry.cells}",
            _with_interval(entry.accuracy, *entry.interval),
            f"{entry.mean_sensitivity:.{_digits(entry)}f}",
            f"{entry.mean_specificity:.{_digits(entry)}f}",
        )
        for entry in entries
    ]
    return markdown.table(head, rows)


def _with_interval(value: float, low: float, high: float) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*(round(number, 3) + 0.0 for number in (value, low, high)))  # no "-0.000"


def _digits(entry: Entry) -> int:
    return 2 if entry.kind == "report" else 3  # the report printed two


def _entry(name: str, p: Predictions, predicted: np.ndarray, kind: Literal["model", "baseline"]) -> Entry:
    matrix = confusion(p.actual, predicted, len(p.classes))
    right, cells = int(np.trace(matrix)), int(matrix.sum())
    return Entry(name, right, cells, mean_sensitivity(matrix), mean_specificity(matrix), kind)


def resample(models: Mapping[str, Predictions], resamples: int, seed: int) -> Bootstrap:
    """Draw the cells of all models anew, the same for all; the models keep their order."""
    actual, predicted = aligned([*models.values()])
    return bootstrap(actual, predicted, len(next(iter(models.values())).classes), resamples, seed)


INTERVAL_COLUMNS = ("model", "score", "value", "low", "high", "method")
"""The columns of `interval_table`."""


def interval_table(
    models: Mapping[str, Predictions], drawn: Bootstrap
) -> list[tuple[str, str, float | None, float | None, float | None, str]]:
    """Give a row for each score of each model, and of each class, for `INTERVAL_COLUMNS`, to four digits.

    Proportions have Wilson intervals, the means over classes those of the bootstrap. The interval of a class's
    precision takes it as given how many cells were taken for it. A share of nothing is None (an empty cell).
    """
    rows: list[tuple[str, str, float | None, float | None, float | None, str]] = []
    for number, (name, p) in enumerate(models.items()):
        for score, part, whole in _proportions(p):
            found = (part / whole, *wilson(part, whole)) if whole else (None, None, None)
            value, low, high = (None if share is None else round(share, 4) for share in found)
            rows.append((name, score, value, low, high, "Wilson"))
        for score in _MEANS:
            of = drawn.score(score, number)
            rows.append((name, score, round(of.value, 4), round(of.low, 4), round(of.high, 4), "stratified bootstrap"))
    return rows


_MEANS = tuple(score for score in SCORES if score != "accuracy")  # a proportion, for which there is Wilson's


def _proportions(p: Predictions) -> Iterator[tuple[str, int, int]]:
    """Yield each score of a model that is a count out of a count."""
    matrix = confusion(p.actual, p.predicted, len(p.classes))
    cells = int(matrix.sum())
    yield "accuracy", int(np.trace(matrix)), cells
    for number, label in enumerate(p.classes):
        hits, support, taken = int(matrix[number, number]), int(matrix[number].sum()), int(matrix[:, number].sum())
        yield f"sensitivity: {label}", hits, support
        yield f"specificity: {label}", cells - support - taken + hits, cells - support
        yield f"precision: {label}", hits, taken


def interval_lines(models: Sequence[str], drawn: Bootstrap) -> str:
    """Give the means over the classes with their bootstrap intervals as a table of Markdown, in columns."""
    rows = [
        (score if not number else "", name, _with_interval(of.value, of.low, of.high))
        for score in _MEANS
        for number, name in enumerate(models)
        for of in [drawn.score(score, number)]
    ]
    return markdown.table(("", "model", "value, 95 % interval"), rows, names=2)


def too_sure(models: Mapping[str, Predictions]) -> list[str]:
    """Name the models whose bootstrap intervals are too narrow: right on all cells of some class, or on none."""
    return [
        name
        for name, p in models.items()
        if any((p.predicted[p.actual == label] == label).mean() in (0, 1) for label in np.unique(p.actual))
    ]


@dataclass(frozen=True)
class Pair:
    """Two models on the same cells, as one of several pairs that are tested together.

    `paired` has the test, a being `first` and b `second`; `p_holm` is its p after Holm's adjustment for all `tests`.
    `differences` has the second model's scores less the first's, by the names of `SCORES`.
    """

    first: str
    second: str
    paired: Paired
    p_holm: float
    tests: int
    differences: Mapping[str, Estimate]

    @property
    def better(self) -> str | None:
        """The model that is shown to be right more often, if one is."""
        if self.p_holm >= LEVEL:
            return None
        return self.second if self.paired.b_only > self.paired.a_only else self.first

    @property
    def verdict(self) -> str:
        """Which model is better, in words."""
        if self.better is None:
            return "no difference shown"
        return f"{self.better} better than {self.second if self.better == self.first else self.first}"

    @property
    def cells_needed(self) -> int | None:
        """How many cells it takes to show the difference seen among all tests, None where none was seen."""
        return cells_needed(self.paired.a_only, self.paired.b_only, self.paired.cells, self.tests)


def pairs(models: Mapping[str, Predictions], drawn: Bootstrap) -> list[Pair]:
    """Test each pair of models; `drawn` is what `resample` gave for them."""
    actual, predicted = aligned([*models.values()])
    places = [*itertools.combinations(range(len(models)), 2)]
    differences = [{score: drawn.difference(score, i, j) for score in SCORES} for i, j in places]
    tests = [
        contrast(actual, predicted[i], predicted[j], of["accuracy"])
        for (i, j), of in zip(places, differences, strict=True)
    ]
    names = [*models]
    return [
        Pair(names[i], names[j], test, p_holm, len(tests), of)
        for (i, j), test, p_holm, of in zip(places, tests, holm([t.p for t in tests]), differences, strict=True)
    ]


PAIR_COLUMNS = (
    "first",
    "second",
    "difference",
    "low",
    "high",
    "only_first_right",
    "only_second_right",
    "p",
    "p_holm",
    "verdict",
    "cells_needed",
)
"""The columns of `pair_table`."""


def pair_table(tested: Sequence[Pair]) -> list[tuple[str | float | int | None, ...]]:
    """Give a row per pair for `PAIR_COLUMNS`: accuracies to four digits, p to three significant ones."""
    return [
        (
            pair.first,
            pair.second,
            *_rounded(pair.differences["accuracy"]),
            pair.paired.a_only,
            pair.paired.b_only,
            float(f"{pair.paired.p:.3g}"),
            float(f"{pair.p_holm:.3g}"),
            pair.verdict,
            pair.cells_needed,
        )
        for pair in tested
    ]


DIFFERENCE_COLUMNS = ("first", "second", "score", "difference", "low", "high")
"""The columns of `difference_table`."""


def difference_table(tested: Sequence[Pair]) -> list[tuple[str | float, ...]]:
    """Give a row per score and pair for `DIFFERENCE_COLUMNS`: second less first, to four digits."""
    return [
        (pair.first, pair.second, score, *_rounded(of)) for pair in tested for score, of in pair.differences.items()
    ]


def _rounded(of: Estimate) -> tuple[float, float, float]:
    return round(of.value, 4) + 0.0, round(of.low, 4) + 0.0, round(of.high, 4) + 0.0  # no "-0.0"


def in_words(pair: Pair) -> str:
    """Say in an item of a Markdown list which of two models is better, how sure that is, and what it would take."""
    test = pair.paired
    ahead, behind, difference = pair.second, pair.first, (test.difference, test.low, test.high)
    only_ahead, only_behind = test.b_only, test.a_only
    if test.a_only > test.b_only:
        ahead, behind, difference = behind, ahead, (-test.difference, -test.high, -test.low)
        only_ahead, only_behind = only_behind, only_ahead
    said = [f"**{pair.verdict}**." if pair.better else f"{pair.first} and {pair.second}: **{pair.verdict}**."]
    if pair.cells_needed:
        said.append(f"{ahead} is ahead by {_with_interval(*difference)}.")
    elif only_ahead:
        said.append(f"They are right equally often: {_with_interval(*difference)}.")
    else:
        said.append("They are right on the same cells, so that nothing speaks for either: p = 1.")
    if only_ahead:
        said.append(f"Only {ahead} is right on {only_ahead} of the cells, only {behind} on {only_behind}:")
        said.append(f"{said_p(test.p)}, after Holm {said_p(pair.p_holm)}.")
    if pair.cells_needed:
        said.append(f"To show such a difference takes about {pair.cells_needed} cells.")
    unbroken = [sentence.replace("p = ", "p\xa0=\xa0") for sentence in said]
    return markdown.item(*unbroken).replace("\xa0", " ")


def said_p(value: float) -> str:
    """Give a p value as a sentence has it: "p = 0.012", "p < 0.0001"."""
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.3g}"


def _same_cells(first: str, one: Predictions, second: str, other: Predictions) -> None:
    """Raise InputError unless both were tested on the same cells, in the same folds, under the same labels."""
    cells = [
        {image: (int(fold), int(actual)) for image, fold, actual in zip(p.images, p.folds, p.actual, strict=True)}
        for p in (one, other)
    ]
    unlike = sorted(image for image in cells[0].keys() | cells[1].keys() if cells[0].get(image) != cells[1].get(image))
    if unlike:
        said = [
            f"{name} tested it in fold {of[unlike[0]][0]} as {one.classes[of[unlike[0]][1]]}"
            if unlike[0] in of
            else f"{name} did not test it"
            for name, of in zip((first, second), cells, strict=True)
        ]
        raise InputError(
            f"{first} and {second} can't be compared: {len(unlike)} cells differ, the first {unlike[0]} "
            f"({', '.join(said)}); run `dvc repro`, which tests all models on the same cells"
        )
