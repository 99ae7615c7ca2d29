"""Label doubt: cells whose label is contradicted by networks that never saw them, ranked for an expert to review.

The formulas are those of confident learning (C. G. Northcutt, L. Jiang, I. L. Chuang, Journal of Artificial
Intelligence Research 70 (2021), 1373-1411). The library cleanlab, which gives the same for one model, is not needed:
with the out-of-fold probabilities at hand they take a few lines, and it has no rule for several models' agreement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.errors import InputError
from bloodcells.inference.predictions import Predictions


@dataclass(frozen=True)
class Doubt:
    """A cell whose label is in doubt.

    Attributes:
        image: its file name.
        fold: the one in which it was tested.
        label: as the label table has it.
        suggested: the other class with the largest mean probability over the models; empty if none is against.
        against: how many models call it another class than its label.
        confident: how many do so confidently; see `confidently_against`.
        margin: mean over the models of `margins`.
        chances: each model's probability of the label.
        suggested_chance: mean over the models of the probability of `suggested`.
        twin: an image of the same cell under another label, or empty.
        twin_label: that label.
    """

    image: str
    fold: int
    label: str
    suggested: str
    against: int
    confident: int
    margin: float
    chances: tuple[float, ...]
    suggested_chance: float
    twin: str = ""
    twin_label: str = ""

    @property
    def label_chance(self) -> float:
        """Mean over the models of the probability of the label: its self-confidence."""
        return sum(self.chances) / len(self.chances)


def margins(p: Predictions) -> NDArray[np.float64]:
    """Give the normalised margin of each cell, (n,): the probability of its label less the largest other, -1 to 1."""
    cells = np.arange(len(p.actual))
    others = p.probabilities.copy()
    others[cells, p.actual] = -1
    return np.asarray(p.probabilities[cells, p.actual] - others.max(axis=1))


def confidently_against(p: Predictions) -> NDArray[np.bool_]:
    """Tell for each cell, (n,), whether the confident joint (equations 1 and 2 of the paper) counts it as mislabelled.

    It does where, among the classes whose probability is at least the mean that cells of that label are given for it,
    another than the label has the largest.
    """
    threshold = np.array(
        [
            p.probabilities[p.actual == number, number].mean() if (p.actual == number).any() else np.inf
            for number in range(len(p.classes))
        ]
    )
    enough = np.where(p.probabilities >= threshold, p.probabilities, -1.0)
    return np.asarray((enough.max(axis=1) >= 0) & (enough.argmax(axis=1) != p.actual))


def twins(p: Predictions, alike: NDArray[np.float32], threshold: float) -> dict[str, str]:
    """Find cells that were photographed twice and labelled differently: at most one of the labels is right.

    Args:
        p: names the n images and their labels.
        alike: (n, n) `duplicates.similarity` of the crops around the cells, at the same place in them.
        threshold: crops above it show the same cell.

    Returns:
        For each such image its most similar one under another label.
    """
    other = np.where(p.actual[:, None] != p.actual, alike, 0)
    return {p.images[row]: p.images[int(other[row].argmax())] for row in np.flatnonzero(other.max(axis=1) > threshold)}


def doubts(models: Mapping[str, Predictions], twin_of: Mapping[str, str]) -> list[Doubt]:
    """Give the cells that most of the models call otherwise, and those of `twins`.

    First those that more models are against, and of these first those of the least mean margin.

    Raises:
        InputError: the models were not tested on the same cells.
    """
    p = next(iter(models.values()))
    for name, other in models.items():
        if other.images != p.images or not np.array_equal(other.actual, p.actual):
            raise InputError(f"{name} was tested on other cells than {next(iter(models))}: run `dvc repro`")
    cells = np.arange(len(p.actual))
    chances = np.stack([model.probabilities for model in models.values()])
    against = np.sum([model.predicted != p.actual for model in models.values()], axis=0)
    confident = np.sum([confidently_against(model) for model in models.values()], axis=0)
    margin = np.mean([margins(model) for model in models.values()], axis=0)
    others = chances.mean(axis=0)
    others[cells, p.actual] = -1
    label_of = {image: p.classes[actual] for image, actual in zip(p.images, p.actual, strict=True)}
    result = []
    for row in np.lexsort((margin, -against)):
        twin = twin_of.get(p.images[row], "")
        if 2 * against[row] > len(models) or twin:
            suggested = int(others[row].argmax())
            result.append(
                Doubt(
                    p.images[row],
                    int(p.folds[row]),
                    p.classes[p.actual[row]],
                    p.classes[suggested] if against[row] else "",
                    int(against[row]),
                    int(confident[row]),
                    float(margin[row]),
                    tuple(chances[:, row, p.actual[row]].tolist()),
                    float(others[row, suggested]),
                    twin,
                    label_of.get(twin, ""),
                )
            )
    return result


def columns(models: Sequence[str]) -> list[str]:
    """Give the columns of `table`; those named like a model hold its probability of the label."""
    first = ["rank", "image", "fold", "label", "suggested", "models_against", "models_confident", "margin"]
    return [*first, "self_confidence", "twin", "twin_label", *models]


def table(found: Sequence[Doubt]) -> list[tuple[str | int | float, ...]]:
    """Give a row per doubt for `columns`, rounded to four digits."""
    return [
        (
            rank,
            doubt.image,
            doubt.fold,
            doubt.label,
            doubt.suggested,
            doubt.against,
            doubt.confident,
            round(doubt.margin, 4),
            round(doubt.label_chance, 4),
            doubt.twin,
            doubt.twin_label,
            *(round(chance, 4) for chance in doubt.chances),
        )
        for rank, doubt in enumerate(found, start=1)
    ]
