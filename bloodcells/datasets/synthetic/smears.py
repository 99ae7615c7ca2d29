"""How a blood smear is drawn from a seed: the offline data set `rendered`.

Light passes through the smear and each thing in it absorbs a part, so that what overlaps gets darker (Beer-Lambert).
A stain is therefore an absorbance for red, green and blue, and a cell is a patch of absorbances that is added to a
canvas. The pixels see only additions, products, roots and tables, which every processor rounds alike: with the same
libraries a seed should give the same bytes on another machine too.
"""

import math
import os
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from tqdm import tqdm

from bloodcells.core.classes import CLASSES, RARE
from bloodcells.core.files import atomic_write, write_csv, write_text

WIDTH, HEIGHT = 640, 480
"""Size of a smear in pixels."""

SMALLEST = 20
"""With fewer images than these, not every class and defect could be among them."""

Plane = NDArray[np.floating[Any]]  # 32 bits wide everywhere
Colour = tuple[float, float, float]

# Shares of the published set: 366 images, of which 347 show a single cell that can be learned.
_IMAGES = 366
_DOUBLES = 15
_BASOPHILS = 3
_BLANK_WITHOUT_IMAGE = 43
_ANNOTATED = 343
_SINGLES = {"eosinophil": 88, "lymphocyte": 33, "monocyte": 20, "neutrophil": 206}

_PAIRS = (
    ("neutrophil", "eosinophil"),
    ("neutrophil", "neutrophil"),
    ("eosinophil", "eosinophil"),
    ("neutrophil", "lymphocyte"),
    ("neutrophil", "monocyte"),
    ("lymphocyte", "lymphocyte"),
    ("eosinophil", "lymphocyte"),
    ("monocyte", "lymphocyte"),
)


@dataclass(frozen=True)
class Smear:
    """One row of the label table, and what its image shows if it has one."""

    number: int
    """Its number in the table and in the names of its files."""
    category: str
    """Its label as the table spells it."""
    cells: tuple[str, ...]
    """The classes of its white cells: none, one or two."""
    drawn: bool
    """Whether there is an image of it."""
    annotated: bool
    """Whether there is an annotation of that image."""
    seed: int
    """The data set's seed."""
    scene: int
    """Which scene is seen: near-duplicates see the same one. With the seed it decides on all but the noise."""
    shift: tuple[int, int] = (0, 0)
    """By how many pixels the scene is moved to the right and down."""

    @property
    def name(self) -> str:
        """The stem of its files' names."""
        return f"BloodImage_{self.number:05d}"


@dataclass(frozen=True)
class Marking:
    """What lies where in a smear, in pixels; the right and bottom edges are exclusive."""

    name: str
    left: int
    top: int
    right: int
    bottom: int
    truncated: bool


# ---- what is drawn


def counts(images: int) -> dict[str, int]:
    """Say how many of `images` images show one cell of each class, a basophil, two cells ("double") or none ("blank").

    The shares are those of the published set, but that no class that is learned has fewer than a sixth of the
    images or 6 (lymphocyte 8), whichever is less.

    Raises:
        ValueError: fewer than `SMALLEST` images.
    """
    if images < SMALLEST:
        raise ValueError(f"a set of fewer than {SMALLEST} images can't hold all classes and defects (got {images})")
    double = max(2, round(images * _DOUBLES / _IMAGES))  # two at least, one for each spelling
    basophil = max(1, round(images * _BASOPHILS / _IMAGES))
    singles = images - double - basophil - 1
    share = singles / sum(_SINGLES.values())
    least = images // 6
    monocyte = max(min(6, least), round(share * _SINGLES["monocyte"]))
    lymphocyte = max(min(8, least), round(share * _SINGLES["lymphocyte"]))
    granular = singles - monocyte - lymphocyte
    share = granular / (_SINGLES["eosinophil"] + _SINGLES["neutrophil"])
    eosinophil = max(min(6, least), round(share * _SINGLES["eosinophil"]))
    return {
        "eosinophil": eosinophil,
        "lymphocyte": lymphocyte,
        "monocyte": monocyte,
        "neutrophil": granular - eosinophil,
        "basophil": basophil,
        "double": double,
        "blank": 1,
    }


