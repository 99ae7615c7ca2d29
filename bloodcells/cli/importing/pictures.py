"""What can be told from images without their labels: masks, copies, and whether they are crops or smears."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from statistics import median

from bloodcells.cli.importing.scanning import ImageFile

_MASK_COLORS = 8  # a photograph has hundreds, also if only a sample of its pixels is looked at
_MASK_SHADES = 4  # a mask saved as JPEG has more colors, but they are near a few
_MASK_WORDS = re.compile(
    r"(^|[^a-z])(masks?|segm?|segmentations?|annot(ations?)?|ground ?truth|gt|labels?|contours?)([^a-z]|$)",
    re.IGNORECASE,
)
_BITS = (1023, 4095, 16383, 65535)
_ROUNDING = 1.01
_LARGEST_CROP = 640
_SQUARE = 1.25  # the longer side of a crop by the shorter one, at most


def find_masks(images: Iterable[ImageFile]) -> tuple[ImageFile, ...]:
    """Return the images that are masks, not photographs.

    A mask has very few colors. If its name says so (`017_mask.jpg`, `masks/017.jpg`), or there is a photograph of the
    same name with another extension or in another folder, it may have as many as a JPEG makes of few.
    """
    images = tuple(images)
    photographs = {image.stem for image in images if image.shades > _MASK_SHADES}
    return tuple(
        image
        for image in images
        if 0 < image.colors <= _MASK_COLORS
        or (
            0 < image.shades <= _MASK_SHADES
            and (
                image.stem in photographs
                or any(map(_MASK_WORDS.search, PurePosixPath(image.name).with_suffix("").parts))
            )
        )
    )


def find_copies(images: Iterable[ImageFile]) -> tuple[tuple[ImageFile, ...], ...]:
    """Return the images that are the same file under several names, together."""
    copies = defaultdict(list)
    for image in images:
        copies[image.md5].append(image)
    return tuple(tuple(same) for md5, same in copies.items() if md5 and len(same) > 1)


def guess_range(images: Iterable[ImageFile]) -> tuple[float, float] | None:
    """Return the limits of 16-bit images: what the bits of the camera allow; None if all have 8 bits."""
    brightest = max((image.brightest for image in images), default=0)
    return (0, next(limit for limit in _BITS if brightest <= limit * _ROUNDING)) if brightest else None


def guess_crop(images: Sequence[ImageFile]) -> int | None:
    """Return the side of images that are crops around one cell each: nearly square and small; None for smears."""
    sizes = [image.size for image in images if min(image.size)]
    if not sizes:
        return None
    crops = [max(size) for size in sizes if max(size) <= _LARGEST_CROP and max(size) <= _SQUARE * min(size)]
    return round(median(crops)) if len(crops) > 0.9 * len(sizes) else None


def guess_crop_around(boxes: Sequence[tuple[int, int]]) -> int | None:
    """Return the side of a square of which a cell fills about half, given the widths and heights of boxes, if any."""
    return max(16, round(median(map(max, boxes)) * 2**0.5 / 8) * 8) if boxes else None
