"""Groups of cells that are alike: those of one patient, slide or image. Intervals and tests resample them whole."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.files import read_csv

Groups = Mapping[str, str]
"""The group of each cell."""


def read_groups(cells: Path) -> dict[str, str] | None:
    """Read the groups of the kept cells: the patient, slide or acquisition, or else the image.

    Returns:
        None if no two cells share a group, so that the cells count as independent.

    Raises:
        InputError: the table is missing.
    """
    rows = read_csv(cells, ("image", "group", "file"))
    groups = {row["image"]: f"group {row['group']}" if row["group"] else f"image {row['file']}" for row in rows}
    return groups if len(set(groups.values())) < len(groups) else None


def cluster_numbers(images: Iterable[str], groups: Groups | None) -> NDArray[np.int64] | None:
    """Return the number of each cell's group, (n,); a cell that is not in `groups` is one. None if `groups` is None."""
    if groups is None:
        return None
    names = [groups.get(image, f"cell {image}") for image in images]
    return np.asarray(np.unique(names, return_inverse=True)[1], np.int64)


def published_numbers(groups: Groups | None) -> dict[str, int]:
    """Return the number of each cell's group, for tables that are published: names of patients must not be."""
    numbers = {name: number for number, name in enumerate(sorted({*(groups or {}).values()}))}
    return {image: numbers[name] for image, name in (groups or {}).items()}


def count_clusters(clusters: NDArray[np.int64] | None) -> int | None:
    """Return how many groups there are; None if the cells are independent."""
    return None if clusters is None else len(np.unique(clusters))
