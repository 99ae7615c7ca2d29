"""The orientation that a camera notes in an image file (EXIF) instead of turning the pixels."""

import struct

from PIL import ExifTags, Image

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turn_upright(image: Image.Image) -> Image.Transpose | None:
    """Return how to turn the pixels of an opened file that is not yet decoded; None if they are upright.

    `PIL.ImageOps.exif_transpose` does the same, but fails on damaged EXIF, which says nothing about the pixels.
    """
    if image.format == "TIFF":  # Pillow turns it while decoding, and gives the size of the turned image before
        return None
    try:
        # PNG's own getexif decodes the image, to find EXIF after the pixels; none is expected there.
        return _TURNS.get(Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1))
    except (LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        return None


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of an opened file, as they are once its pixels are upright."""
    width, height = image.size
    return (height, width) if turn_upright(image) in [_TURNS[number] for number in (5, 6, 7, 8)] else (width, height)
