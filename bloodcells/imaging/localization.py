"""Where the white cell lies: found by its stain, without annotations."""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, maximum_filter

from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Point

THUMBNAIL = 160
"""Longer side, in pixels, of the thumbnail on which the cell is looked for."""

SIGMA = 10.0
"""Width of the smoothing, in pixels of the thumbnail: about the radius of a nucleus, so that platelets drown."""

APART = 2.5 * SIGMA
"""How near, in pixels of the thumbnail, a lesser maximum of the stain may lie and still be of the same cell."""


def find_cell(image: Image.Image) -> Point:
    """Find the white cell of an RGB smear: where the stain is strongest.

    Raises:
        InputError: nothing in the image is stained.
    """
    found = find_stained(image)
    if not found:
        raise InputError("no stained cell is to be seen")
    return found[0]


def find_stained(image: Image.Image) -> list[Point]:
    """Find what is stained in an RGB smear, the strongest first: maxima of the smoothed stain (R + B) / 2 - G.

    Giemsa's azure and eosin leave white cells purple, so green is what they absorb most; red cells are
    pink to tan, where red outweighs blue and green alike, and the plasma is near grey. Clumps of red cells and large
    platelets are maxima too, lesser ones than white cells.
    """
    scale = THUMBNAIL / max(image.side)
    width, height = (max(1, round(side * scale)) for side in image.side)
    red, green, blue = np.moveaxis(
        np.asarray(image.resize((width, height), Image.Resampling.BOX), dtype=np.float32), -1, 0
    )
    stain = gaussian_filter(np.maximum((red + blue) / 2 - green, 0), SIGMA, mode="constant")
    rows, columns = np.nonzero((stain == maximum_filter(stain, size=3)) & (stain >= 1))
    strongest_first = np.argsort(-stain[rows, columns], kind="stable")
    rows, columns = rows[strongest_first], columns[strongest_first]
    found = []
    while len(rows):
        x, y = (columns[0] + 0.5) * image.width / width, (rows[0] + 0.5) * image.height / height
        found.append(Point(float(x), float(y), float(stain[rows[0], columns[0]])))
        far = np.hypot(rows - rows[0], columns - columns[0]) > APART
        rows, columns = rows[far], columns[far]
    return found
