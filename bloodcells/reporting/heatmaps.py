"""Heat maps laid over images, and what marks a place in them."""

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import binary_erosion

COLORS = np.round(255 * colormaps["inferno"](np.arange(256))[:, :3]).astype(np.uint8)
"""The colours (256, 3) of heat from 0 to 1: perceptually even and of growing lightness, so that any eye can read their
order."""

_STRENGTH = 0.6
_MARK = (0, 255, 255)  # no heat has this color


def overlay(pixels: NDArray[np.uint8], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Lay a heat map over an image, whose own colours give way to its lightness.

    Args:
        pixels: (height, width, 3) RGB.
        heat: (height, width), 0 to 1.

    Returns:
        (height, width, 3) RGB.
    """
    grey = pixels @ np.array([0.299, 0.587, 0.114])  # luma of ITU-R BT.601
    colours = COLORS[np.round(255 * heat).astype(np.intp)]
    mixed: NDArray[np.uint8] = np.round((1 - _STRENGTH) * grey[..., None] + _STRENGTH * colours).astype(np.uint8)
    return mixed


def marked(
    picture: NDArray[np.uint8], target: NDArray[np.bool_] | None, peak: tuple[int, int] | None
) -> NDArray[np.uint8]:
    """Draw the edge of a target (height, width) and a ring around a peak (row, column), where there are such."""
    result = picture.copy()
    if target is not None:
        result[target & ~binary_erosion(target)] = _MARK
    image = Image.fromarray(result)
    if peak:
        y, x = peak
        reach = picture.shape[0] // 20
        ImageDraw.Draw(image).ellipse((x - reach, y - reach, x + reach, y + reach), outline=_MARK, width=2)
    return np.asarray(image)


def scale(width: int, height: int) -> NDArray[np.uint8]:
    """Draw the colours of heat from 0 to 1, left to right, as `overlay` lays them over grey: (height, width, 3)."""
    ramp = np.tile(np.linspace(0, 1, width), (height, 1))
    return overlay(np.full((height, width, 3), 160, dtype=np.uint8), ramp)
