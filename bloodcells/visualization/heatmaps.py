"""Heat maps laid over images, so that the image stays visible."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import binary_erosion

_RAMP = np.array([[255, 237, 160], [254, 178, 76], [240, 59, 32], [128, 0, 38]], np.float64)
"""Colors of heat from 0 to 1, of falling lightness: ColorBrewer's YlOrRd."""

_OPACITY = 0.5  # of the strongest heat; none of it covers nothing
_MARK = (0, 255, 255)  # no heat has this color


def overlay(pixels: NDArray[np.uint8], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Lay a heat map over an image: the stronger the heat, the more opaque its color.

    Args:
        pixels: (height, width, 3) RGB.
        heat: (height, width), 0 to 1.

    Returns:
        (height, width, 3) RGB.
    """
    position = heat * (len(_RAMP) - 1)
    below = np.clip(position.astype(np.intp), 0, len(_RAMP) - 2)
    part = (position - below)[..., None]
    colors = (1 - part) * _RAMP[below] + part * _RAMP[below + 1]
    opacity = _OPACITY * np.asarray(heat)[..., None]
    return np.asarray(np.round((1 - opacity) * pixels + opacity * colors), dtype=np.uint8)


def mark(
    picture: NDArray[np.uint8], target: NDArray[np.bool_] | None, peak: tuple[int, int] | None
) -> NDArray[np.uint8]:
    """Draw the outline of a target (height, width) and a ring around a peak (row, column), if there are any."""
    result = picture.copy()
    if target is not None:
        result[target & ~binary_erosion(target)] = _MARK
    image = Image.fromarray(result)
    if peak:
        y, x = peak
        radius = picture.shape[0] // 20
        ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), outline=_MARK, width=2)
    return np.asarray(image)


def color_scale(width: int, height: int) -> NDArray[np.uint8]:
    """Draw the heat from 0 to 1, left to right, as `overlay` lays it over light gray: (height, width, 3)."""
    ramp = np.tile(np.linspace(0, 1, width), (height, 1))
    return overlay(np.full((height, width, 3), 220, dtype=np.uint8), ramp)
