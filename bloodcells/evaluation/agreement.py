"""How far two readers agree on the labels of the same cells."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bloodcells.core.errors import InputError
from bloodcells.datasets.corrections import UNSURE, Correction
from bloodcells.datasets.record import normalize_label
from bloodcells.evaluation.intervals import wilson


@dataclass(frozen=True)
class Agreement:
    """The agreement of two readers.

    Attributes:
        both: cells that both read.
        unsure: those of them on which a reader is unsure; they are in none of the figures below.
        agreed: what the first reader says about each cell on which both say the same.
        disagreed: what the two say about each other cell.
        proportion: of the cells on which they agree, with its 95 % Wilson interval.
        kappa: Cohen's, with its 95 % interval. NaN where undefined: kappa if both name one class only, the interval if
            they always agree, or one of them names one class only.
    """

    both: int
    unsure: tuple[tuple[Correction, Correction], ...]
    agreed: tuple[tuple[Correction, Correction], ...]
    disagreed: tuple[tuple[Correction, Correction], ...]
    proportion: tuple[float, float, float]
    kappa: tuple[float, float, float]


def agreement(first: Sequence[Correction], second: Sequence[Correction]) -> Agreement:
    """Compare what two readers say about the cells that both read.

    J. Cohen, Educational and Psychological Measurement 20 (1960), 37-46; the interval is from the large-sample standard
    error of J. L. Fleiss, J. Cohen and B. S. Everitt, Psychological Bulletin 72 (1969), 323-327.

    Raises:
        InputError: they have no cell in common on which both decided.
    """
    other = {one.image: one for one in second}
    pairs = [(one, other[one.image]) for one in first if one.image in other]
    unsure = tuple(pair for pair in pairs if UNSURE in map(_class, pair))
    decided = [pair for pair in pairs if UNSURE not in map(_class, pair)]
    if not decided:
        files = " and ".join(str(readings[0].file) if readings else "an empty file" for readings in (first, second))
        raise InputError(f"{files} have no cell on which both readers decided: let both read the same page")
    agreed = tuple(pair for pair in decided if _class(pair[0]) == _class(pair[1]))
    low, high = wilson(len(agreed), len(decided))
    return Agreement(
        len(pairs),
        unsure,
        agreed,
        tuple(pair for pair in decided if _class(pair[0]) != _class(pair[1])),
        (len(agreed) / len(decided), low, high),
        _kappa([(_class(a), _class(b)) for a, b in decided]),
    )


def _class(one: Correction) -> str:
    return normalize_label(one.new)


def _kappa(named: Sequence[tuple[str, str]]) -> tuple[float, float, float]:
    from statsmodels.stats.inter_rater import cohens_kappa  # noqa: PLC0415 (takes a second to import)

    classes = sorted({name for pair in named for name in pair})
    if len(classes) < 2:
        return (math.nan,) * 3
    table = np.zeros((len(classes), len(classes)), np.int64)
    for a, b in named:
        table[classes.index(a), classes.index(b)] += 1
    with np.errstate(invalid="ignore"):  # where the variance is 0, rounding may make it negative
        result = cohens_kappa(table)
    if not result.var_kappa > 1e-12:
        return float(result.kappa), math.nan, math.nan
    return float(result.kappa), max(-1.0, float(result.kappa_low)), min(1.0, float(result.kappa_upp))
