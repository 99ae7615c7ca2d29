"""Opening an image: RGB of eight bits comes back, anything else is an error that names the file."""

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from bloodcells.core.errors import InputError

MAX_PIXELS = 50_000_000
"""More than any camera on a microscope gives; a file that claims more is refused before it is decoded."""

_COLOUR = ("RGB", "RGBA", "P")
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")  # Pillow would run EPS as a program
_BITS_PER_SAMPLE = 258  # a tag of TIFF files


def open_rgb(path: Path, remedy: str = "fetch it again, or take its row out of the label table") -> Image.Image:
    """Open and decode a color image.

    Args:
        path: the file.
        remedy: what an error tells the user to do about a file that is broken.

    Raises:
        InputError: the file is missing, empty, no image, cut short, too large, or without the colours
            of eight bits that the stain is known by.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS is the stricter limit
            with Image.open(path) as image:
                _check(path, image)
                image.load()
                return image.convert("RGB")
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except UnidentifiedImageError:
        what = "is empty" if path.stat().st_size == 0 else "is no image that can be read"
        raise InputError(f"{path} {what}: {remedy}") from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises each of them on broken files
        if isinstance(error, IsADirectoryError | PermissionError):
            raise InputError(f"{path} can't be read: {error.strerror}") from None
        raise InputError(f"{path} is broken ({error}): {remedy}") from None


def _check(path: Path, image: Image.Image) -> None:
    if image.format not in _FORMATS:
        raise InputError(f"{path} is of the format {image.format}: save it as JPEG, PNG or TIFF")
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(path)
    if _is_deep(image):
        raise InputError(f"{path} has more than 8 bits a channel: save it as RGB of 8 bits")
    if image.mode not in _COLOUR:
        kind = "grey" if image.mode in ("1", "L", "LA", "La") else image.mode
        raise InputError(f"{path} is {kind}, and the stain is known by its color: save the original as RGB of 8 bits")


def _is_deep(image: Image.Image) -> bool:
    """Tell whether the file has more than eight bits a channel, whatever Pillow would make of them."""
    if image.mode.startswith(("I", "F")) or ";16" in str(getattr(image, "tile", "")):
        return True
    # Pillow takes every other byte of planes of 16 bits for an image of 8, and shows no sign of it.
    return any(bits > 8 for bits in getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ()))


def _too_large(path: Path) -> InputError:
    return InputError(f"{path} claims over {MAX_PIXELS // 1_000_000} million pixels: scale or crop it before adding it")
