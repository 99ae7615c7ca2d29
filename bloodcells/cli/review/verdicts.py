"""Whether a model got better between two revisions: judged on the cells that both predicted under the same label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from bloodcells.evaluation.intervals import wilson
from bloodcells.evaluation.paired_tests import LEVEL, Paired, holm, paired
from bloodcells.inference.predictions import Predictions


class Judgement(StrEnum):
    """What is said of a model."""

    BETTER = "better"
    WORSE = "worse"
    NOISE = "within noise"
    SAME = "same predictions"
    NEW = "new"
    GONE = "gone"
    UNCOMPARABLE = "not comparable"


SIGNS = {
    Judgement.BETTER: "▲",
    Judgement.WORSE: "▼",
    Judgement.NOISE: "≈",
    Judgement.SAME: "=",
    Judgement.NEW: "+",
    Judgement.GONE: "×",
    Judgement.UNCOMPARABLE: "?",
}
"""A sign before each judgement, so that none is told by color alone."""


@dataclass(frozen=True)
class Flip:
    """A cell that one revision has right and the other wrong: its image, its label, what each said."""

    image: str
    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Verdict:
    """The judgement of one model, and what it rests on.

    compared: the paired comparison, head less base, whose p is adjusted for the models that were tested; None where
    the two can't be compared. relabelled: cells left out since their label is another one. came and went: cells that
    only the head has predicted, or only the base. fixed and broken: the cells that are right now and were not, and
    the reverse. interval: the head's accuracy as 95 % Wilson interval, on all cells that it predicted; None where it
    predicted none.
    """

    model: str
    judgement: Judgement
    compared: Paired | None = None
    relabelled: int = 0
    came: int = 0
    went: int = 0
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
) -> list[Verdict]:
    """Judge the models of one data set.

    A model is better or worse if the exact McNemar test says so at the level of `paired.LEVEL` after Holm's
    correction over the models whose predictions changed, and within noise otherwise.

    Args:
        base: the predictions of each model at the base.
        head: those at the head.
        unreadable: models that have a table which could not be read in one of the two.
        order: the models in the order in which they are told; others follow by name.
        resamples: how many resamples the interval of the difference is made of.
        seed: of these resamples.
    """
    found = base.keys() | head.keys() | unreadable
    models = [name for name in order if name in found]
    models += sorted(found - {*models})
    judged = [_judge(name, base.get(name), head.get(name), name in unreadable, resamples, seed) for name in models]
    tested = [place for place, one in enumerate(judged) if one.judgement is Judgement.NOISE]
    for place, p in zip(tested, holm([_compared(judged[place]).p for place in tested]), strict=True):
        compared = replace(_compared(judged[place]), p=p)
        judged[place] = replace(judged[place], compared=compared, judgement=_of(compared))
    return judged


def _compared(verdict: Verdict) -> Paired:
    assert verdict.compared is not None
    return verdict.compared


def _of(compared: Paired) -> Judgement:
    if compared.p >= LEVEL:
        return Judgement.NOISE
    return Judgement.BETTER if compared.difference > 0 else Judgement.WORSE


def _judge(
    model: str, base: Predictions | None, head: Predictions | None, unreadable: bool, resamples: int, seed: int
) -> Verdict:
    """Judge one model, as within noise where its predictions changed: how sure that is, all models together tell."""
    interval = None if head is None else wilson(int((head.predicted == head.actual).sum()), len(head.actual))
    if unreadable:
        return Verdict(model, Judgement.UNCOMPARABLE, interval=interval)
    if base is None or head is None:
        return Verdict(model, Judgement.NEW if base is None else Judgement.GONE, interval=interval)
    before = {image: place for place, image in enumerate(base.images)}
    both = [(before[image], place) for place, image in enumerate(head.images) if image in before]
    alike = [(old, new) for old, new in both if base.actual[old] == head.actual[new]]
    relabelled, came, went = len(both) - len(alike), len(head.images) - len(both), len(base.images) - len(both)
    if not alike:
        return Verdict(model, Judgement.UNCOMPARABLE, None, relabelled, came, went, interval=interval)
    fixed: list[Flip] = []
    broken: list[Flip] = []
    for old, new in alike:
        label, said, says = (
            head.classes[number] for number in (head.actual[new], base.predicted[old], head.predicted[new])
        )
        if (said == label) != (says == label):
            (fixed if says == label else broken).append(Flip(head.images[new], label, said, says))
    same = all(base.predicted[old] == head.predicted[new] for old, new in alike)
    return Verdict(
        model,
        Judgement.SAME if same else Judgement.NOISE,
        paired(base, head, resamples, seed),
        relabelled,
        came,
        went,
        tuple(sorted(fixed, key=lambda flip: flip.image)),
        tuple(sorted(broken, key=lambda flip: flip.image)),
        interval,
    )


def moved(base: Predictions, head: Predictions) -> float:
    """Give the largest change of a probability on the cells that both predicted, 0 without one."""
    before = dict(zip(base.images, base.probabilities, strict=True))
    changes = [
        float(np.abs(chances - before[image]).max())
        for image, chances in zip(head.images, head.probabilities, strict=True)
        if image in before
    ]
    return max(changes, default=0.0)
