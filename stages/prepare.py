"""Decode each kept image once: a crop around its white cell, or the whole frame, as an array of bytes."""

from pathlib import Path

from tqdm import tqdm

from bloodcells.annotations import Boxes, read_annotations, read_box_table
from bloodcells.errors import InputError, run
from bloodcells.files import read_csv, replacing_folder, write_json
from bloodcells.geometry import Box, Point, crop_around
from bloodcells.images import open_rgb
from bloodcells.localise import find_cell
from bloodcells.params import read_params
from bloodcells.pixels import PixelWriter, cut, letterbox

MARGIN = 10.0
"""How far outside an annotated box, in pixels, a found point still counts as in it."""

PUBLISHED_BOXES = Path("bloodcells", "bccd", "white_cells.csv")
"""White cells' boxes for the real set, whose own annotations hold red cells only."""


def main() -> None:
    """Write `pixels/`, and how well the cells were found where boxes are known."""
    params = read_params()
    artifacts = Path("artifacts", params.dataset)
    images = artifacts / "raw" / "JPEGImages"
    boxes = read_annotations(artifacts / "raw" / "Annotations")
    if params.dataset == "bccd":
        boxes = {**read_box_table(PUBLISHED_BOXES), **boxes}

    kept = [row["image"] for row in read_csv(artifacts / "cells.csv", ("image",))]
    others = sorted(name for name in boxes if name not in set(kept) and (images / name).is_file())
    found: dict[str, Point] = {}
    with replacing_folder(artifacts / "pixels") as folder:
        writer = PixelWriter(folder, len(kept), params.image.size)
        for name in tqdm([*kept, *others], desc="prepare", unit="image", disable=None):
            image = open_rgb(images / name)
            try:
                found[name] = find_cell(image)
            except InputError as error:
                raise InputError(f"{images / name}: {error}; take its row out of the label table") from None
            if name not in kept:
                continue  # annotated, so it counts for the localisation alone
            if params.image.frame == "cell":
                box = crop_around(found[name], image.size, params.image.crop)
                writer.add(name, box, cut(image, box, params.image.size))
            else:
                writer.add(name, Box(0, 0, max(image.size), max(image.size)), letterbox(image, params.image.size))
        writer.close()
    write_json(Path("metrics", params.dataset, "localisation.json"), localisation(found, boxes))


def localisation(found: dict[str, Point], boxes: Boxes) -> dict[str, float]:
    """Count in how many annotated images the found point lies in a white cell's box (± MARGIN pixels)."""
    annotated = [name for name in boxes if name in found]
    inside = sum(any(box.holds(found[name], MARGIN) for box in boxes[name]) for name in annotated)
    print(f"the white cell was found in {inside} of {len(annotated)} annotated images")
    counts: dict[str, float] = {"found": inside, "annotated": len(annotated)}
    return counts | ({"share": round(inside / len(annotated), 4)} if annotated else {})  # 0 of 0 is no share


if __name__ == "__main__":
    run(main)
