"""Cutting the network's input from an image: a crop around the white cell, or the whole frame."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bloodcells.core.geometry import Box, Point


def crop_around(point: Point, size: tuple[int, int], side: int) -> Box:
    """Give the square of `side` pixels around a point, moved to lie inside an image of `size` (width, height).

    An image smaller than `side` gives its largest square.
    """
    width, height = size
    side = min(side, width, height)
    left = min(max(round(point.x - side / 2), 0), width - side)
    top = min(max(round(point.y - side / 2), 0), height - side)
    return Box(left, top, left + side, top + side)


def cut(image: Image.Image, box: Box, size: int) -> NDArray[np.uint8]:
    """Scale a square of an RGB image to (size, size, 3)."""
    square = image.resize(
        (size, size), Image.Resampling.BICUBIC, box=(box.left, box.top, box.right, box.bottom), reducing_gap=None
    )
    return np.asarray(square, dtype=np.uint8)


def letterbox(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Scale a whole RGB image into (size, size, 3), its shape kept, the rest filled with its median color."""
    scale = size / max(image.side)
    width, height = (max(1, round(side * scale)) for side in image.side)
    inner = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), dtype=np.uint8)
    result = np.empty((size, size, 3), dtype=np.uint8)
    result[:] = np.median(inner, axis=(0, 1)).astype(np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    result[top : top + height, left : left + width] = inner
    return result
