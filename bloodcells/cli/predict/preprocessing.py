"""What a network is shown of a smear, and what in the smear speaks against believing it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bloodcells.core.geometry import Box, Point
from bloodcells.imaging.cropping import crop_around, letterbox, resize_crop
from bloodcells.imaging.localization import SIGMA, THUMBNAIL, find_stain_peaks
from bloodcells.imaging.opening import open_rgb
from bloodcells.inference.predictor import Predictor

WEAKEST = 18.0
"""Less stain than this is no white cell's, unless a network was trained on paler ones. Of the 347 published cells the
palest has 21; of the published smears with their white cells painted over, 2 of 340 have more than this in what is
left."""

SECOND = 0.65
"""A second maximum with this share of the first one's stain is a second cell. In the published set that is said of 13
of the 15 smears labelled with two cells, and of 2 of the 347 labelled with one. (The share was chosen on these. On
the drawn set: 5 of 6, and 2 of 143.)"""

_OTHER_SIZE, _FAR_SIZE = 1.25, 2.0  # so much larger or smaller than the smears trained on: a warning; no answer


@dataclass(frozen=True)
class Shown:
    """What the network is shown: a part of the smear, and its pixels (side, side, 3) at the size of the input."""

    box: Box
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Seen:
    """One smear as it was looked at.

    Attributes:
        smear: the whole of it, no larger than was asked for.
        size: its width and height in its own pixels.
        shown: what the network is shown; None where nothing is stained.
        doubts: why there should be no answer.
        warnings: why an answer should be taken with care.
    """

    smear: Image.Image
    size: tuple[int, int]
    shown: Shown | None
    doubts: tuple[str, ...]
    warnings: tuple[str, ...]


def look(path: Path, predictor: Predictor, thumbnail: int) -> Seen:
    """Open a smear, find its white cell, and cut what the network is to be shown.

    Args:
        path: an RGB image of any size.
        predictor: knows what its network takes, and what it was trained on.
        thumbnail: the longer side of the smear that is kept is no longer than this, in pixels.

    Raises:
        InputError: the file is missing, broken, or none that the stain can be seen in.
    """
    image = open_rgb(path, remedy="fetch it again")
    size = image.size
    stained = find_stain_peaks(image)
    shown = None
    taken = predictor.checkpoint
    if stained and taken.frame == "cell":
        box = crop_around(stained[0], size, taken.crop)
        shown = Shown(box, resize_crop(image, box, taken.size))
    elif stained:
        shown = Shown(Box(0, 0, *size), letterbox(image, taken.size))
    image.thumbnail((thumbnail, thumbnail))
    return Seen(image, size, shown, _doubts(stained, size, predictor), _warnings(size, predictor))


def _doubts(stained: list[Point], size: tuple[int, int], predictor: Predictor) -> tuple[str, ...]:
    """Say why a smear of that width and height with these maxima of stain should get no answer."""
    if not stained:
        return ("no stained cell",)
    found = [_other_size(size, predictor)] if _ratio(size, predictor) >= _FAR_SIZE else []
    first, *others = stained
    weakest = min(WEAKEST, predictor.palest or WEAKEST)
    if first.stain < weakest:
        return (*found, f"no white cell: the strongest stain is {first.stain:.1f}, and theirs {weakest:.1f} or more")
    cells = [other for other in others if other.stain >= SECOND * first.stain]
    if cells:
        places = " and ".join(f"({cell.x:.0f}, {cell.y:.0f})" for cell in (first, *cells))
        found.append(f"several cells: at {places}")
    edge = SIGMA / THUMBNAIL * max(size)  # about the radius of a nucleus
    if min(first.x, first.y, size[0] - first.x, size[1] - first.y) < edge:
        found.append("the cell is cut off by the image's edge")
    return tuple(found)


def _warnings(size: tuple[int, int], predictor: Predictor) -> tuple[str, ...]:
    """Say why the answer for a smear of that width and height should be taken with care."""
    return (_other_size(size, predictor),) if _OTHER_SIZE < _ratio(size, predictor) < _FAR_SIZE else ()


def _ratio(size: tuple[int, int], predictor: Predictor) -> float:
    """Give how many times larger or smaller an image is than the smears that were trained on, as far as is known."""
    ratio = max(size) / max(predictor.smear or size)
    return max(ratio, 1 / ratio)


def _other_size(size: tuple[int, int], predictor: Predictor) -> str:
    width, height = predictor.smear or size
    return (
        f"{size[0]}×{size[1]} pixels, and the network was trained on {width}×{height}: "
        "scale the image so that its cells are as many pixels wide as in those"
    )
