"""Detection of near-duplicates: images that show the same part of a smear, possibly shifted."""

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

from bloodcells.imaging.loading import open_rgb

SMEAR = (80, 60)
"""Width and height of the thumbnails of full images."""

CROP = (40, 40)
"""Width and height of the thumbnails of crops."""

OVERLAP = 0.3
"""Two images are compared at shifts that leave at least this fraction of the frame in common."""

SAME_PLACE = 0.7
"""`OVERLAP` for crops of the same cell. With less, crops of neighboring cells match too: their surroundings overlap."""

_BATCH = 256  # pairs that a thread compares at once; all pairs of some thousand images would not fit in memory


def thumbnail(image: Image.Image, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the gray values (height, width) of an image scaled to `size` (width, height)."""
    return np.asarray(image.convert("L").resize(size, Image.Resampling.BOX), dtype=np.float32)


def smear_thumbnails(paths: Iterable[Path], range: tuple[float, float] | None = None) -> NDArray[np.float32]:
    """Read images in parallel and return their thumbnails of the size `SMEAR`, (n, height, width), in order.

    Args:
        paths: the images.
        range: the values of 16-bit images that become 0 and 255.

    Raises:
        InputError: an image is missing, broken or not RGB.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.stack(list(pool.map(lambda path: thumbnail(open_rgb(path, range=range), SMEAR), paths)))


def near_duplicate_groups(thumbnails: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """Return the group number of each image, (n,): near-duplicates share a group, and so do chains of them.

    Args:
        thumbnails: (n, height, width) gray values.
        threshold: two images are near-duplicates if their `similarity` exceeds it.
    """
    return np.asarray(connected_components(similarity(thumbnails) > threshold, directed=False)[1], dtype=np.int64)


def similarity(thumbnails: NDArray[np.float32], overlap: float = OVERLAP) -> NDArray[np.float32]:
    """Return the maximum normalized cross-correlation of each pair of images over all shifts, (n, n).

    Slow changes of illumination are removed first. At each shift, only what both images show is correlated; shifts
    that leave less than `overlap` of the frame in common are ignored (J. P. Lewis, Fast normalized cross-correlation,
    1995; here with one Fourier transform per image for all its pairs).
    """
    count, height, width = thumbnails.shape
    detail = thumbnails - gaussian_filter(thumbnails, (0, width / 20, width / 20))
    size = (next_fast_len(2 * height - 1, real=True), next_fast_len(2 * width - 1, real=True))

    def inverse(spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
        return np.asarray(irfft2(spectrum, s=size), dtype=np.float32)

    frame = rfft2(np.ones((1, height, width), np.float32), s=size)
    common = inverse(frame * frame.conj())[0] > overlap * height * width
    energy = rfft2(detail**2, s=size)
    norm, shifted_norm = (
        1 / np.sqrt(np.maximum(inverse(product)[:, common], 1.0))
        for product in (energy * frame.conj(), frame * energy.conj())
    )
    spectra = rfft2(detail, s=size)
    result = np.eye(count, dtype=np.float32)

    def compare_with_later(i: int) -> None:
        for start in range(i + 1, count, _BATCH):
            others = slice(start, start + _BATCH)
            correlation = inverse(spectra[i] * spectra[others].conj())[:, common] * norm[i] * shifted_norm[others]
            result[i, others] = result[others, i] = correlation.max(axis=1)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each call writes its own elements
        list(pool.map(compare_with_later, range(count - 1)))
    return result