def plan(images: int, seed: int) -> list[Smear]:
    """Decide what each row of the label table says and what its image shows, in the table's order.

    There are `images` rows with an image. Two neutrophils share a scene. Some more rows have no image: a blank for
    each eighth image or so and, as published, two with a label.

    Raises:
        ValueError: fewer than `SMALLEST` images.
    """
    number = counts(images)
    rng = default_rng(SeedSequence((seed, 0)))
    rows: list[tuple[str, tuple[str, ...], bool]] = []  # category, cells, drawn
    for label in CLASSES + RARE:
        rows += [(label.upper(), (label,), True)] * number[label]
    for index in range(number["double"]):
        pair = _PAIRS[index % len(_PAIRS)]
        rows.append(((", ", ",")[index % 2].join(pair).upper(), pair, True))
    rows.append(("", (), True))
    rows += [("NEUTROPHIL", ("neutrophil",), False), ("MONOCYTE", ("monocyte",), False)]
    rows += [("", (), False)] * max(1, round(images * _BLANK_WITHOUT_IMAGE / _IMAGES))
    spaced = rows.index(("EOSINOPHIL", ("eosinophil",), True))
    rows[spaced] = (" EOSINOPHIL ", ("eosinophil",), True)

    order = [rows[index] for index in rng.permutation(len(rows))]
    drawn = [index for index, row in enumerate(order) if row[2]]
    annotated = set(rng.permutation(drawn)[: round(images * _ANNOTATED / _IMAGES)].tolist())
    smears = [
        Smear(index, category, cells, is_drawn, index in annotated, seed, index)
        for index, (category, cells, is_drawn) in enumerate(order)
    ]
    first, second = [smear.number for smear in smears if smear.drawn and smear.cells == ("neutrophil",)][:2]
    smears[second] = replace(smears[second], scene=first, shift=(3, -2))
    return smears


# ---- shapes and textures, all on a square patch whose origin is its middle


@cache
def _axes(side: int) -> tuple[Plane, Plane]:
    """Give x as a row and y as a column, in pixels from the middle."""
    line = np.arange(side, dtype=np.float32) - (side - 1) / 2
    return line[None, :], line[:, None]


def _grain(rng: Generator, side: int, size: float) -> Plane:
    """Make smooth noise in -1..1 whose grains are about `size` pixels wide."""
    nodes = math.ceil(side / size) + 4
    coarse = Image.fromarray(rng.integers(0, 256, (nodes, nodes), dtype=np.uint8))
    left, top = 1 + rng.random(), 1 + rng.random()
    box = (left, top, left + side / size, top + side / size)
    fine = coarse.resize((side, side), Image.Resampling.BICUBIC, box=box)
    return np.asarray(fine).astype(np.float32) * np.float32(1 / 127.5) - 1


def _inside(distance: Plane, edge: float = 2.0) -> Plane:
    """Turn a signed distance (negative inside) into a coverage of 0..1 with an edge of `edge` pixels."""
    coverage: Plane = np.clip(0.5 - distance * (1 / edge), 0, 1)
    return coverage


def _step(low: float, high: float, values: Plane) -> Plane:
    """Climb smoothly from 0 at `low` to 1 at `high`."""
    part: Plane = np.clip((values - low) * (1 / (high - low)), 0, 1)
    return part * part * (3 - 2 * part)


def _ellipse(x: Plane, y: Plane, centre: tuple[float, float], axes: tuple[float, float], angle: float) -> Plane:
    """Give about the signed distance to an ellipse of these half axes."""
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = x - centre[0], y - centre[1]
    along, across = (cos * x + sin * y) * (1 / axes[0]), (cos * y - sin * x) * (1 / axes[1])
    return (np.sqrt(along * along + across * across) - 1) * min(axes)


def _strand(x: Plane, y: Plane, start: tuple[float, float], end: tuple[float, float], width: float) -> Plane:
    """Give the signed distance to the line from `start` to `end`, `width` to either side."""
    run, rise = end[0] - start[0], end[1] - start[1]
    x, y = x - start[0], y - start[1]
    part = np.clip((x * run + y * rise) * (1 / (run * run + rise * rise + 1e-6)), 0, 1)
    x, y = x - part * run, y - part * rise
    return np.sqrt(x * x + y * y) - width


