"""Show the average image, samples and the pixel distribution of each class, in crops around the white cell."""

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from math import ceil

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bloodcells.core.errors import InputError, run
from bloodcells.core.files import atomic_folder, write_csv
from bloodcells.core.parameters import ImageParameters, StageParameters, read_parameters
from bloodcells.datasets.corrections import correct_labels
from bloodcells.datasets.labels import read_labels, resolve_classes
from bloodcells.datasets.record import DROP, read_record, record_path
from bloodcells.imaging.cropping import crop_around, resize_crop
from bloodcells.imaging.loading import open_rgb
from bloodcells.imaging.localization import cell_point
from bloodcells.visualization.image_grid import Caption, Card, Row, count, image_grid, short_name
from bloodcells.visualization.style import FAINT

SIDE = 160
"""Side of a crop in pixels."""

COLUMNS = 6
"""Crops in a row: samples of a class, or at most so many classes."""

BIN = 4
"""Width of a bin of the pixel distribution."""

MIN_CELLS = 10
"""A class with fewer cells has no distribution to speak of."""

Crop = NDArray[np.uint8]
Crops = Mapping[str, Sequence[tuple[str, Crop]]]
"""The images of each class: their names, and the crops around the white cell (SIDE, SIDE, 3)."""


class Parameters(StageParameters):
    """Parameters of the stage."""

    image: ImageParameters


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.explore", description=__doc__).parse_args()
    params = read_parameters(Parameters)
    crops = read_crops(params)
    pictures = params.paths.pictures("explore")
    with atomic_folder(pictures) as folder:
        title = f"Average crop of each class ({params.dataset})"
        image_grid(folder / "average.png", title, average_rows(crops))
        title = f"Samples of each class ({params.dataset})"
        image_grid(folder / "samples.png", title, sample_rows(crops), COLUMNS)
    write_csv(params.paths.chart("distribution"), ("class", "channel", "value", "percent"), distribution(crops))
    print(f"explored {sum(map(len, crops.values()))} cells; see {pictures}")


def read_crops(params: Parameters) -> Crops:
    """Read all cells with one label, and crop a square around each; only those that a reader dropped are left out."""
    record, raw = read_record(params.dataset), params.paths.raw
    labeled, images = read_labels(record, raw), record.images_folder(raw)
    classes = resolve_classes(record, labeled)
    corrected, _ = correct_labels(labeled, record, record_path(params.dataset).parent, classes)
    usable = [row for row in corrected if len(row.labels) == 1 and row.labels != (DROP,)]
    rows = [row for row in usable if (images / row.image).is_file()]
    open_image = lru_cache(maxsize=1)(partial(open_rgb, range=record.images.range))  # it may show several cells
    crops: dict[str, list[tuple[str, Crop]]] = defaultdict(list)
    for row in tqdm(rows, desc="explore", unit="cell", disable=None):
        path = images / row.image
        image = open_image(path)
        try:
            box = crop_around(cell_point(image, row.box), image.size, params.image.crop)
        except InputError as error:
            raise InputError(f"{path}: {error}; take its row out of the label table") from None
        crops[row.labels[0]].append((row.cell, resize_crop(image, box, SIDE)))
    return {label: crops[label] for label in (*classes, *sorted(crops.keys() - {*classes})) if label in crops}


def average_rows(crops: Crops) -> list[Row]:
    """Return the average crop of each class, in rows of about the same length."""
    cards = [
        Card(
            np.mean([crop for _, crop in own], axis=0).round().astype(np.uint8),
            [Caption(label), Caption(f"mean of {count(len(own), 'cell')}", color=FAINT)],
        )
        for label, own in crops.items()
    ]
    columns = ceil(len(cards) / ceil(len(cards) / COLUMNS))
    return [Row("", cards[start : start + columns]) for start in range(0, len(cards), columns)]


def sample_rows(crops: Crops) -> list[Row]:
    """Return a row of samples of each class, evenly spaced in the label table."""
    rows = []
    for label, own in crops.items():
        chosen = np.unique(np.linspace(0, len(own) - 1, COLUMNS).round().astype(int))
        cards = [Card(own[i][1], [Caption(short_name(own[i][0]), color=FAINT)]) for i in chosen]
        rows.append(Row(f"{label}, {count(len(own), 'cell')}", cards))
    return rows


def distribution(crops: Crops) -> list[tuple[str, str, int, float]]:
    """Return the pixel distribution of each class with at least `MIN_CELLS` cells: class, channel, value, percent.

    `value` is the lower edge of a bin of `BIN` values.
    """
    rows = []
    for label, own in crops.items():
        if len(own) < MIN_CELLS:
            continue
        pixels = np.stack([crop for _, crop in own]).reshape(-1, 3)
        for index, channel in enumerate(("red", "green", "blue")):
            counts = np.bincount(pixels[:, index] // BIN, minlength=256 // BIN)
            percents = 100 * counts / len(pixels)
            rows += [(label, channel, number * BIN, round(float(p), 3)) for number, p in enumerate(percents)]
    return rows


if __name__ == "__main__":
    run(main)
