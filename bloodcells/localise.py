"""Where the white cell lies: found by its stain, without annotations."""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from bloodcells.errors import InputError

THUMBNAIL = 160
"""Longer side, in pixels, of the thumbnail on which the cell is looked for."""

SIGMA = 10.0
"""Width of the smoothing, in pixels of the thumbnail: about the radius of a nucleus, so that platelets drown."""


@dataclass(frozen=True)
class Point:
    """A point of an image, in its pixels from the top left, and how strongly it is stained (0 to 255)."""

    x: float
    y: float
    stain: float


@dataclass(frozen=True)
class Box:
    """A rectangle of an image, in its pixels; `right` and `bottom` are outside."""

    left: int
    top: int
    right: int
    bottom: int

    def holds(self, point: Point, margin: float = 0.0) -> bool:
        """Tell whether the point lies in the box, or no farther than `margin` pixels from it to each side."""
        return (
            self.left - margin <= point.x <= self.right + margin
            and self.top - margin <= point.y <= self.bottom + margin
        )


def find_cell(image: Image.Image) -> Point:
    """Find the white cell of an RGB smear: the largest value of the smoothed stain (R + B) / 2 - G.

    Giemsa's azure and eosin leave white cells purple, so green is what they absorb most; red cells are
    pink to tan, where red outweighs blue and green alike, and the plasma is near grey.

    Raises:
        InputError: nothing in the image is stained.
    """
    scale = THUMBNAIL / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    red, green, blue = np.moveaxis(
        np.asarray(image.resize((width, height), Image.Resampling.BOX), dtype=np.float32), -1, 0
    )
    stain = gaussian_filter(np.maximum((red + blue) / 2 - green, 0), SIGMA, mode="constant")
    row, column = np.unravel_index(int(stain.argmax()), stain.shape)
    if stain[row, column] < 1:
        raise InputError("no stained cell is to be seen")
    return Point((column + 0.5) * image.width / width, (row + 0.5) * image.height / height, float(stain[row, column]))


def crop_around(point: Point, size: tuple[int, int], side: int) -> Box:
    """Give the square of `side` pixels around a point, moved to lie inside an image of `size` (width, height).

    An image smaller than `side` gives its largest square.
    """
    width, height = size
    side = min(side, width, height)
    left = min(max(round(point.x - side / 2), 0), width - side)
    top = min(max(round(point.y - side / 2), 0), height - side)
    return Box(left, top, left + side, top + side)