def _join(one: Plane, other: Plane, round_off: float) -> Plane:
    """Unite two shapes given by distances, rounding the corners between them.

    The polynomial smooth minimum of I. Quilez, https://iquilezles.org/articles/smin
    """
    part = np.clip(0.5 + (other - one) * (0.5 / round_off), 0, 1)
    return other + (one - other) * part - round_off * part * (1 - part)


def _granules(
    rng: Generator, where: NDArray[np.bool_], spacing: float, radius: tuple[float, float], share: float
) -> Plane:
    """Strew grains over `where`: their density in 0..1, brim to brim at a share of 1."""
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


def _layer(*parts: tuple[Plane, Colour]) -> Plane:
    """Add up amounts of stains: (side, side) each times an absorbance makes (3, side, side)."""
    planes = [sum((amount * color[band] for amount, color in parts), np.float32(0)) for band in range(3)]
    return np.stack([np.asarray(plane, dtype=np.float32) for plane in planes])


# ---- the white cells


@dataclass(frozen=True)
class _Patch:
    """A cell ready to be laid on the canvas: absorbances (3, side, side) and coverage (side, side)."""

    absorbance: Plane
    coverage: Plane


def _body(rng: Generator, radius: float, ragged: float) -> tuple[Plane, Plane, Plane]:
    """Give the x and y axes of a patch for a cell of this radius and the signed distance to its outline."""
    side = 2 * math.ceil(radius * 1.22) + 8
    x, y = _axes(side)
    wide = radius * rng.uniform(0.98, 1.08)
    high = radius * rng.uniform(0.86, 1.0)
    outline = _ellipse(x, y, (0, 0), (wide, high), rng.uniform(0, math.pi))
    outline = outline + _grain(rng, side, radius * 0.7) * (radius * 0.06) + _grain(rng, side, 13) * ragged
    return x, y, outline


def _lobes(
    rng: Generator, x: Plane, y: Plane, angles: list[float], *, radius: float, size: tuple[float, float]
) -> Plane:
    """Give the signed distance to a nucleus of lobes at `angles` around the middle, in a chain."""
    places: list[tuple[float, float]] = []
    distance: Plane | None = None
    for angle in angles:
        away = radius * rng.uniform(0.36, 0.5)
        place = (away * math.cos(angle), away * math.sin(angle))
        long = radius * rng.uniform(*size)
        lobe = _ellipse(x, y, place, (long, long * rng.uniform(0.66, 0.92)), angle + rng.uniform(0.8, 2.4))
        if distance is None:
            distance = lobe
        else:
            strand = _strand(x, y, places[-1], place, radius * rng.uniform(0.04, 0.14))
            distance = _join(_join(distance, lobe, 4), strand, 5)
        places.append(place)
    assert distance is not None
    return distance + _grain(rng, x.shape[1], 15) * 3.0


def _chain(rng: Generator, lobes: int, sweep: tuple[float, float]) -> list[float]:
    """Spread the lobes' angles over an arc of a length within `sweep`, in radians."""
    start, length = rng.uniform(0, 2 * math.pi), rng.uniform(*sweep)
    step = length / max(1, lobes - 1)
    return [start + step * (lobe + rng.uniform(-0.15, 0.15)) for lobe in range(lobes)]


def _chromatin(rng: Generator, distance: Plane, radius: float, contrast: float) -> Plane:
    """Give the density of a nucleus, about 1: clumps and, where it is thick, more of it."""
    side = distance.shape[0]
    thick: Plane = np.clip(distance * (-4 / radius), 0, 1)
    clumps = 0.6 * _grain(rng, side, 11) + 0.4 * _grain(rng, side, 5)
    return 0.86 + 0.18 * thick + contrast * clumps


_VIOLET: Colour = (0.50, 0.66, 0.00)
_DARK: Colour = (0.86, 1.12, 0.08)
_PALE: Colour = (0.34, 0.58, -0.03)


