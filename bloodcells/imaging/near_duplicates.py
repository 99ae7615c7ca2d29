"""Which images show the same part of a smear: near-duplicates, moved or not."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter
from scipy.sparse.csgraph import connected_components

from bloodcells.imaging.opening import open_rgb

SMEAR = (80, 60)
"""Width and height to which smears are scaled to be compared."""

CROP = (40, 40)
"""Width and height to which what the networks see of a cell is scaled to be compared."""

OVERLAP = 0.3
"""Share of the frame that two images must have in common to be compared."""

SAME_PLACE = 0.7
"""The same for two crops that show one cell at the same place in them, give or take. Less would also pair crops
of neighbours, whose surroundings overlap."""

_AT_ONCE = 256  # pairs that a thread compares; all of some thousand images would fill the memory


def thumbnail(image: Image.Image, size: tuple[int, int]) -> NDArray[np.float32]:
    """Give the grey values (height, width) of an image scaled to `size` (width, height)."""
    return np.asarray(image.convert("L").resize(size, Image.Resampling.BOX), dtype=np.float32)


def smear_thumbnails(paths: Iterable[Path]) -> NDArray[np.float32]:
    """Read smears, several at once, and give their thumbnails (n, height, width) of the size `SMEAR`, in their order.

    Raises:
        InputError: one is missing, broken, or no RGB image.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.stack(list(pool.map(lambda path: thumbnail(open_rgb(path), SMEAR), paths)))


def near_duplicate_groups(thumbnails: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """Number the groups of images that show the same part of a smear, moved or not.

    Args:
        thumbnails: (n, height, width) grey values.
        threshold: images whose `similarity` exceeds it stand in one group, as do chains of such pairs.

    Returns:
        (n,) group numbers.
    """
    return np.asarray(connected_components(similarity(thumbnails) > threshold, directed=False)[1], dtype=np.int64)


def similarity(thumbnails: NDArray[np.float32], overlap: float = OVERLAP) -> NDArray[np.float32]:
    """Give the largest normalised cross-correlation of each two images over all shifts, (n, n).

    The slow changes of light are taken out first. Only shifts that leave at least `overlap` of the frame in common
    count, and of both images only what is in common (J. P. Lewis, Fast normalized cross-correlation, 1995).
    """
    count, height, width = thumbnails.shape
    detail = thumbnails - gaussian_filter(thumbnails, (0, width / 20, width / 20))
    size = (next_fast_len(2 * height - 1, real=True), next_fast_len(2 * width - 1, real=True))

    def back(spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
        return np.asarray(irfft2(spectrum, s=size), dtype=np.float32)

    frame = rfft2(np.ones((1, height, width), np.float32), s=size)
    common = back(frame * frame.conj())[0] > overlap * height * width
    energy = rfft2(detail**2, s=size)
    here, there = (
        1 / np.sqrt(np.maximum(back(product)[:, common], 1.0))
        for product in (energy * frame.conj(), frame * energy.conj())
    )
    spectra = rfft2(detail, s=size)
    result = np.eye(count, dtype=np.float32)

    def with_later(i: int) -> None:
        for start in range(i + 1, count, _AT_ONCE):
            others = slice(start, start + _AT_ONCE)
            match = back(spectra[i] * spectra[others].conj())[:, common] * here[i] * there[others]
            result[i, others] = result[others, i] = match.max(axis=1)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each writes places of its own
        list(pool.map(with_later, range(count - 1)))
    return result
