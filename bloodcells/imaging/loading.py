"""Opening an image as upright 8-bit RGB; any other file is an error that names it."""

import sys
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from bloodcells.core.errors import InputError
from bloodcells.core.orientation import turn_upright

MAX_PIXELS = 50_000_000
"""More than any microscope camera has; a file with more is refused before it is decoded."""

_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")  # Pillow would execute EPS
_COLOR_MODES = ("RGB", "RGBA", "P")
_GRAY_MODES = ("1", "F", "I", "I;16", "I;16B", "I;16L", "L", "LA", "La")
_GRAY_WITH_ALPHA = "LA;16B"  # a PNG that Pillow would read as RGBA
_16_BITS = (";16B", ";16L", ";16N")  # ends of Pillow's names for the format of such pixels
_INTERLEAVED, _PLANES = ("RGB", "RGBA", "RGBX"), ("R", "G", "B")
_BITS_PER_SAMPLE, _PLANAR_CONFIGURATION = 258, 284  # TIFF tags


def open_rgb(
    path: Path,
    remedy: str = "fetch it again, or take its row out of the label table",
    range: tuple[float, float] | None = None,
) -> Image.Image:
    """Open and decode a color image, and turn it as its EXIF orientation says.

    Args:
        path: the file; its content, not its suffix, says what it is.
        remedy: what the user can do about a broken file, for the error message.
        range: the values of a 16-bit image that become 0 and 255. An image with 8 bits is not scaled.

    Raises:
        InputError: the file is missing, empty, not an image, truncated, too large, not color, or has more than 8 bits
            per channel and there is no range.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS is the stricter limit
            with Image.open(path) as image:
                deep = _check(path, image, range is not None)
                turn = turn_upright(image)
                rgb = _scale(path, *range) if deep and range else image.convert("RGB")
                return rgb if turn is None else rgb.transpose(turn)
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except UnidentifiedImageError:
        what = "is empty" if path.stat().st_size == 0 else "is not an image that can be read"
        raise InputError(f"{path} {what}: {remedy}") from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises all of them on broken files
        if isinstance(error, IsADirectoryError | PermissionError):
            raise InputError(f"{path} can't be read: {error.strerror}") from None
        raise InputError(f"{path} is broken ({error}): {remedy}") from None


def _check(path: Path, image: ImageFile.ImageFile, has_range: bool) -> bool:
    """Refuse what can't become 8-bit RGB, and return whether the file has 16 bits per channel."""
    if image.format not in _FORMATS:
        raise InputError(f"{path} has the format {image.format}: save it as JPEG, PNG or TIFF")
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(path)
    pixels = [_pixels(tile.args) for tile in image.tile]
    gray = image.mode in _GRAY_MODES or _GRAY_WITH_ALPHA in pixels
    if gray or image.mode not in _COLOR_MODES:
        kind = "grayscale" if gray else image.mode
        raise InputError(f"{path} is {kind}, but the stain is recognized by its color: save the original as 8-bit RGB")
    tags = getattr(image, "tag_v2", {})
    planes = tags.get(_PLANAR_CONFIGURATION) == 2
    if not any(one.endswith(_16_BITS) for one in pixels) and all(bits <= 8 for bits in tags.get(_BITS_PER_SAMPLE, ())):
        return False
    if not all(one.partition(";")[0] in (_PLANES if planes else _INTERLEAVED) for one in pixels):
        raise InputError(f"{path} has more than 8 bits per channel, in a form that can't be read: save it as 8-bit RGB")
    if not has_range:
        raise InputError(
            f"{path} has more than 8 bits per channel: write the values that are to become black and white as "
            "images.range into the record of the data set, such as [0, 4095], or save it as 8-bit RGB"
        )
    return True


def _pixels(tile_args: object) -> str:
    """Return Pillow's name for the format of the pixels in a part of a file, such as `RGB;16B`."""
    return str(tile_args[0] if isinstance(tile_args, tuple) and tile_args else tile_args)


def _scale(path: Path, black: float, white: float) -> Image.Image:
    """Decode a 16-bit color image, and scale `black` to 0 and `white` to 255."""
    with Image.open(path) as image:
        little = isinstance(image, TiffImageFile) and image.tag_v2.prefix == b"II"
        if image.tile[0].codec_name == "libtiff":  # it returns the machine's order of bytes
            little = sys.byteorder == "little"
    low, high = (_decode_byte(path, order) for order in ("BL" if little else "LB"))
    table = np.clip((np.arange(65536) - black) / (white - black), 0, 1) * 255
    return Image.fromarray(table.round().astype(np.uint8)[high.astype(np.uint16) << 8 | low])


def _decode_byte(path: Path, order: str) -> NDArray[np.uint8]:
    """Decode the first (B) or the second (L) of the two bytes of each channel.

    Pillow keeps only the high byte. Which one that is, it takes from the name of the pixels' format.
    """
    with Image.open(path) as image:
        for number, tile in enumerate(image.tile):
            pixels = f"{_pixels(tile.args).partition(';')[0]};16{order}"
            image.tile[number] = tile._replace(
                args=(pixels, *tile.args[1:]) if isinstance(tile.args, tuple) else pixels
            )
        return np.asarray(image.convert("RGB"))


def _too_large(path: Path) -> InputError:
    return InputError(f"{path} has over {MAX_PIXELS // 1_000_000} million pixels: scale or crop it before adding it")