def _neutrophil(rng: Generator) -> _Patch:
    radius = rng.uniform(66, 98)
    x, y, outline = _body(rng, radius, 2.0)
    body = _inside(outline, 4)
    side = x.shape[1]
    lobes = int(rng.choice((2, 2, 3, 3, 4, 4, 5)))
    sweep = (2.2, 2.9) if lobes == 2 else (2.6, 5.2)
    size = (0.31, 0.42) if lobes < 4 else (0.25, 0.34)
    distance = _lobes(rng, x, y, _chain(rng, lobes, sweep), radius=radius, size=size)
    nucleus = _inside(distance, 3) * body
    bare = body - nucleus
    fine = np.clip(0.35 + 0.9 * _grain(rng, side, 3.2), 0, 1)
    granules = (0.05, 0.11, 0.01)
    if rng.random() < 0.35:  # reddish and coarse, so that an eosinophil is more than a red cell
        coarse = _granules(rng, outline < -3, rng.uniform(5.5, 7.5), (1.6, 2.8), rng.uniform(0.35, 0.9))
        fine = np.maximum(0.6 * fine, coarse)
        granules = (0.03, rng.uniform(0.16, 0.36), rng.uniform(0.04, 0.14))
    absorbance = _layer(
        (bare, (0.05, 0.12, -0.01)),
        (bare * fine, granules),
        (nucleus * _chromatin(rng, distance, radius, 0.3), _VIOLET),
    )
    return _Patch(absorbance, body)


def _eosinophil(rng: Generator) -> _Patch:
    radius = rng.uniform(68, 100)
    x, y, outline = _body(rng, radius, 2.5)
    body = _inside(outline, 3)
    lobes = int(rng.choice((2, 2, 2, 2, 3)))
    size = (0.37, 0.48) if lobes == 2 else (0.29, 0.38)
    distance = _lobes(rng, x, y, _chain(rng, lobes, (1.6, 2.8)), radius=radius, size=size)
    nucleus = _inside(distance, 3) * body
    bare = body - nucleus
    share = rng.uniform(0.25, 0.5) if rng.random() < 0.15 else rng.uniform(0.75, 1.0)  # some have shed most of them
    spacing = rng.uniform(5.5, 8.0)
    grains = _granules(rng, outline < -1, spacing, (0.42 * spacing, 0.6 * spacing), share)
    redness = rng.uniform(0.26, 1.0)
    red = (0.01, 0.46 * redness, rng.uniform(0.12, 0.28) * redness)
    absorbance = _layer(
        (bare, (0.05, 0.14, 0.01)),
        ((bare + 0.25 * nucleus) * grains, red),
        (nucleus * _chromatin(rng, distance, radius, 0.28), (0.54, 0.62, 0.00)),
    )
    return _Patch(absorbance, body)


def _lymphocyte(rng: Generator) -> _Patch:
    radius = rng.uniform(50, 70) if rng.random() < 0.7 else rng.uniform(70, 92)
    x, y, outline = _body(rng, radius, 2.0)
    body = _inside(outline, 5)
    core = radius * (rng.uniform(0.86, 0.95) if radius < 70 else rng.uniform(0.78, 0.9))
    angle = rng.uniform(0, 2 * math.pi)
    off = 0.9 * (radius * 0.93 - core)
    place = (off * math.cos(angle), off * math.sin(angle))
    axes = (core, core * rng.uniform(0.88, 0.98))
    distance = _ellipse(x, y, place, axes, rng.uniform(0, math.pi)) + _grain(rng, x.shape[1], 24) * 3.0
    nucleus = _inside(distance, 4) * body
    bare = body - nucleus
    light = (radius - 50) / 42 * rng.uniform(0.3, 1.2)  # the large ones are paler
    dense = (
        _DARK[0] + light * (_VIOLET[0] - _DARK[0]),
        _DARK[1] + light * (_VIOLET[1] - _DARK[1]),
        _DARK[2] + light * (_VIOLET[2] - _DARK[2]),
    )
    absorbance = _layer(
        (bare, (rng.uniform(0.2, 0.34), rng.uniform(0.15, 0.22), 0.00)),
        (nucleus * _chromatin(rng, distance, radius, 0.2 + 0.15 * light), dense),
    )
    return _Patch(absorbance, body)


