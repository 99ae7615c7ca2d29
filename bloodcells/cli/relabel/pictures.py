"""The pictures of the page: each cell as it was photographed, and the image around it, as JPEG in data URLs."""

import base64
import io

from PIL import Image

from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv
from bloodcells.core.geometry import Box
from bloodcells.core.kept_cells import read_kept_cells
from bloodcells.core.paths import DatasetPaths
from bloodcells.core.prepared_cells import INDEX
from bloodcells.datasets.record import Record
from bloodcells.imaging.loading import open_rgb

LARGEST, AROUND = 640, 480
"""Longest sides of the cell's picture and of the image around it, in pixels."""


class Pictures:
    """The photographs of a data set."""

    def __init__(self, paths: DatasetPaths, record: Record) -> None:
        """Read where the cells are.

        Raises:
            InputError: the cells have not been prepared.
        """
        self._images, self._range = record.images_folder(paths.raw), record.images.range
        self._cells = {cell.name: cell for cell in read_kept_cells(paths.cells)}
        self._squares = {
            row["image"]: (int(row["left"]), int(row["top"]), int(row["side"]))
            for row in read_csv(paths.pixels / INDEX, ("image", "left", "top", "side"))
        }

    def draw(self, name: str) -> dict[str, object]:
        """Return what the page shows of a cell.

        Returns:
            `picture`: the part of the image that the networks see, and its `ratio` of width to height; `box`: the place
            in it of a cell in a box; `around`: the whole image, empty if the picture is all of it; `place`: of the
            picture in it. Places are left, top, right and bottom as fractions.

        Raises:
            InputError: the cell is not prepared, or its image can't be read.
        """
        if name not in self._squares or name not in self._cells:
            raise InputError(f"{name} is not among the prepared cells: run `dvc repro prepare`")
        cell, (left, top, side) = self._cells[name], self._squares[name]
        image = open_rgb(self._images / cell.file, range=self._range)
        whole = Box(0, 0, *image.size)
        part = Box(left, top, min(left + side, image.width), min(top + side, image.height))
        picture = image.crop((part.left, part.top, part.right, part.bottom))
        return {
            "picture": _jpeg(picture, LARGEST),
            "ratio": round(picture.width / picture.height, 4),
            "box": _within(cell.box, part) if cell.box else [],
            "around": "" if part == whole else _jpeg(image, AROUND),
            "place": _within(part, whole),
        }


def _within(inner: Box, outer: Box) -> list[float]:
    """Return the edges of a box as fractions of another; what lies outside it is cut off."""
    width, height = outer.right - outer.left, outer.bottom - outer.top
    edges = (
        (inner.left - outer.left) / width,
        (inner.top - outer.top) / height,
        (inner.right - outer.left) / width,
        (inner.bottom - outer.top) / height,
    )
    return [round(min(max(edge, 0.0), 1.0), 4) for edge in edges]


def _jpeg(picture: Image.Image, longest: int) -> str:
    picture = picture.copy()
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)  # never enlarges
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
