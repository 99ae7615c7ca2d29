"""Shapes and textures of synthetic cells, on square patches whose origin is the center.

Light passes through the smear, and everything in it absorbs a part of it, so that overlaps are darker (Beer-Lambert).
A stain is therefore an absorbance for red, green and blue. Only additions, products, square roots and table look-ups
reach the pixels: all processors round these alike, so that a seed gives the same bytes on every machine that has the
same libraries.
"""

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Plane = NDArray[np.floating[Any]]
"""A float32 array (height, width)."""

Color = tuple[float, float, float]
"""Red, green and blue: of light, or absorbances."""


@cache
def patch_axes(side: int) -> tuple[Plane, Plane]:
    """Return x as a row and y as a column, in pixels from the center."""
    line = np.arange(side, dtype=np.float32) - (side - 1) / 2
    return line[None, :], line[:, None]


def smooth_noise(rng: Generator, side: int, size: float) -> Plane:
    """Return smooth noise in -1..1 with grains about `size` pixels wide."""
    nodes = math.ceil(side / size) + 4
    coarse = Image.fromarray(rng.integers(0, 256, (nodes, nodes), dtype=np.uint8))
    left, top = 1 + rng.random(), 1 + rng.random()
    box = (left, top, left + side / size, top + side / size)
    fine = coarse.resize((side, side), Image.Resampling.BICUBIC, box=box)
    return np.asarray(fine).astype(np.float32) * np.float32(1 / 127.5) - 1


def coverage_of(distance: Plane, edge: float = 2.0) -> Plane:
    """Convert a signed distance (negative inside) to a coverage in 0..1, with an edge `edge` pixels wide."""
    coverage: Plane = np.clip(0.5 - distance * (1 / edge), 0, 1)
    return coverage


def smoothstep(low: float, high: float, values: Plane) -> Plane:
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    part: Plane = np.clip((values - low) * (1 / (high - low)), 0, 1)
    return part * part * (3 - 2 * part)


def ellipse(x: Plane, y: Plane, center: tuple[float, float], axes: tuple[float, float], angle: float) -> Plane:
    """Return the approximate signed distance to an ellipse with these half axes."""
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = x - center[0], y - center[1]
    along, across = (cos * x + sin * y) * (1 / axes[0]), (cos * y - sin * x) * (1 / axes[1])
    return (np.sqrt(along * along + across * across) - 1) * min(axes)


def line(x: Plane, y: Plane, start: tuple[float, float], end: tuple[float, float], width: float) -> Plane:
    """Return the signed distance to a line from `start` to `end`, `width` pixels wide on either side."""
    run, rise = end[0] - start[0], end[1] - start[1]
    x, y = x - start[0], y - start[1]
    part = np.clip((x * run + y * rise) * (1 / (run * run + rise * rise + 1e-6)), 0, 1)
    x, y = x - part * run, y - part * rise
    return np.sqrt(x * x + y * y) - width


def smooth_union(one: Plane, other: Plane, round_off: float) -> Plane:
    """Return the signed distance to the union of two shapes, with rounded corners between them.

    This is the polynomial smooth minimum of I. Quilez, https://iquilezles.org/articles/smin
    """
    part = np.clip(0.5 + (other - one) * (0.5 / round_off), 0, 1)
    return other + (one - other) * part - round_off * part * (1 - part)


def scatter_granules(
    rng: Generator, where: NDArray[np.bool_], spacing: float, radius: tuple[float, float], share: float
) -> Plane:
    """Scatter granules over `where` and return their density in 0..1; a `share` of 1 packs them densely."""
    side = where.shape[0]
    knots = np.arange(0, side, spacing)
    columns, rows = np.meshgrid(knots, knots)
    keep = rng.random(columns.shape) < share
    columns = columns + rng.uniform(-0.5, 0.5, columns.shape) * spacing
    rows = rows + rng.uniform(-0.5, 0.5, rows.shape) * spacing
    sizes = rng.uniform(*radius, columns.shape)
    depths = rng.integers(150, 256, columns.shape)
    keep &= where[np.clip(rows, 0, side - 1).astype(int), np.clip(columns, 0, side - 1).astype(int)]
    picture = Image.new("L", (2 * side, 2 * side))
    draw = ImageDraw.Draw(picture)
    grains = np.stack([2 * columns, 2 * rows, 2 * sizes, depths], axis=-1)[keep]
    for x, y, r, depth in grains.tolist():
        draw.ellipse((x - r, y - r, x + r, y + r), fill=int(depth))
    return np.asarray(picture.reduce(2)).astype(np.float32) * np.float32(1 / 255)


def absorbance_of(*parts: tuple[Plane, Color]) -> Plane:
    """Sum stains: each amount (side, side) times its color gives absorbances (3, side, side)."""
    planes = [sum((amount * color[band] for amount, color in parts), np.float32(0)) for band in range(3)]
    return np.stack([np.asarray(plane, dtype=np.float32) for plane in planes])