def _monocyte(rng: Generator) -> _Patch:
    radius = rng.uniform(74, 112)
    x, y, outline = _body(rng, radius, rng.uniform(3, 8))
    body = _inside(outline, 6)
    side = x.shape[1]
    angle = rng.uniform(0, 2 * math.pi)
    cos, sin = math.cos(angle), math.sin(angle)
    off = radius * rng.uniform(0.04, 0.16)
    axes = (radius * rng.uniform(0.68, 0.82), radius * rng.uniform(0.54, 0.68))
    kidney = _ellipse(x, y, (-off * cos, -off * sin), axes, angle + math.pi / 2)
    folded = rng.random() < 0.75  # the rest have a nucleus nearly round, as a large lymphocyte has
    bite, depth = (
        radius * rng.uniform(0.26, 0.4),
        radius * (rng.uniform(0.48, 0.66) if folded else rng.uniform(0.75, 0.9)),
    )
    dent = _ellipse(x, y, (depth * cos, depth * sin), (bite, bite * 0.8), angle)
    distance = -_join(-kidney, dent, 9) + _grain(rng, side, 20) * 4.0
    nucleus = _inside(distance, 4) * body
    bare = body - nucleus
    web = 1 - np.minimum(1, np.abs(_grain(rng, side, 15)) * 1.5)
    lace = 0.8 + 0.3 * web + 0.3 * _grain(rng, side, 8) + 0.15 * _grain(rng, side, 4)
    vacuoles = np.zeros((side, side), np.float32)
    for _ in range(int(rng.integers(1, 13))):
        turn, away = rng.uniform(0, 2 * math.pi), radius * rng.uniform(0.15, 0.88)
        hole = _ellipse(x, y, (away * math.cos(turn), away * math.sin(turn)), (rng.uniform(3, 9),) * 2, 0)
        vacuoles = np.maximum(vacuoles, _inside(hole, 3))
    plasma = 0.85 + 0.25 * _grain(rng, side, 9) + 0.15 * _grain(rng, side, 3)
    through = 1 - vacuoles * (0.85 * bare + 0.5 * nucleus)
    grey = rng.uniform(0, 1)
    absorbance = _layer(
        (bare * plasma * through, (0.17 + 0.05 * grey, 0.21 + 0.02 * grey, 0.00)),
        (nucleus * lace * through, _PALE if rng.random() < 0.8 else _VIOLET),
    )
    return _Patch(absorbance, body)


def _basophil(rng: Generator) -> _Patch:
    radius = rng.uniform(68, 86)
    x, y, outline = _body(rng, radius, 4.0)
    body = _inside(outline, 5)
    distance = _lobes(rng, x, y, _chain(rng, 3, (2.6, 4.0)), radius=radius, size=(0.34, 0.46))
    nucleus = _inside(distance, 8) * body
    coarse = _granules(rng, outline < -1, rng.uniform(7, 9), (3.2, 5.2), 0.85)
    absorbance = _layer(
        (body, (0.10, 0.16, 0.00)),
        (nucleus, (0.40, 0.48, 0.00)),
        (body * coarse, (0.62, 0.72, 0.10)),
    )
    return _Patch(absorbance, body)


_WHITE: dict[str, Callable[[Generator], _Patch]] = {
    "eosinophil": _eosinophil,
    "lymphocyte": _lymphocyte,
    "monocyte": _monocyte,
    "neutrophil": _neutrophil,
    "basophil": _basophil,
}


# ---- red cells and platelets


def _red(rng: Generator, radius: float) -> _Patch:
    side = 2 * math.ceil(radius * 1.25) + 6
    x, y = _axes(side)
    angle = rng.uniform(0, 2 * math.pi)
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = cos * x + sin * y, cos * y - sin * x
    y = y + x * x * (rng.uniform(-0.16, 0.16) / radius)  # some are bent
    y = y * (1 + x * (rng.uniform(-0.15, 0.15) / radius))  # some are like an egg
    x, y = x * (1 / radius), y * (1 / (radius * rng.uniform(0.72, 1.0)))
    reach = np.sqrt(x * x + y * y) + _grain(rng, side, 26) * 0.035
    coverage = _inside((reach - 1) * radius, 4)
    hollow = rng.uniform(0.1, 0.45) if rng.random() < 0.6 else rng.uniform(0.6, 0.92)
    rim = rng.uniform(0.35, 0.72)
    pallor = 1 - hollow * (1 - _step(rim - 0.25, rim + 0.1, reach))
    edge = 1 + 0.14 * _step(0.78, 0.95, reach)
    amount = coverage * pallor * edge * rng.uniform(0.75, 1.15)
    layers = [(amount, (0.06, 0.29, 0.33))]
    if rng.random() < 0.22:  # a refractile drop, as in many of the published smears
        place = (rng.uniform(-0.4, 0.4) * radius, rng.uniform(-0.4, 0.4) * radius)
        ring = _ellipse(*_axes(side), place, (rng.uniform(5, 9), rng.uniform(5, 8)), angle)
        layers += [
            (coverage * _inside(np.abs(ring) - 1.2, 2), (0.18, 0.22, -0.10)),
            (coverage * _inside(ring + 1.5, 3), (-0.10, -0.28, -0.30)),
        ]
    return _Patch(_layer(*layers), coverage)


