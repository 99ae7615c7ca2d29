"""Localization of the white cell by its stain, without annotations, and the stain of a cell in a box."""

from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, maximum_filter

from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Box, Point

THUMBNAIL = 160
"""Longer side, in pixels, of the thumbnail that is searched."""

SIGMA = 10.0
"""Standard deviation of the smoothing, in pixels of the thumbnail: about the radius of a nucleus, so that platelets
vanish."""

_PEAK_DISTANCE = 2.5 * SIGMA
"""Weaker peaks within this distance, in pixels of the thumbnail, belong to the same cell."""


def find_cell(image: Image.Image) -> Point:
    """Return the point of an RGB smear where the stain is strongest: its white cell.

    Raises:
        InputError: nothing in the image is stained.
    """
    peaks = find_stain_peaks(image)
    if not peaks:
        raise InputError("no stained cell found")
    return peaks[0]


def cell_point(image: Image.Image, box: Box | None) -> Point:
    """Return where a cell is in an RGB smear, and its stain.

    With a box, that is the center of the box, and the strongest smoothed stain in the box; otherwise see `find_cell`.

    Raises:
        InputError: there is no box, and nothing in the image is stained.
    """
    if box is None:
        return find_cell(image)
    stain = _smooth_stain(image)
    down, across = stain.shape[0] / image.height, stain.shape[1] / image.width
    inside = stain[int(box.top * down) : ceil(box.bottom * down), int(box.left * across) : ceil(box.right * across)]
    return Point((box.left + box.right) / 2, (box.top + box.bottom) / 2, float(inside.max()))


def find_stain_peaks(image: Image.Image) -> list[Point]:
    """Return the maxima of the smoothed stain in an RGB smear, the strongest first.

    Clumps of red cells and large platelets are peaks as well, but weaker ones than white cells.
    """
    stain = _smooth_stain(image)
    height, width = stain.shape
    rows, columns = np.nonzero((stain == maximum_filter(stain, size=3)) & (stain >= 1))
    strongest_first = np.argsort(-stain[rows, columns], kind="stable")
    rows, columns = rows[strongest_first], columns[strongest_first]
    peaks = []
    while len(rows):
        x, y = (columns[0] + 0.5) * image.width / width, (rows[0] + 0.5) * image.height / height
        peaks.append(Point(float(x), float(y), float(stain[rows[0], columns[0]])))
        far = np.hypot(rows - rows[0], columns - columns[0]) > _PEAK_DISTANCE
        rows, columns = rows[far], columns[far]
    return peaks


def _smooth_stain(image: Image.Image) -> NDArray[np.float32]:
    """Return the stain (R + B) / 2 - G of an RGB smear's thumbnail, smoothed.

    Giemsa's azure and eosin stain white cells purple, so these absorb green most. Red cells are pink to tan (red
    exceeds blue and green alike), and plasma is nearly gray.
    """
    scale = THUMBNAIL / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    thumbnail = image.resize((width, height), Image.Resampling.BOX)
    red, green, blue = np.moveaxis(np.asarray(thumbnail, dtype=np.float32), -1, 0)
    smooth: NDArray[np.float32] = gaussian_filter(np.maximum((red + blue) / 2 - green, 0), SIGMA, mode="constant")
    return smooth
