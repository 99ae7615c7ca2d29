"""The pictures of the page: each cell as it was photographed, and the image around it, as JPEG in data URLs."""

import base64
import io
from pathlib import Path

from PIL import Image

from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv
from bloodcells.core.geometry import Box
from bloodcells.core.paths import DatasetPaths
from bloodcells.core.prepared_cells import INDEX
from bloodcells.imaging.loading import open_rgb

LARGEST, AROUND = 640, 480
"""Longest sides of the cell's picture and of the image around it, in pixels."""


class Pictures:
    """The photographs of a data set."""

    def __init__(self, paths: DatasetPaths, images: Path) -> None:
        """Read where the cells are.

        Args:
            paths: of the data set.
            images: the folder of its images.

        Raises:
            InputError: the cells have not been prepared.
        """
        self._files = {row["image"]: images / row["file"] for row in read_csv(paths.cells, ("image", "file"))}
        self._squares = {
            row["image"]: (int(row["left"]), int(row["top"]), int(row["side"]))
            for row in read_csv(paths.pixels / INDEX, ("image", "left", "top", "side"))
        }

    def draw(self, cell: str) -> dict[str, object]:
        """Return the picture of a cell, and the image around it with the place of the cell in it (fractions of it).

        Raises:
            InputError: the cell is not prepared, or its image can't be read.
        """
        if cell not in self._squares or cell not in self._files:
            raise InputError(f"{cell} is not among the prepared cells: run `dvc repro prepare`")
        image = open_rgb(self._files[cell])
        left, top, side = self._squares[cell]
        box = Box(left, top, min(left + side, image.width), min(top + side, image.height))
        picture = image.crop((box.left, box.top, box.right, box.bottom))
        if picture.size == image.size:
            return {"picture": _jpeg(picture, LARGEST), "around": "", "place": []}
        corners = (box.left / image.width, box.top / image.height, box.right / image.width, box.bottom / image.height)
        return {
            "picture": _jpeg(picture, LARGEST),
            "around": _jpeg(image, AROUND),
            "place": [round(corner, 4) for corner in corners],
        }


def _jpeg(picture: Image.Image, longest: int) -> str:
    picture = picture.copy()
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)  # never enlarges
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
