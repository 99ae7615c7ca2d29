"""Opening an image as 8-bit RGB; any other file is an error that names it."""

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from bloodcells.core.errors import InputError

MAX_PIXELS = 50_000_000
"""More than any microscope camera has; a file with more is refused before it is decoded."""

_COLOR_MODES = ("RGB", "RGBA", "P")
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")  # Pillow would execute EPS
_BITS_PER_SAMPLE = 258  # TIFF tag


def open_rgb(path: Path, remedy: str = "fetch it again, or take its row out of the label table") -> Image.Image:
    """Open and decode a color image.

    Args:
        path: the file.
        remedy: what the user can do about a broken file, for the error message.

    Raises:
        InputError: the file is missing, empty, not an image, truncated, too large, or not 8-bit color.
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
        what = "is empty" if path.stat().st_size == 0 else "is not an image that can be read"
        raise InputError(f"{path} {what}: {remedy}") from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises all of them on broken files
        if isinstance(error, IsADirectoryError | PermissionError):
            raise InputError(f"{path} can't be read: {error.strerror}") from None
        raise InputError(f"{path} is broken ({error}): {remedy}") from None


def _check(path: Path, image: Image.Image) -> None:
    if image.format not in _FORMATS:
        raise InputError(f"{path} has the format {image.format}: save it as JPEG, PNG or TIFF")
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(path)
    if _is_deep(image):
        raise InputError(f"{path} has more than 8 bits per channel: save it as 8-bit RGB")
    if image.mode not in _COLOR_MODES:
        kind = "grayscale" if image.mode in ("1", "L", "LA", "La") else image.mode
        raise InputError(f"{path} is {kind}, but the stain is recognized by its color: save the original as 8-bit RGB")


def _is_deep(image: Image.Image) -> bool:
    """Return whether the file has more than 8 bits per channel, even if Pillow would reduce them."""
    if image.mode.startswith(("I", "F")) or ";16" in str(getattr(image, "tile", "")):
        return True
    # Pillow silently reads every other byte of a planar 16-bit image as an 8-bit image.
    return any(bits > 8 for bits in getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ()))


def _too_large(path: Path) -> InputError:
    return InputError(f"{path} has over {MAX_PIXELS // 1_000_000} million pixels: scale or crop it before adding it")
