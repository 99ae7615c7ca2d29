"""The pointing game: whether the largest value of a heat map lies on the cell that it should explain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.geometry import Box
from bloodcells.evaluation.intervals import wilson

Heat = NDArray[np.float32]
"""Heat maps (n, height, width); no value is below 0."""

Masks = NDArray[np.bool_]
"""For each input (n, height, width) which of its pixels show the target."""


@dataclass(frozen=True)
class View:
    """Where a smear's part lies in an input: of the pixel (x, y) of the input, counted from 0, the middle shows the
    point (left + (x + 0.5) * across, top + (y + 0.5) * down) of the smear, in pixels from its top left.
    """

    left: float
    top: float
    across: float
    down: float


def view_of_crop(box: Box, size: int) -> View:
    """Give the view of a part of a smear that `bloodcells.pixels.cut` has scaled to (size, size)."""
    return View(box.left, box.top, (box.right - box.left) / size, (box.bottom - box.top) / size)


def view_of_whole(width: int, height: int, size: int) -> View:
    """Give the view of a whole smear that `bloodcells.pixels.letterbox` has put into the middle of (size, size)."""
    scale = size / max(width, height)
    columns, rows = (max(1, round(side * scale)) for side in (width, height))
    across, down = width / columns, height / rows
    return View(-across * ((size - columns) // 2), -down * ((size - rows) // 2), across, down)


def target(boxes: Sequence[Box], view: View, size: int, margin: float = 0.0) -> NDArray[np.bool_]:
    """Tell which pixels (size, size) of an input show a point in one of a smear's boxes, or within `margin` of one."""
    middles = np.arange(size) + 0.5
    x, y = view.left + middles * view.across, view.top + middles * view.down
    mask = np.zeros((size, size), np.bool_)
    for box in boxes:
        across = (box.left - margin <= x) & (x <= box.right + margin)
        down = (box.top - margin <= y) & (y <= box.bottom + margin)
        mask |= down[:, None] & across
    return mask


def peaks(heat: Heat) -> list[tuple[int, int] | None]:
    """Give row and column of each map's largest value; where it is flat there, of the middle. None if it is 0."""
    found: list[tuple[int, int] | None] = []
    for one in heat:
        rows, columns = np.nonzero(one == one.max())
        found.append((int(rows.mean()), int(columns.mean())) if one.any() else None)
    return found


@dataclass(frozen=True)
class Game:
    """The result of a pointing game over `cells` cells, one at least.

    J. Zhang et al., Top-down neural attention by excitation backprop, ECCV 2016, section 4.1: a hit is a map whose
    largest value lies on the target. A map without any heat points nowhere and is a miss.

    Attributes:
        hits: maps that point to their target.
        cells: maps in all.
        chance: the share that a random point would hit: the mean share of the input that the target covers.
        centre: the share that the middle of the input would hit. With a crop around the cell that is nearly all: there
            the game finds a model that looks past the cell, but is no proof of one that looks at it.
    """

    hits: int
    cells: int
    chance: float
    centre: float

    @property
    def share(self) -> float:
        """Share of the maps that point to their target."""
        return self.hits / self.cells

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the share."""
        return wilson(self.hits, self.cells)


def play(heat: Heat, targets: Masks) -> Game:
    """Play the pointing game with maps and their targets, both (n, height, width).

    Raises:
        ValueError: there is no map, or the shapes differ.
    """
    if heat.shape != targets.shape or not len(heat):
        raise ValueError(f"maps of shape {heat.shape}, targets of shape {targets.shape}")
    hits = sum(peak is not None and bool(mask[peak]) for peak, mask in zip(peaks(heat), targets, strict=True))
    middle = targets[:, targets.shape[1] // 2, targets.shape[2] // 2]
    return Game(hits, len(heat), float(targets.mean()), float(middle.mean()))


COLUMNS = ("model", "hits", "cells", "share", "low", "high", "chance", "centre")
"""The columns of `row`."""


def row(model: str, game: Game | None) -> tuple[str | float | None, ...]:
    """Give a model's row for `COLUMNS`, shares rounded to four digits; None (an empty cell) without a game."""
    if game is None:
        return (model, 0, 0, *[None] * 5)
    shares = (game.share, *game.interval, game.chance, game.centre)
    return (model, game.hits, game.cells, *(round(share, 4) for share in shares))
