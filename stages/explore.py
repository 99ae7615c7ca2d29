"""Look at the data: average image, pixel distribution and samples of each class, and the counts that cleaning left."""

from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from bloodcells.core.classes import CLASSES, RARE
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv, atomic_folder
from bloodcells.core.parameters import read_params
from bloodcells.datasets.labels import read_label_table
from bloodcells.imaging.cropping import crop_around, cut
from bloodcells.imaging.localization import find_cell
from bloodcells.imaging.opening import open_rgb
from bloodcells.reporting.charts import counts, distribution
from bloodcells.reporting.image_grid import averages, samples

SMEAR = (320, 240)
"""Columns and rows that are taken of a whole smear: pixels as they are, so that their distribution stays true."""

TILE = 160
"""Side to which the square around the cell is scaled."""


def main() -> None:
    params = read_params()
    raw = Path("artifacts", params.dataset, "raw")
    smears: dict[str, list[NDArray[np.uint8]]] = defaultdict(list)
    cells: dict[str, list[tuple[str, NDArray[np.uint8]]]] = defaultdict(list)
    for name, label in tqdm(_single(raw), desc="explore", unit="image", disable=None):
        path = raw / "JPEGImages" / name
        image = open_rgb(path)
        smear = image.resize(SMEAR, Image.Resampling.NEAREST)
        try:
            point = find_cell(image)
        except InputError as error:
            raise InputError(f"{path}: {error}; take its row out of the label table") from None
        smears[label].append(np.asarray(smear, dtype=np.uint8))
        cells[label].append((name, cut(image, crop_around(point, image.size, params.image.crop), TILE)))

    classes = [label for label in CLASSES + RARE if smears[label]]
    kinds = {
        "whole smear": {label: smears[label] for label in classes},
        "around the white cell": {label: [tile for _, tile in cells[label]] for label in classes},
    }
    histograms = {
        kind: {label: sum(map(_histogram, images), np.zeros((3, 256), np.int64)) for label, images in by_class.items()}
        for kind, by_class in kinds.items()
    }
    steps = read_csv(Path("plots", params.dataset, "counts.csv"), ("class", "step", "count"))

    with atomic_folder(Path("plots", params.dataset, "explore")) as folder:
        averages(folder / "average.png", f"Average image of each class ({params.dataset})", kinds)
        distribution(folder / "distribution.png", f"Pixel distribution of each class ({params.dataset})", histograms)
        samples(folder / "samples.png", f"Samples of each class ({params.dataset})", {c: cells[c] for c in classes})
        counts(
            folder / "counts.png",
            f"Cells of each class, before and after cleaning ({params.dataset})",
            [(row["class"], row["step"], int(row["count"])) for row in steps],
        )
    print(f"looked at {sum(map(len, smears.values()))} cells; pictures in {Path('plots', params.dataset, 'explore')}")


def _single(raw: Path) -> list[tuple[str, str]]:
    """List the images that there are with one label, the rare ones too, and that label."""
    rows = read_label_table(raw / "labels.csv")
    named = [(row.image, row.labels[0]) for row in rows if len(row.labels) == 1]
    return [(image, label) for image, label in named if (raw / "JPEGImages" / image).is_file()]


def _histogram(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the values of each channel: (3, 256)."""
    return np.array(Image.fromarray(image).histogram(), dtype=np.int64).reshape(3, 256)


if __name__ == "__main__":
    run(main)
