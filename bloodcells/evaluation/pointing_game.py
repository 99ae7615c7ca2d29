"""The pointing game: whether the largest value of a heat map lies on the cell that it should explain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bloodcells.core.geometry import Box
from bloodcells.evaluation.intervals import Interval, wilson

Heat = NDArray[np.float32]
"""Heat maps (n, height, width), without negative values."""

Masks = NDArray[np.bool_]
"""For each input (n, height, width), which of its pixels show the target."""


@dataclass(frozen=True)
class View:
    """Which part of an image an input shows.

    The center of the input's pixel (x, y), counted from 0, shows the point (left + (x + 0.5) * across,
    top + (y + 0.5) * down) of the image, in pixels from its top left.
    """

    left: float
    top: float
    across: float
    down: float


def view_of_crop(box: Box, side: int) -> View:
    """Return the view of a crop that was scaled to (side, side)."""
    return View(box.left, box.top, (box.right - box.left) / side, (box.bottom - box.top) / side)


def view_of_full_image(width: int, height: int, side: int) -> View:
    """Return the view of a full image, letterboxed into the middle of (side, side)."""
    scale = side / max(width, height)
    columns, rows = (max(1, round(length * scale)) for length in (width, height))
    across, down = width / columns, height / rows
    return View(-across * ((side - columns) // 2), -down * ((side - rows) // 2), across, down)


def target_mask(boxes: Sequence[Box], view: View, side: int, margin: float = 0.0) -> NDArray[np.bool_]:
    """Return which pixels (side, side) of an input show a point in one of the boxes, or within `margin` of it."""
    centers = np.arange(side) + 0.5
    x, y = view.left + centers * view.across, view.top + centers * view.down
    mask = np.zeros((side, side), np.bool_)
    for box in boxes:
        across = (box.left - margin <= x) & (x <= box.right + margin)
        down = (box.top - margin <= y) & (y <= box.bottom + margin)
        mask |= down[:, None] & across
    return mask


def peaks(heat: Heat) -> list[tuple[int, int] | None]:
    """Return row and column of each map's maximum (the middle of a flat one), or None for a map of zeros."""
    found: list[tuple[int, int] | None] = []
    for one in heat:
        rows, columns = np.nonzero(one == one.max())
        found.append((int(rows.mean()), int(columns.mean())) if one.any() else None)
    return found


@dataclass(frozen=True)
class PointingResult:
    """The result of a pointing game over at least one cell.

    J. Zhang et al., Top-down neural attention by excitation backprop, ECCV 2016, section 4.1: a hit is a map whose
    maximum lies on the target. A map of zeros is a miss.

    Attributes:
        hits: maps whose maximum lies on their target.
        cells: all maps.
        chance: what a random point would hit: the mean fraction of the input that the target covers.
        center: what the center of the input would hit. With a crop around the cell that is nearly all: there, the game
            finds a model that looks past the cell, but does not prove that one looks at it.
    """

    hits: int
    cells: int
    chance: float
    center: float

    @property
    def accuracy(self) -> float:
        """Fraction of the maps that are hits."""
        return self.hits / self.cells

    @property
    def interval(self) -> Interval:
        """The 95 % Wilson interval of the accuracy."""
        return wilson(self.hits, self.cells)


def pointing_game(heat: Heat, targets: Masks) -> PointingResult:
    """Play the pointing game with maps and their targets, both (n, height, width).

    Raises:
        ValueError: there are no maps, or the shapes differ.
    """
    if heat.shape != targets.shape or not len(heat):
        raise ValueError(f"maps of shape {heat.shape}, targets of shape {targets.shape}")
    hits = sum(peak is not None and bool(mask[peak]) for peak, mask in zip(peaks(heat), targets, strict=True))
    center = targets[:, targets.shape[1] // 2, targets.shape[2] // 2]
    return PointingResult(hits, len(heat), float(targets.mean()), float(center.mean()))


def pointing_table(results: Mapping[str, PointingResult | None]) -> pd.DataFrame:
    """Return a row per model; a model without annotated cells has no accuracy."""
    rows = [
        (model, 0, 0, *[np.nan] * 5)
        if result is None
        else (model, result.hits, result.cells, result.accuracy, *result.interval, result.chance, result.center)
        for model, result in results.items()
    ]
    return pd.DataFrame(rows, columns=["model", "hits", "cells", "accuracy", "low", "high", "chance", "center"])
