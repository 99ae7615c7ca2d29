"""The scene of a synthetic smear: where its cells lie, and how a camera sees them."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from bloodcells.core.geometry import Box
from bloodcells.datasets.synthetic.cells import WHITE_CELLS, Patch, platelet, red_cell
from bloodcells.datasets.synthetic.plan import Smear
from bloodcells.datasets.synthetic.shapes import Color, Plane, smooth_noise

WIDTH, HEIGHT = 640, 480
"""Size of an image in pixels."""


@dataclass(frozen=True)
class BoundingBox(Box):
    """The visible part of a cell in a smear."""

    name: str
    """`WBC`, `RBC` or `Platelets`."""
    truncated: bool
    """Whether the edge of the image cuts the cell off."""


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return math.sqrt((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2)


def _spread(rng: Generator, radii: list[float]) -> list[tuple[float, float]]:
    """Return a position for each white cell: its center well inside the image, no two of them touching."""
    places: list[tuple[float, float]] = []
    for radius in radii:
        margin = 0.72 * radius
        tries = []
        for _ in range(60):
            place = (rng.uniform(margin, WIDTH - margin), rng.uniform(margin, HEIGHT - margin))
            gap = (
                min((_distance(place, other) - near for other, near in zip(places, radii, strict=False)), default=1e9)
                - radius
            )
            tries.append((gap, place))
            if gap > 15:
                break
        places.append(max(tries)[1])
    return places


class _Canvas:
    """Absorbances of the smear, and the bounding boxes of the cells on it."""

    def __init__(self, shift: tuple[int, int]) -> None:
        self.absorbance = np.zeros((3, HEIGHT, WIDTH), np.float32)
        self.boxes: list[BoundingBox] = []
        self._shift = shift

    def add(self, name: str, patch: Patch, center: tuple[float, float], stain: Plane, displace: float = 0.0) -> None:
        """Add a cell, and remove the fraction `displace` of what it covers."""
        side = patch.coverage.shape[0]
        left = round(center[0]) - side // 2 + self._shift[0]
        top = round(center[1]) - side // 2 + self._shift[1]
        x0, x1, y0, y1 = max(0, left), min(WIDTH, left + side), max(0, top), min(HEIGHT, top + side)
        if x0 >= x1 or y0 >= y1:
            return
        window = np.s_[:, y0:y1, x0:x1]
        part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        if displace:
            self.absorbance[window] *= 1 - displace * patch.coverage[part]
        self.absorbance[window] += patch.absorbance[:, *part] * stain[:, None, None]
        covered = patch.coverage > 0.4
        across, down = np.flatnonzero(covered.any(0)), np.flatnonzero(covered.any(1))
        whole = (left + int(across[0]), top + int(down[0]), left + int(across[-1]) + 1, top + int(down[-1]) + 1)
        visible = (max(0, whole[0]), max(0, whole[1]), min(WIDTH, whole[2]), min(HEIGHT, whole[3]))
        if min(visible[2] - visible[0], visible[3] - visible[1]) >= 10:  # no box for slivers
            self.boxes.append(BoundingBox(*visible, name=name, truncated=visible != whole))


_STEPS = 512  # of the table per unit of absorbance
_MAX_DEPTH = 4.0  # absorbance


@cache
def _transmission() -> Plane:
    """Tabulate exp(-absorbance): unlike a vectorized exp, a table is the same on every machine."""
    return np.array([math.exp(-step / _STEPS) for step in range(-_STEPS // 2, int(_MAX_DEPTH * _STEPS))], np.float32)


def _expose(absorbance: Plane, light: Plane, color: Color) -> NDArray[np.uint8]:
    """Convert absorbances (3, height, width) to 8-bit values of the transmitted light."""
    table = _transmission()
    index = (absorbance * _STEPS + (_STEPS // 2 + 0.5)).astype(np.int32)
    np.clip(index, 0, len(table) - 1, out=index)
    values = table[index]
    for band in range(3):
        values[band] *= light * np.float32(color[band])
    return np.minimum(values, 255).astype(np.uint8)


def _light(rng: Generator) -> Plane:
    """Return the illumination: about 1 in the center, less in the corners, slightly mottled."""
    across = (np.arange(WIDTH, dtype=np.float32) - WIDTH * rng.uniform(0.4, 0.6)) * np.float32(1 / WIDTH)
    down = (np.arange(HEIGHT, dtype=np.float32) - HEIGHT * rng.uniform(0.4, 0.6)) * np.float32(1 / WIDTH)
    fall = rng.uniform(0.08, 0.22)
    mottle = smooth_noise(rng, WIDTH, 60)[:HEIGHT] * np.float32(0.012)
    return 1 + mottle - fall * (across * across)[None, :] - fall * (down * down)[:, None]


def render(smear: Smear) -> tuple[NDArray[np.uint8], tuple[BoundingBox, ...]]:
    """Draw a smear.

    Returns:
        Its pixels, uint8 (480, 640, 3) in RGB, and the bounding boxes of its cells, white cells last.
    """
    rng = default_rng(SeedSequence((smear.seed, 1, smear.scene)))
    camera = default_rng(SeedSequence((smear.seed, 2, smear.number)))

    brightness = rng.uniform(0.93, 1.05)
    warmth = rng.uniform(-0.03, 0.03)
    color = (197 * brightness * (1 + warmth), 202 * brightness, 196 * brightness * (1 - 1.4 * warmth))
    light = _light(rng)
    blur = rng.uniform(0.6, 2.0) + (rng.uniform(0, 2.5) if rng.random() < 0.3 else 0) + camera.uniform(0, 0.2)
    strength, redder, yellower = rng.uniform(0.78, 1.2), rng.uniform(-0.16, 0.16), rng.uniform(-0.05, 0.05)
    stain = np.array([strength * (1 - redder), strength, strength * (1 + yellower)], np.float32)
    rust = np.array([1, 1, 1], np.float32) * np.float32(rng.uniform(0.85, 1.12))

    white_cells = [WHITE_CELLS[name](rng) for name in smear.cells]
    radii = [patch.coverage.shape[0] / 2.44 for patch in white_cells]
    places = _spread(rng, radii)

    canvas = _Canvas(smear.shift)
    reds: list[tuple[float, float]] = []
    for _ in range(int(rng.integers(17, 30))):
        radius = rng.uniform(43, 56)
        gap = rng.uniform(0.7, 1.9) * radius
        for _ in range(12):
            place = (rng.uniform(-20, WIDTH + 20), rng.uniform(-20, HEIGHT + 20))
            free = all(_distance(place, other) > gap for other in reds)
            if free and all(_distance(place, at) > near + 0.6 * radius for at, near in zip(places, radii, strict=True)):
                reds.append(place)
                canvas.add("RBC", red_cell(rng, radius), place, rust)
                break
    for _ in range(int(rng.integers(1, 6))):
        place = (rng.uniform(10, WIDTH - 10), rng.uniform(10, HEIGHT - 10))
        patch = platelet(rng)
        if all(_distance(place, at) > near + 12 for at, near in zip(places, radii, strict=True)):
            canvas.add("Platelets", patch, place, stain, displace=0.4)
    for patch, place in zip(white_cells, places, strict=True):
        canvas.add("WBC", patch, place, stain, displace=0.85)

    exposed = _expose(canvas.absorbance, light, color)
    noise = camera.integers(0, 256, (2, HEIGHT, WIDTH), dtype=np.uint8).astype(np.int16).sum(0, dtype=np.int16)
    noise = (noise - 255) // int(camera.integers(34, 60))
    drift = int(camera.integers(-2, 3))
    focus = ImageFilter.GaussianBlur(blur)
    bands = [np.asarray(Image.fromarray(band).filter(focus)) for band in exposed]
    pixels = np.stack([np.clip(band + noise + drift, 0, 255).astype(np.uint8) for band in bands], axis=-1)
    return pixels, tuple(canvas.boxes)
