"""Sanity checks of models and their predictions: what could make a result meaningless after training."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bloodcells.evaluation.checks import Check, none_allowed
from bloodcells.evaluation.data_checks import Cell, differing
from bloodcells.evaluation.metrics import confusion
from bloodcells.inference.predictions import Predictions

TOLERANCE = 0.005
"""How much a probability may change when it is computed again. Processors round differently: multiplying as GPUs do
in TF32, imitated on a CPU, moved probabilities of the real cells by up to 0.0014, and a shift by two pixels by 0.01 to
0.04 (checkpoints of three models and two folds, 16 cells each)."""

STANDARD_ERRORS = 3.0
"""By how many standard errors another order of the class labels must be better before it counts as the true one."""


def recomputation(model: str, table: NDArray[np.float64], again: NDArray[np.float64]) -> list[Check]:
    """Compare probabilities (n, k) of the table of predictions with the same, computed again from the checkpoints."""
    change = float(np.nan_to_num(np.abs(table - again), nan=1.0).max(initial=0))
    return [
        Check(
            "recomputation",
            f"{model}: largest difference when computed again",
            round(change, 4),
            f"≤ {TOLERANCE:g}",
            change <= TOLERANCE,
            f"evaluation must not be random: see stages/evaluate.py, then `dvc repro -f evaluate@{model}`",
        )
    ]


def class_order(orders: Collection[Sequence[str]], classes: Sequence[str]) -> list[Check]:
    """Count the checkpoints and tables with the classes in another order than the data set."""
    other = sum(tuple(order) != tuple(classes) for order in orders)
    return [
        none_allowed("classes", "checkpoints with another order of classes", other, "run `dvc repro` to train again")
    ]


def class_permutation(model: str, p: Predictions) -> list[Check]:
    """Check whether class labels are permuted: whether other names for the predictions would fit much better.

    The best one-to-one renaming of the predicted classes (other than none) is the assignment with the largest mean
    sensitivity, found by the Hungarian method. Mean sensitivity, because by accuracy a model that has learned nothing
    and always predicts a rare class would look permuted. By chance a renaming may gain as much as the standard error
    of the gain allows, that of a difference of paired proportions in each class.
    """
    matrix = confusion(p)
    cells, own = matrix.sum(axis=1), np.arange(len(matrix))
    rates = matrix / np.maximum(cells, 1)[:, None]
    best = max((_renaming(rates, fixed) for fixed in own.tolist()), key=lambda names: float(rates[own, names].sum()))
    gain = float(rates[own, best].sum() - rates[own, own].sum()) / np.count_nonzero(cells)
    # As if one more cell were gained and one lost, so that few cells that agree by chance do not pass for certain.
    gained, lost = ((matrix[own, names] + 1) / (cells + 2) for names in (best, own))
    variance = (gained + lost - (gained - lost) ** 2) / np.maximum(cells, 1)
    renamed = (cells > 0) & (best != own)
    limit = STANDARD_ERRORS * float(np.sqrt(variance[renamed].sum())) / np.count_nonzero(cells)
    return [
        Check(
            "class permutation",
            f"{model}: gain from permuting class labels",
            round(gain, 4) + 0.0,  # no -0.0
            f"≤ {limit:.2g}",
            bool(gain <= limit),
            "class labels seem permuted: compare their order in the checkpoints with the label table",
        )
    ]


def coverage(part: str, models: Mapping[str, Predictions], cells: Collection[Cell]) -> list[Check]:
    """Count the cells that a model did not predict although it should, or with another label or fold, or others.

    Args:
        part: which table of predictions, "test" or "validation".
        models: their predictions.
        cells: those that the networks of the folds should have predicted.
    """
    count = sum(
        differing(cells, map(Cell, p.images, (p.classes[actual] for actual in p.actual), p.folds.tolist()))
        for p in models.values()
    )
    return [none_allowed("coverage", f"predictions that don't match the {part} parts", count, "run `dvc repro`")]


def _renaming(rates: NDArray[np.float64], fixed: int) -> NDArray[np.int64]:
    """Return the name of each class that maximizes the sum of rates (k, k); `fixed` must not keep its own."""
    allowed = rates.copy()
    allowed[fixed, fixed] = -len(rates)  # less than any sum of rates can make good
    return np.asarray(linear_sum_assignment(allowed, maximize=True)[1], dtype=np.int64)
