"""The cells of a synthetic smear: white cells of each class, red cells and platelets."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from bloodcells.datasets.synthetic.shapes import (
    Color,
    Plane,
    absorbance_of,
    coverage_of,
    ellipse,
    line,
    patch_axes,
    scatter_granules,
    smooth_noise,
    smooth_union,
    smoothstep,
)


@dataclass(frozen=True)
class Patch:
    """A cell on a square patch: absorbances (3, side, side) and coverage (side, side)."""

    absorbance: Plane
    coverage: Plane


def _body(rng: Generator, radius: float, ragged: float) -> tuple[Plane, Plane, Plane]:
    """Return the x and y axes of a patch for a cell of this radius, and the signed distance to its outline."""
    side = 2 * math.ceil(radius * 1.22) + 8
    x, y = patch_axes(side)
    wide = radius * rng.uniform(0.98, 1.08)
    high = radius * rng.uniform(0.86, 1.0)
    outline = ellipse(x, y, (0, 0), (wide, high), rng.uniform(0, math.pi))
    outline = outline + smooth_noise(rng, side, radius * 0.7) * (radius * 0.06) + smooth_noise(rng, side, 13) * ragged
    return x, y, outline


def _lobes(
    rng: Generator, x: Plane, y: Plane, angles: list[float], *, radius: float, size: tuple[float, float]
) -> Plane:
    """Return the signed distance to a nucleus: a chain of lobes at `angles` around the center."""
    places: list[tuple[float, float]] = []
    distance: Plane | None = None
    for angle in angles:
        away = radius * rng.uniform(0.36, 0.5)
        place = (away * math.cos(angle), away * math.sin(angle))
        long = radius * rng.uniform(*size)
        lobe = ellipse(x, y, place, (long, long * rng.uniform(0.66, 0.92)), angle + rng.uniform(0.8, 2.4))
        if distance is None:
            distance = lobe
        else:
            strand = line(x, y, places[-1], place, radius * rng.uniform(0.04, 0.14))
            distance = smooth_union(smooth_union(distance, lobe, 4), strand, 5)
        places.append(place)
    assert distance is not None
    return distance + smooth_noise(rng, x.shape[1], 15) * 3.0


def _chain(rng: Generator, lobes: int, sweep: tuple[float, float]) -> list[float]:
    """Return the angles of lobes on an arc whose length is in the range `sweep`, in radians."""
    start, length = rng.uniform(0, 2 * math.pi), rng.uniform(*sweep)
    step = length / max(1, lobes - 1)
    return [start + step * (lobe + rng.uniform(-0.15, 0.15)) for lobe in range(lobes)]


def _chromatin(rng: Generator, distance: Plane, radius: float, contrast: float) -> Plane:
    """Return the density of a nucleus, about 1: clumped, and higher where the nucleus is thick."""
    side = distance.shape[0]
    thick: Plane = np.clip(distance * (-4 / radius), 0, 1)
    clumps = 0.6 * smooth_noise(rng, side, 11) + 0.4 * smooth_noise(rng, side, 5)
    return 0.86 + 0.18 * thick + contrast * clumps


_VIOLET: Color = (0.50, 0.66, 0.00)
_DARK: Color = (0.86, 1.12, 0.08)
_PALE: Color = (0.34, 0.58, -0.03)


def _neutrophil(rng: Generator) -> Patch:
    radius = rng.uniform(66, 98)
    x, y, outline = _body(rng, radius, 2.0)
    body = coverage_of(outline, 4)
    side = x.shape[1]
    lobes = int(rng.choice((2, 2, 3, 3, 4, 4, 5)))
    sweep = (2.2, 2.9) if lobes == 2 else (2.6, 5.2)
    size = (0.31, 0.42) if lobes < 4 else (0.25, 0.34)
    distance = _lobes(rng, x, y, _chain(rng, lobes, sweep), radius=radius, size=size)
    nucleus = coverage_of(distance, 3) * body
    bare = body - nucleus
    fine = np.clip(0.35 + 0.9 * smooth_noise(rng, side, 3.2), 0, 1)
    granules = (0.05, 0.11, 0.01)
    if rng.random() < 0.35:  # some are reddish and coarse, so that color alone does not identify eosinophils
        coarse = scatter_granules(rng, outline < -3, rng.uniform(5.5, 7.5), (1.6, 2.8), rng.uniform(0.35, 0.9))
        fine = np.maximum(0.6 * fine, coarse)
        granules = (0.03, rng.uniform(0.16, 0.36), rng.uniform(0.04, 0.14))
    absorbance = absorbance_of(
        (bare, (0.05, 0.12, -0.01)),
        (bare * fine, granules),
        (nucleus * _chromatin(rng, distance, radius, 0.3), _VIOLET),
    )
    return Patch(absorbance, body)


def _eosinophil(rng: Generator) -> Patch:
    radius = rng.uniform(68, 100)
    x, y, outline = _body(rng, radius, 2.5)
    body = coverage_of(outline, 3)
    lobes = int(rng.choice((2, 2, 2, 2, 3)))
    size = (0.37, 0.48) if lobes == 2 else (0.29, 0.38)
    distance = _lobes(rng, x, y, _chain(rng, lobes, (1.6, 2.8)), radius=radius, size=size)
    nucleus = coverage_of(distance, 3) * body
    bare = body - nucleus
    share = rng.uniform(0.25, 0.5) if rng.random() < 0.15 else rng.uniform(0.75, 1.0)  # some have lost most granules
    spacing = rng.uniform(5.5, 8.0)
    grains = scatter_granules(rng, outline < -1, spacing, (0.42 * spacing, 0.6 * spacing), share)
    redness = rng.uniform(0.26, 1.0)
    red = (0.01, 0.46 * redness, rng.uniform(0.12, 0.28) * redness)
    absorbance = absorbance_of(
        (bare, (0.05, 0.14, 0.01)),
        ((bare + 0.25 * nucleus) * grains, red),
        (nucleus * _chromatin(rng, distance, radius, 0.28), (0.54, 0.62, 0.00)),
    )
    return Patch(absorbance, body)


def _lymphocyte(rng: Generator) -> Patch:
    radius = rng.uniform(50, 70) if rng.random() < 0.7 else rng.uniform(70, 92)
    x, y, outline = _body(rng, radius, 2.0)
    body = coverage_of(outline, 5)
    core = radius * (rng.uniform(0.86, 0.95) if radius < 70 else rng.uniform(0.78, 0.9))
    angle = rng.uniform(0, 2 * math.pi)
    off = 0.9 * (radius * 0.93 - core)
    place = (off * math.cos(angle), off * math.sin(angle))
    axes = (core, core * rng.uniform(0.88, 0.98))
    distance = ellipse(x, y, place, axes, rng.uniform(0, math.pi)) + smooth_noise(rng, x.shape[1], 24) * 3.0
    nucleus = coverage_of(distance, 4) * body
    bare = body - nucleus
    light = (radius - 50) / 42 * rng.uniform(0.3, 1.2)  # large lymphocytes are paler
    dense = (
        _DARK[0] + light * (_VIOLET[0] - _DARK[0]),
        _DARK[1] + light * (_VIOLET[1] - _DARK[1]),
        _DARK[2] + light * (_VIOLET[2] - _DARK[2]),
    )
    absorbance = absorbance_of(
        (bare, (rng.uniform(0.2, 0.34), rng.uniform(0.15, 0.22), 0.00)),
        (nucleus * _chromatin(rng, distance, radius, 0.2 + 0.15 * light), dense),
    )
    return Patch(absorbance, body)


def _monocyte(rng: Generator) -> Patch:
    radius = rng.uniform(74, 112)
    x, y, outline = _body(rng, radius, rng.uniform(3, 8))
    body = coverage_of(outline, 6)
    side = x.shape[1]
    angle = rng.uniform(0, 2 * math.pi)
    cos, sin = math.cos(angle), math.sin(angle)
    off = radius * rng.uniform(0.04, 0.16)
    axes = (radius * rng.uniform(0.68, 0.82), radius * rng.uniform(0.54, 0.68))
    kidney = ellipse(x, y, (-off * cos, -off * sin), axes, angle + math.pi / 2)
    folded = rng.random() < 0.75  # the others have a nearly round nucleus, like large lymphocytes
    bite, depth = (
        radius * rng.uniform(0.26, 0.4),
        radius * (rng.uniform(0.48, 0.66) if folded else rng.uniform(0.75, 0.9)),
    )
    dent = ellipse(x, y, (depth * cos, depth * sin), (bite, bite * 0.8), angle)
    distance = -smooth_union(-kidney, dent, 9) + smooth_noise(rng, side, 20) * 4.0
    nucleus = coverage_of(distance, 4) * body
    bare = body - nucleus
    web = 1 - np.minimum(1, np.abs(smooth_noise(rng, side, 15)) * 1.5)
    lace = 0.8 + 0.3 * web + 0.3 * smooth_noise(rng, side, 8) + 0.15 * smooth_noise(rng, side, 4)
    vacuoles = np.zeros((side, side), np.float32)
    for _ in range(int(rng.integers(1, 13))):
        turn, away = rng.uniform(0, 2 * math.pi), radius * rng.uniform(0.15, 0.88)
        hole = ellipse(x, y, (away * math.cos(turn), away * math.sin(turn)), (rng.uniform(3, 9),) * 2, 0)
        vacuoles = np.maximum(vacuoles, coverage_of(hole, 3))
    plasma = 0.85 + 0.25 * smooth_noise(rng, side, 9) + 0.15 * smooth_noise(rng, side, 3)
    through = 1 - vacuoles * (0.85 * bare + 0.5 * nucleus)
    gray = rng.uniform(0, 1)
    absorbance = absorbance_of(
        (bare * plasma * through, (0.17 + 0.05 * gray, 0.21 + 0.02 * gray, 0.00)),
        (nucleus * lace * through, _PALE if rng.random() < 0.8 else _VIOLET),
    )
    return Patch(absorbance, body)


def _basophil(rng: Generator) -> Patch:
    radius = rng.uniform(68, 86)
    x, y, outline = _body(rng, radius, 4.0)
    body = coverage_of(outline, 5)
    distance = _lobes(rng, x, y, _chain(rng, 3, (2.6, 4.0)), radius=radius, size=(0.34, 0.46))
    nucleus = coverage_of(distance, 8) * body
    coarse = scatter_granules(rng, outline < -1, rng.uniform(7, 9), (3.2, 5.2), 0.85)
    absorbance = absorbance_of(
        (body, (0.10, 0.16, 0.00)),
        (nucleus, (0.40, 0.48, 0.00)),
        (body * coarse, (0.62, 0.72, 0.10)),
    )
    return Patch(absorbance, body)


WHITE_CELLS: dict[str, Callable[[Generator], Patch]] = {
    "eosinophil": _eosinophil,
    "lymphocyte": _lymphocyte,
    "monocyte": _monocyte,
    "neutrophil": _neutrophil,
    "basophil": _basophil,
}
"""How to draw a white cell of each class."""


def red_cell(rng: Generator, radius: float) -> Patch:
    """Draw a red cell."""
    side = 2 * math.ceil(radius * 1.25) + 6
    x, y = patch_axes(side)
    angle = rng.uniform(0, 2 * math.pi)
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = cos * x + sin * y, cos * y - sin * x
    y = y + x * x * (rng.uniform(-0.16, 0.16) / radius)  # bent
    y = y * (1 + x * (rng.uniform(-0.15, 0.15) / radius))  # egg-shaped
    x, y = x * (1 / radius), y * (1 / (radius * rng.uniform(0.72, 1.0)))
    reach = np.sqrt(x * x + y * y) + smooth_noise(rng, side, 26) * 0.035
    coverage = coverage_of((reach - 1) * radius, 4)
    hollow = rng.uniform(0.1, 0.45) if rng.random() < 0.6 else rng.uniform(0.6, 0.92)
    rim = rng.uniform(0.35, 0.72)
    pallor = 1 - hollow * (1 - smoothstep(rim - 0.25, rim + 0.1, reach))
    edge = 1 + 0.14 * smoothstep(0.78, 0.95, reach)
    amount = coverage * pallor * edge * rng.uniform(0.75, 1.15)
    layers = [(amount, (0.06, 0.29, 0.33))]
    if rng.random() < 0.22:  # a refractile artifact, as in many published smears
        place = (rng.uniform(-0.4, 0.4) * radius, rng.uniform(-0.4, 0.4) * radius)
        ring = ellipse(*patch_axes(side), place, (rng.uniform(5, 9), rng.uniform(5, 8)), angle)
        layers += [
            (coverage * coverage_of(np.abs(ring) - 1.2, 2), (0.18, 0.22, -0.10)),
            (coverage * coverage_of(ring + 1.5, 3), (-0.10, -0.28, -0.30)),
        ]
    return Patch(absorbance_of(*layers), coverage)


def platelet(rng: Generator) -> Patch:
    """Draw a platelet."""
    radius = rng.uniform(10, 18)
    side = 2 * math.ceil(radius * 1.3) + 8
    outline = ellipse(*patch_axes(side), (0, 0), (radius, radius * rng.uniform(0.65, 0.95)), rng.uniform(0, math.pi))
    coverage = coverage_of(outline + smooth_noise(rng, side, 10) * 3.0, 7)
    grains = 0.85 + 0.45 * smooth_noise(rng, side, 4.5)
    blueness = rng.uniform(0, 1)
    return Patch(absorbance_of((coverage * grains, (0.20 + 0.16 * blueness, 0.27 - 0.05 * blueness, 0.00))), coverage)
