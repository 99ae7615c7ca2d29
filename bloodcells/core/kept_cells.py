"""The table of kept cells: where each of them is."""

from dataclasses import dataclass
from pathlib import Path

from bloodcells.core.files import read_csv
from bloodcells.core.geometry import Box


@dataclass(frozen=True)
class KeptCell:
    """Where a cell is.

    Attributes:
        name: what the cell is called everywhere downstream.
        file: path of its image, below the images folder.
        box: its place in the image; None if the image is about this cell alone.
    """

    name: str
    file: str
    box: Box | None


def read_kept_cells(path: Path) -> list[KeptCell]:
    """Read the kept cells, in order, from the table that the stage `clean` wrote.

    Raises:
        InputError: the file is missing or lacks a column.
    """
    edges = ("left", "top", "right", "bottom")
    return [
        KeptCell(row["image"], row["file"], Box(*(int(row[edge]) for edge in edges)) if row["left"] else None)
        for row in read_csv(path, ("image", "file", *edges))
    ]
