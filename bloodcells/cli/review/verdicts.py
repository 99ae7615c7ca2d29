"""Verdicts: whether a model got better between two revisions, on the cells that both predicted with the same label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from bloodcells.evaluation.clusters import Groups, cluster_numbers
from bloodcells.evaluation.intervals import Interval, proportion_interval
from bloodcells.evaluation.paired_tests import LEVEL, Paired, compare_paired, holm
from bloodcells.inference.predictions import Predictions


class Judgment(StrEnum):
    """The verdict on a model, in words."""

    BETTER = "better"
    WORSE = "worse"
    NOISE = "within noise"
    SAME = "same predictions"
    NEW = "new"
    REMOVED = "removed"
    UNCOMPARABLE = "not comparable"


SIGNS = {
    Judgment.BETTER: "▲",
    Judgment.WORSE: "▼",
    Judgment.NOISE: "≈",
    Judgment.SAME: "=",
    Judgment.NEW: "+",
    Judgment.REMOVED: "×",
    Judgment.UNCOMPARABLE: "?",
}
"""A sign before each judgment, so that color is not all that distinguishes them."""


@dataclass(frozen=True)
class Flip:
    """A cell that only one of the revisions predicts correctly: its image, its label, and both predictions."""

    image: str
    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Verdict:
    """The judgment of one model, and its grounds.

    Attributes:
        model: its name.
        judgment: in words.
        compared: the paired comparison, head minus base, whose p is adjusted for the models tested; None if the two
            can't be compared.
        relabeled: cells that are left out because their label changed.
        relabeled_correct: of these, those that are predicted correctly: by the base under the old label, by the base
            under the new label, and by the head under the new label.
        added, removed: cells that only the head predicted, or only the base.
        fixed, broken: cells that only the head predicts correctly, or only the base.
        interval: 95 % Wilson interval of the head's accuracy on all cells that it predicted; None if it predicted none.
    """

    model: str
    judgment: Judgment
    compared: Paired | None = None
    relabeled: int = 0
    relabeled_correct: tuple[int, int, int] = (0, 0, 0)
    added: int = 0
    removed: int = 0
    fixed: tuple[Flip, ...] = ()
    broken: tuple[Flip, ...] = ()
    interval: tuple[float, float] | None = None


def verdicts(
    base: Mapping[str, Predictions],
    head: Mapping[str, Predictions],
    unreadable: frozenset[str],
    order: Sequence[str],
    resamples: int,
    seed: int,
    groups: Groups | None = None,
) -> list[Verdict]:
    """Judge the models of one data set.

    A model is better or worse if the paired test is significant at `LEVEL` after Holm's correction for the models whose
    predictions changed; otherwise it is within noise.

    Args:
        base: the predictions of each model at the base.
        head: those at the head.
        unreadable: models with a table that can't be read in one of the two.
        order: of the models; others follow by name.
        resamples, seed: of the bootstrap interval of the difference.
        groups: of the cells, which intervals and tests take as independent; None if the cells are.
    """
    found = base.keys() | head.keys() | unreadable
    models = [name for name in order if name in found]
    models += sorted(found - {*models})
    judged = [
        _judge(name, base.get(name), head.get(name), name in unreadable, resamples, seed, groups) for name in models
    ]
    tested = [place for place, one in enumerate(judged) if one.judgment is Judgment.NOISE]
    for place, p in zip(tested, holm([_compared(judged[place]).p for place in tested]), strict=True):
        compared = replace(_compared(judged[place]), p=p)
        judged[place] = replace(judged[place], compared=compared, judgment=_of(compared))
    return judged


def _compared(verdict: Verdict) -> Paired:
    assert verdict.compared is not None
    return verdict.compared


def _of(compared: Paired) -> Judgment:
    if compared.p >= LEVEL:
        return Judgment.NOISE
    return Judgment.BETTER if compared.difference > 0 else Judgment.WORSE


def _judge(
    model: str,
    base: Predictions | None,
    head: Predictions | None,
    unreadable: bool,
    resamples: int,
    seed: int,
    groups: Groups | None,
) -> Verdict:
    """Judge one model; if its predictions changed, as within noise until all models are tested together."""
    interval = None if head is None else accuracy_interval(head, groups)
    if unreadable:
        return Verdict(model, Judgment.UNCOMPARABLE, interval=interval)
    if base is None or head is None:
        return Verdict(model, Judgment.NEW if base is None else Judgment.REMOVED, interval=interval)
    if base.classes != head.classes:
        return Verdict(model, Judgment.UNCOMPARABLE, interval=interval)
    position = {image: place for place, image in enumerate(base.images)}
    both = [(position[image], place) for place, image in enumerate(head.images) if image in position]
    alike = [(old, new) for old, new in both if base.actual[old] == head.actual[new]]
    others = [(old, new) for old, new in both if base.actual[old] != head.actual[new]]
    relabeled = (
        len(others),
        (
            sum(bool(base.correct[old]) for old, _ in others),
            sum(bool(base.predicted[old] == head.actual[new]) for old, new in others),
            sum(bool(head.correct[new]) for _, new in others),
        ),
    )
    added, removed = len(head.images) - len(both), len(base.images) - len(both)
    if not alike:
        return Verdict(model, Judgment.UNCOMPARABLE, None, *relabeled, added, removed, interval=interval)
    fixed: list[Flip] = []
    broken: list[Flip] = []
    for old, new in alike:
        label, was, is_now = (
            head.classes[number] for number in (head.actual[new], base.predicted[old], head.predicted[new])
        )
        if (was == label) != (is_now == label):
            (fixed if is_now == label else broken).append(Flip(head.images[new], label, was, is_now))
    same = all(base.predicted[old] == head.predicted[new] for old, new in alike)
    return Verdict(
        model,
        Judgment.SAME if same else Judgment.NOISE,
        compare_paired(base, head, resamples, seed, groups),
        *relabeled,
        added,
        removed,
        tuple(sorted(fixed, key=lambda flip: flip.image)),
        tuple(sorted(broken, key=lambda flip: flip.image)),
        interval,
    )


def accuracy_interval(p: Predictions, groups: Groups | None) -> Interval:
    """Return the 95 % Wilson interval of an accuracy."""
    return proportion_interval(p.correct, cluster_numbers(p.images, groups))


def moved(base: Predictions, head: Predictions) -> float:
    """Return the largest change of a probability on the cells that both predicted; 0 without such cells."""
    before = dict(zip(base.images, base.probabilities, strict=True))
    changes = [
        float(np.abs(probabilities - before[image]).max())
        for image, probabilities in zip(head.images, head.probabilities, strict=True)
        if image in before
    ]
    return max(changes, default=0.0)
