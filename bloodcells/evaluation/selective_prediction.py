"""Selective prediction: what a model accepts, and how much of that is wrong."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bloodcells.evaluation.intervals import wilson

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """How many cells there are, how many of them are answered, and how many answers are wrong."""

    cells: int
    answered: int
    wrong: int

    @property
    def coverage(self) -> float:
        """Share of the cells that are answered."""
        return self.answered / self.cells

    @property
    def coverage_interval(self) -> tuple[float, float]:
        """Its 95 % Wilson interval."""
        return wilson(self.answered, self.cells)

    @property
    def risk(self) -> float | None:
        """Share of the answers that are wrong; None without an answer."""
        return self.wrong / self.answered if self.answered else None

    @property
    def risk_interval(self) -> tuple[float, float] | None:
        """Its 95 % Wilson interval."""
        return wilson(self.wrong, self.answered) if self.answered else None


def answers(confidence: ArrayLike, right: ArrayLike, threshold: float | Floats) -> Answers:
    """Count what is answered at a threshold, or at one for each cell (n,)."""
    answered = np.asarray(confidence, np.float64) >= threshold
    return Answers(len(answered), int(answered.sum()), int((answered & ~np.asarray(right, np.bool_)).sum()))


def risk_coverage(confidence: ArrayLike, right: ArrayLike) -> tuple[Floats, Floats]:
    """Give coverage and risk at each threshold that answers any cell, from the most confident cells to all of them.

    Cells of equal confidence are answered together.
    """
    sure, wrong = np.asarray(confidence, np.float64), ~np.asarray(right, np.bool_)
    order = np.argsort(-sure, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(sure[order])), len(sure) - 1)  # the last of each run of equal confidences
    answered = ends + 1
    return answered / len(sure), np.cumsum(wrong[order])[ends] / answered
