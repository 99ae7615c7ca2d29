"""The prepared cells: a memory-mapped array of pixels, and an index of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv, write_csv
from bloodcells.core.geometry import Box

ARRAY = "pixels.npy"
INDEX = "index.csv"
_COLUMNS = ("image", "left", "top", "side", "width", "height", "stain")


@dataclass(frozen=True)
class PreparedCells:
    """The network's input for each cell.

    Attributes:
        array: pixels (n, side, side, 3) as uint8 RGB, memory-mapped.
        rows: the row of each image in `array`.
        image_size: width and height of the source images in pixels; their medians where they differ.
        min_stain: the weakest stain of all white cells (0 to 255).
    """

    array: NDArray[np.uint8]
    rows: dict[str, int]
    image_size: tuple[int, int]
    min_stain: float

    def find(self, images: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of these images, (len(images),).

        Raises:
            InputError: an image is not in the index.
        """
        missing = [image for image in images if image not in self.rows]
        if missing:
            raise InputError(f"{missing[0]} is not among the prepared cells: run `dvc repro prepare`")
        return np.array([self.rows[image] for image in images], dtype=np.int64)

    def take(self, images: Sequence[str]) -> NDArray[np.uint8]:
        """Read the pixels of these images into memory, (len(images), side, side, 3).

        Raises:
            InputError: an image is not in the index.
        """
        return np.ascontiguousarray(self.array[self.find(images)])


class PixelWriter:
    """Write the array into a folder row by row, then its index."""

    def __init__(self, folder: Path, count: int, side: int) -> None:
        self._folder = folder
        self._shape = (side, side, 3)
        self._index: list[tuple[str | int | float, ...]] = []
        with (folder / ARRAY).open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (count, *self._shape)}
            np.lib.format.write_array_header_1_0(file, header)

    def add(self, image: str, size: tuple[int, int], stain: float, box: Box, pixels: NDArray[np.uint8]) -> None:
        """Append one image.

        Args:
            image: file name.
            size: its width and height in pixels.
            stain: strength of the stain of its white cell.
            box: the part of the image that the pixels show.
            pixels: that part, (side, side, 3) uint8.

        Raises:
            ValueError: the pixels have the wrong shape or type.
            OSError: the disk is full. (A memory-mapped array would end the process with SIGBUS instead.)
        """
        if pixels.shape != self._shape or pixels.dtype != np.uint8:
            raise ValueError(f"expected uint8 pixels of shape {self._shape}, got {pixels.dtype} of {pixels.shape}")
        with (self._folder / ARRAY).open("ab") as file:
            file.write(pixels.tobytes())
        self._index.append((image, box.left, box.top, box.right - box.left, *size, floor(stain * 100) / 100))

    def close(self) -> None:
        """Write the index."""
        write_csv(self._folder / INDEX, _COLUMNS, self._index)


def open_pixels(folder: Path) -> PreparedCells:
    """Open the folder that a PixelWriter wrote.

    Raises:
        InputError: the array is missing or does not fit its index.
    """
    index = read_csv(folder / INDEX, _COLUMNS)
    try:
        array = np.load(folder / ARRAY, mmap_mode="r")
    except (EOFError, OSError, ValueError) as error:
        raise InputError(f"{folder / ARRAY} can't be read ({error}): run `dvc repro prepare`") from None
    if array.ndim != 4 or len(array) != len(index) or not index:
        raise InputError(f"{folder} has {len(array)} cells but {len(index)} in its index: run `dvc repro prepare`")
    width, height = (int(np.median([int(row[column]) for row in index])) for column in ("width", "height"))
    min_stain = min(float(row["stain"]) for row in index)
    return PreparedCells(array, {row["image"]: number for number, row in enumerate(index)}, (width, height), min_stain)
