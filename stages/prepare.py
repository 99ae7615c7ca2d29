"""Decode each kept image once: a crop around its white cell, or the whole frame, as an array of bytes."""

from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from bloodcells.annotations import MARGIN, Boxes, white_cells
from bloodcells.errors import InputError, run
from bloodcells.files import read_csv, replacing_folder, write_json
from bloodcells.geometry import Box, Point, crop_around
from bloodcells.images import open_rgb
from bloodcells.layout import IMAGES
from bloodcells.localise import find_cell
from bloodcells.params import read_params
from bloodcells.pixels import PixelWriter, cut, letterbox

PUBLISHED_BOXES = Path("bloodcells", "bccd", "white_cells.csv")
"""White cells' boxes for the real set, whose own annotations hold red cells only."""

PUBLISHED_FILES = Path("bloodcells", "bccd", "files.md5")
"""The hashes of the real set's files, by which an image of yours is told from a published one of the same name."""


def main() -> None:
    """Write `pixels/`, and how well the cells were found where boxes are known."""
    params = read_params()
    artifacts = Path("artifacts", params.dataset)
    images = artifacts / "raw" / IMAGES
    boxes = white_cells(artifacts / "raw", PUBLISHED_BOXES, PUBLISHED_FILES)

    kept = [row["image"] for row in read_csv(artifacts / "cells.csv", ("image",))]
    found: dict[str, Point] = {}
    with replacing_folder(artifacts / "pixels") as folder:
        writer = PixelWriter(folder, len(kept), params.image.size)
        for name in tqdm(kept, desc="prepare", unit="image", disable=None):
            image = open_rgb(images / name)
            try:
                found[name] = find_cell(image)
            except InputError as error:
                raise InputError(f"{images / name}: {error}; take its row out of the label table") from None
            if params.image.frame == "cell":
                box = crop_around(found[name], image.size, params.image.crop)
                writer.add(name, image.size, found[name].stain, box, cut(image, box, params.image.size))
            else:
                box = Box(0, 0, max(image.size), max(image.size))
                writer.add(name, image.size, found[name].stain, box, letterbox(image, params.image.size))
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
