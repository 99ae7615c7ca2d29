"""Localization of the white cell by its stain, without annotations."""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, maximum_filter

from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Point

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


def find_stain_peaks(image: Image.Image) -> list[Point]:
    """Return the maxima of the smoothed stain (R + B) / 2 - G in an RGB smear, the strongest first.

    Giemsa's azure and eosin stain white cells purple, so these absorb green most. Red cells are pink to tan (red
    exceeds blue and green alike), and plasma is nearly gray. Clumps of red cells and large platelets are peaks as
    well, but weaker ones than white cells.
    """
    scale = THUMBNAIL / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    thumbnail = image.resize((width, height), Image.Resampling.BOX)
    red, green, blue = np.moveaxis(np.asarray(thumbnail, dtype=np.float32), -1, 0)
    stain = gaussian_filter(np.maximum((red + blue) / 2 - green, 0), SIGMA, mode="constant")
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
