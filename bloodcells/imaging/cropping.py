"""Scaling an image to the network's input: a crop around the white cell, or the full image."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bloodcells.core.geometry import Box, Point


def crop_around(point: Point, size: tuple[int, int], side: int) -> Box:
    """Return the square of `side` pixels around a point, moved to lie inside an image of `size` (width, height).

    If the image is smaller than `side`, the square is the largest that fits.
    """
    width, height = size
    side = min(side, width, height)
    left = min(max(round(point.x - side / 2), 0), width - side)
    top = min(max(round(point.y - side / 2), 0), height - side)
    return Box(left, top, left + side, top + side)


def resize_crop(image: Image.Image, box: Box, side: int) -> NDArray[np.uint8]:
    """Scale a square of an RGB image to (side, side, 3)."""
    square = image.resize((side, side), Image.Resampling.BICUBIC, box=(box.left, box.top, box.right, box.bottom))
    return np.asarray(square, dtype=np.uint8)


def letterbox(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """Scale a full RGB image into (side, side, 3): keep its aspect ratio and pad with its median color."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    inner = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), dtype=np.uint8)
    result = np.empty((side, side, 3), dtype=np.uint8)
    result[:] = np.median(inner, axis=(0, 1)).astype(np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    result[top : top + height, left : left + width] = inner
    return result
