"""Where the white cell lies: found by its stain, without annotations."""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from bloodcells.errors import InputError
from bloodcells.geometry import Point

THUMBNAIL = 160
"""Longer side, in pixels, of the thumbnail on which the cell is looked for."""

SIGMA = 10.0
"""Width of the smoothing, in pixels of the thumbnail: about the radius of a nucleus, so that platelets drown."""


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
