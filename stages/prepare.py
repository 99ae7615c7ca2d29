"""Decode each kept image once: a crop around its white cell, or the whole frame, as an array of bytes."""

from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv, atomic_folder, write_json
from bloodcells.core.geometry import Box, Point
from bloodcells.core.parameters import read_params
from bloodcells.core.pixels import PixelWriter
from bloodcells.datasets.annotations import MARGIN, Boxes, white_cells
from bloodcells.datasets.layout import IMAGES
from bloodcells.imaging.cropping import crop_around, cut, letterbox
from bloodcells.imaging.localization import find_cell
from bloodcells.imaging.opening import open_rgb

PUBLISHED_BOXES = Path("datasets", "bccd", "white_cells.csv")
"""White cells' boxes for the real set, whose own annotations hold red cells only."""

PUBLISHED_FILES = Path("datasets", "bccd", "files.md5")
"""The hashes of the real set's files, by which an image of yours is told from a published one of the same name."""


def main() -> None:
    """Write `pixels/`, and how well the cells were found where boxes are known."""
    params = read_params()
    artifacts = Path("artifacts", params.dataset)
    images = artifacts / "raw" / IMAGES
    boxes = white_cells(artifacts / "raw", PUBLISHED_BOXES, PUBLISHED_FILES)

    kept = [row["image"] for row in read_csv(artifacts / "cells.csv", ("image",))]
    found: dict[str, Point] = {}
    with atomic_folder(artifacts / "pixels") as folder:
        writer = PixelWriter(folder, len(kept), params.image.side)
        for name in tqdm(kept, desc="prepare", unit="image", disable=None):
            image = open_rgb(images / name)
            try:
                found[name] = find_cell(image)
            except InputError as error:
                raise InputError(f"{images / name}: {error}; take its row out of the label table") from None
            if params.image.input == "cell":
                box = crop_around(found[name], image.size, params.image.crop)
                writer.add(name, image.size, found[name].stain, box, cut(image, box, params.image.side))
            else:
                box = Box(0, 0, max(image.side), max(image.side))
                writer.add(name, image.size, found[name].stain, box, letterbox(image, params.image.side))
        writer.close()
    for name in sorted(boxes.keys() - found.keys()):  # annotated, so it counts for the localisation alone
        if (images / name).is_file():
            with suppress(InputError):  # what can't be read or shows no stain is a cell that was not found
                found[name] = find_cell(open_rgb(images / name))
    boxes = {name: those for name, those in boxes.items() if (images / name).is_file()}
    write_json(Path("metrics", params.dataset, "localisation.json"), localisation(found, boxes))


def localisation(found: dict[str, Point], boxes: Boxes) -> dict[str, float]:
    """Give the share of annotated images in which the found point lies in a white cell's box (± MARGIN pixels).

    The keys are few, and one is the models' too: `dvc metrics show` then stays a table that is read at a glance.
    """
    inside = sum(any(box.holds(found[name], MARGIN) for box in those) for name, those in boxes.items() if name in found)
    print(f"the white cell was found in {inside} of {len(boxes)} annotated images")
    share = {"located": round(inside / len(boxes), 4)} if boxes else {}  # 0 of 0 is no share
    return share | {"cells": len(boxes)}


if __name__ == "__main__":
    run(main)