def _platelet(rng: Generator) -> _Patch:
    radius = rng.uniform(10, 18)
    side = 2 * math.ceil(radius * 1.3) + 8
    outline = _ellipse(*_axes(side), (0, 0), (radius, radius * rng.uniform(0.65, 0.95)), rng.uniform(0, math.pi))
    coverage = _inside(outline + _grain(rng, side, 10) * 3.0, 7)
    grains = 0.85 + 0.45 * _grain(rng, side, 4.5)
    blueness = rng.uniform(0, 1)
    return _Patch(_layer((coverage * grains, (0.20 + 0.16 * blueness, 0.27 - 0.05 * blueness, 0.00))), coverage)


# ---- the smear


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return math.sqrt((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2)


def _spread(rng: Generator, radii: list[float]) -> list[tuple[float, float]]:
    """Find a place for each white cell: its centre well inside the smear, no two of them touching."""
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
    """Absorbances of the whole smear, and the boxes of what was laid on it."""

    def __init__(self, shift: tuple[int, int]) -> None:
        self.absorbance = np.zeros((3, HEIGHT, WIDTH), np.float32)
        self.boxes: list[Marking] = []
        self._shift = shift

    def lay(self, name: str, patch: _Patch, centre: tuple[float, float], stain: Plane, displace: float = 0.0) -> None:
        """Add a cell; what lies under it is pushed aside to the share `displace`."""
        side = patch.coverage.shape[0]
        left = round(centre[0]) - side // 2 + self._shift[0]
        top = round(centre[1]) - side // 2 + self._shift[1]
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
        seen = (max(0, whole[0]), max(0, whole[1]), min(WIDTH, whole[2]), min(HEIGHT, whole[3]))
        if min(seen[2] - seen[0], seen[3] - seen[1]) >= 10:  # a sliver is not worth a box
            self.boxes.append(Marking(name, *seen, truncated=seen != whole))


_STEPS = 512  # of the table, for an absorbance of 1
_DEEPEST = 4.0


@cache
def _transmission() -> Plane:
    """Tabulate exp(-absorbance): a table is the same everywhere, a vectorised exp is not."""
    return np.array([math.exp(-step / _STEPS) for step in range(-_STEPS // 2, int(_DEEPEST * _STEPS))], np.float32)


def _expose(absorbance: Plane, light: Plane, color: Colour) -> NDArray[np.uint8]:
    """Let the light through: (3, height, width) absorbances make as many bytes."""
    table = _transmission()
    index = (absorbance * _STEPS + (_STEPS // 2 + 0.5)).astype(np.int32)
    np.clip(index, 0, len(table) - 1, out=index)
    values = table[index]
    for band in range(3):
        values[band] *= light * np.float32(color[band])
    return np.minimum(values, 255).astype(np.uint8)


def _light(rng: Generator) -> Plane:
    """Give the lamp's light, about 1 in the middle, less in the corners, slightly mottled."""
    across = (np.arange(WIDTH, dtype=np.float32) - WIDTH * rng.uniform(0.4, 0.6)) * np.float32(1 / WIDTH)
    down = (np.arange(HEIGHT, dtype=np.float32) - HEIGHT * rng.uniform(0.4, 0.6)) * np.float32(1 / WIDTH)
    fall = rng.uniform(0.08, 0.22)
    mottle = _grain(rng, WIDTH, 60)[:HEIGHT] * np.float32(0.012)
    return 1 + mottle - fall * (across * across)[None, :] - fall * (down * down)[:, None]


def render(smear: Smear) -> tuple[NDArray[np.uint8], tuple[Marking, ...]]:
    """Draw a smear.

    Returns:
        its pixels, uint8 (480, 640, 3) in RGB, and the boxes of its cells, the white ones last.
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

    white = [(name, _WHITE[name](rng)) for name in smear.cells]
    radii = [patch.coverage.shape[0] / 2.44 for _, patch in white]
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
                canvas.lay("RBC", _red(rng, radius), place, rust)
                break
    for _ in range(int(rng.integers(1, 6))):
        place = (rng.uniform(10, WIDTH - 10), rng.uniform(10, HEIGHT - 10))
        platelet = _platelet(rng)
        if all(_distance(place, at) > near + 12 for at, near in zip(places, radii, strict=True)):
            canvas.lay("Platelets", platelet, place, stain, displace=0.4)
    for (_, patch), place in zip(white, places, strict=True):
        canvas.lay("WBC", patch, place, stain, displace=0.85)

    exposed = _expose(canvas.absorbance, light, color)
    noise = camera.integers(0, 256, (2, HEIGHT, WIDTH), dtype=np.uint8).astype(np.int16).sum(0, dtype=np.int16)
    noise = (noise - 255) // int(camera.integers(34, 60))
    drift = int(camera.integers(-2, 3))
    focus = ImageFilter.GaussianBlur(blur)
    bands = [np.asarray(Image.fromarray(band).filter(focus)) for band in exposed]
    pixels = np.stack([np.clip(band + noise + drift, 0, 255).astype(np.uint8) for band in bands], axis=-1)
    return pixels, tuple(canvas.boxes)


# ---- the files


def annotation(smear: Smear, boxes: Iterable[Marking]) -> str:
    """Write the boxes of a smear as Pascal VOC, whose edges count from 1 and include both ends."""
    objects = "".join(
        f"  <object>\n    <name>{box.name}</name>\n    <pose>Unspecified</pose>\n"
        f"    <truncated>{int(box.truncated)}</truncated>\n    <difficult>0</difficult>\n    <bndbox>\n"
        f"      <xmin>{box.left + 1}</xmin>\n      <ymin>{box.top + 1}</ymin>\n"
        f"      <xmax>{box.right}</xmax>\n      <ymax>{box.bottom}</ymax>\n    </bndbox>\n  </object>\n"
        for box in boxes
    )
    return (
        f'<annotation verified="no">\n  <folder>JPEGImages</folder>\n  <filename>{smear.name}.jpg</filename>\n'
        f"  <source>\n    <database>rendered from seed {smear.seed}</database>\n  </source>\n"
        f"  <size>\n    <width>{WIDTH}</width>\n    <height>{HEIGHT}</height>\n    <depth>3</depth>\n  </size>\n"
        f"  <segmented>0</segmented>\n{objects}</annotation>\n"
    )


def _write(folder: Path, smears: list[Smear]) -> int:
    """Draw these smears into their files; give their number."""
    for smear in smears:
        pixels, boxes = render(smear)
        with atomic_write(folder / "JPEGImages" / f"{smear.name}.jpg") as part:
            Image.fromarray(pixels).save(part, quality=85)
        if smear.annotated:
            write_text(folder / "Annotations" / f"{smear.name}.xml", annotation(smear, boxes))
    return len(smears)


def _cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def draw(folder: Path, images: int, seed: int, progress: bool = True, processes: int | None = None) -> None:
    """Draw the data set into an empty folder: `JPEGImages/`, `Annotations/`, `labels.csv`, as the real set has them.

    Args:
        folder: exists and is empty.
        images: how many images; the label table has about an eighth more rows.
        seed: the same images and seed give the same bytes, however many processes draw.
        progress: show a bar on a terminal.
        processes: how many draw at once; as many as there are cores where it is None.
    """
    smears = plan(images, seed)
    (folder / "Annotations").mkdir()
    (folder / "JPEGImages").mkdir()
    rows = [("", str(smear.number), smear.category) for smear in smears]
    write_csv(folder / "labels.csv", ("", "Image", "Category"), rows)

    drawn = [smear for smear in smears if smear.drawn]
    chunks = [drawn[start : start + 5] for start in range(0, len(drawn), 5)]
    workers = min(processes or _cores(), len(chunks))
    with tqdm(total=len(drawn), desc="draw", unit="smear", disable=None if progress else True) as bar:
        if workers == 1:
            for chunk in chunks:
                bar.update(_write(folder, chunk))
            return
        with ProcessPoolExecutor(workers, initializer=_leave_interrupts_to_parent) as pool:
            try:
                for done in as_completed([pool.submit(_write, folder, chunk) for chunk in chunks]):
                    bar.update(done.result())
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
