"""Preprocessing: the network's input from an image, and reasons in the image to abstain."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bloodcells.core.geometry import Box, Point
from bloodcells.imaging.cropping import crop_around, letterbox, resize_crop
from bloodcells.imaging.loading import open_rgb
from bloodcells.imaging.localization import SIGMA, THUMBNAIL, cell_point, find_stain_peaks
from bloodcells.inference.predictor import Predictor

MIN_STAIN = 18.0
"""A weaker stain is not that of a white cell, unless the network was trained on paler ones. The palest of the 347
published cells has 21; with the white cells painted over, 2 of 340 published smears have a stronger one."""

SECOND_CELL = 0.65
"""A second maximum with this fraction of the first one's stain is a second cell. This finds 13 of the 15 published
smears labeled with two cells, and 2 of the 347 labeled with one. (The fraction was chosen on these. On the synthetic
set: 5 of 6, and 2 of 143.)"""

_CUT_OFF = "the cell is cut off by the edge of the image"

_WARN_RATIO, _ABSTAIN_RATIO = 1.25, 2.0  # of the image's size and that of the training images, either way


@dataclass(frozen=True)
class ModelInput:
    """The network's input: a part of the image, and its pixels (side, side, 3)."""

    box: Box
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """One preprocessed image.

    Attributes:
        thumbnail: the whole image, no larger than requested.
        size: width and height of the image in pixels.
        model_input: what the network gets; None if nothing is stained.
        reasons: to abstain.
        warnings: reasons to treat a prediction with caution.
    """

    thumbnail: Image.Image
    size: tuple[int, int]
    model_input: ModelInput | None
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


def preprocess(
    path: Path,
    predictor: Predictor,
    thumbnail: int,
    cell: Box | None = None,
    range: tuple[float, float] | None = None,
) -> Sample:
    """Open an image, find its white cell, and crop the network's input.

    Args:
        path: an RGB image of any size.
        predictor: its checkpoint describes the network's input; it also describes the training images.
        thumbnail: longer side of the thumbnail to keep, in pixels.
        cell: the box of the white cell if it is known, as in a labeled image of several; it is not searched for then.
        range: the values of a 16-bit image that become 0 and 255; by default those of the training images.

    Raises:
        InputError: the file is missing or broken, or not a color image.
    """
    image = open_rgb(path, remedy="fetch it again", range=range or predictor.range)
    size = image.size
    peaks = [cell_point(image, cell)] if cell else find_stain_peaks(image)
    model_input = None
    checkpoint = predictor.checkpoint
    if peaks and checkpoint.input == "crop":
        box = crop_around(peaks[0], size, checkpoint.crop)
        model_input = ModelInput(box, resize_crop(image, box, checkpoint.side))
    elif peaks:
        model_input = ModelInput(Box(0, 0, *size), letterbox(image, checkpoint.side))
    image.thumbnail((thumbnail, thumbnail))
    return Sample(image, size, model_input, _reasons(peaks, size, predictor, cell), _warnings(size, predictor))


def _reasons(
    peaks: list[Point], size: tuple[int, int], predictor: Predictor, cell: Box | None = None
) -> tuple[str, ...]:
    """Return the reasons to abstain on an image of this size with these maxima of stain, or on a cell in it."""
    if not peaks:
        return ("no stained cell",)
    found = [_other_size(size, predictor)] if _size_ratio(size, predictor) >= _ABSTAIN_RATIO else []
    first, *others = peaks
    weakest = min(MIN_STAIN, predictor.min_stain or MIN_STAIN)
    if first.stain < weakest:
        found.append(f"no white cell: the strongest stain is {first.stain:.1f}, white cells have {weakest:.1f} or more")
        return tuple(found)
    more = [other for other in others if other.stain >= SECOND_CELL * first.stain]
    if more:
        places = " and ".join(f"({one.x:.0f}, {one.y:.0f})" for one in (first, *more))
        found.append(f"several cells: at {places}")
    radius = SIGMA / THUMBNAIL * max(size)  # about that of a nucleus
    left, top, right, bottom = (
        (cell.left - 1, cell.top - 1, cell.right + 1, cell.bottom + 1)
        if cell
        else (first.x - radius, first.y - radius, first.x + radius, first.y + radius)
    )
    if min(left, top, size[0] - right, size[1] - bottom) < 0:
        found.append(_CUT_OFF)
    return tuple(found)


def _warnings(size: tuple[int, int], predictor: Predictor) -> tuple[str, ...]:
    """Return the reasons to treat a prediction for an image of this size with caution."""
    warn = _WARN_RATIO < _size_ratio(size, predictor) < _ABSTAIN_RATIO
    return (_other_size(size, predictor),) if warn else ()


def _size_ratio(size: tuple[int, int], predictor: Predictor) -> float:
    """Return how many times larger or smaller an image is than the training images, if their size is known."""
    ratio = max(size) / max(predictor.image_size or size)
    return max(ratio, 1 / ratio)


def _other_size(size: tuple[int, int], predictor: Predictor) -> str:
    width, height = predictor.image_size or size
    return (
        f"another image size: {size[0]}×{size[1]} pixels, but the network was trained on {width}×{height}: "
        "rescale the image so that its cells are as wide, in pixels, as in the training images"
    )
