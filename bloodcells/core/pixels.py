"""The decoded cells: one memory-mapped array of pixels and the index of what stands in its rows."""

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
class Pixels:
    """The prepared cells.

    Attributes:
        array: pixels (n, size, size, 3) as uint8 RGB, not yet in memory.
        rows: the row of each image in it.
        smear: width and height of the smears that they were cut from, in pixels; the medians where these differ.
        palest: the stain of the palest of them (0 to 255).
    """

    array: NDArray[np.uint8]
    rows: dict[str, int]
    smear: tuple[int, int]
    palest: float

    def find(self, images: list[str]) -> NDArray[np.int64]:
        """Give the rows of these images, (len(images),).

        Raises:
            InputError: an image is not among them.
        """
        missing = [image for image in images if image not in self.rows]
        if missing:
            raise InputError(f"{missing[0]} is not among the prepared cells: run `dvc repro prepare`")
        return np.array([self.rows[image] for image in images], dtype=np.int64)

    def take(self, images: list[str]) -> NDArray[np.uint8]:
        """Read the pixels of these images, (len(images), size, size, 3), into memory.

        Raises:
            InputError: an image is not among them.
        """
        return np.ascontiguousarray(self.array[self.find(images)])


class PixelWriter:
    """Writes the array row by row into a folder, and at the end its index."""

    def __init__(self, folder: Path, count: int, size: int) -> None:
        self._folder = folder
        self._shape = (size, size, 3)
        self._index: list[tuple[str | int | float, ...]] = []
        with (folder / ARRAY).open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (count, *self._shape)}
            np.lib.format.write_array_header_1_0(file, header)

    def add(self, image: str, smear: tuple[int, int], stain: float, box: Box, pixels: NDArray[np.uint8]) -> None:
        """Append one image.

        Args:
            image: its name.
            smear: its width and height.
            stain: of its white cell.
            box: the part of it that is shown.
            pixels: (size, size, 3) uint8, that part.

        Raises:
            ValueError: the pixels have another shape or type.
            OSError: the disk is full. (Through a mapped array that would be a signal that ends the process.)
        """
        if pixels.shape != self._shape or pixels.dtype != np.uint8:
            raise ValueError(f"{pixels.dtype} pixels of shape {pixels.shape} where uint8 of {self._shape} belong")
        with (self._folder / ARRAY).open("ab") as file:
            file.write(pixels.tobytes())
        self._index.append((image, box.left, box.top, box.right - box.left, *smear, floor(stain * 100) / 100))

    def close(self) -> None:
        """Write the index."""
        write_csv(self._folder / INDEX, _COLUMNS, self._index)


def open_pixels(folder: Path) -> Pixels:
    """Open what a PixelWriter wrote.

    Raises:
        InputError: the array is missing or does not fit its index.
    """
    index = read_csv(folder / INDEX, _COLUMNS)
    try:
        array = np.load(folder / ARRAY, mmap_mode="r")
    except (EOFError, OSError, ValueError) as error:
        raise InputError(f"{folder / ARRAY} can't be read ({error}): run `dvc repro prepare`") from None
    if array.ndim != 4 or len(array) != len(index) or not index:
        raise InputError(f"{folder} holds {len(array)} cells and an index of {len(index)}: run `dvc repro prepare`")
    width, height = (int(np.median([int(row[side]) for row in index])) for side in ("width", "height"))
    palest = min(float(row["stain"]) for row in index)
    return Pixels(array, {row["image"]: number for number, row in enumerate(index)}, (width, height), palest)
