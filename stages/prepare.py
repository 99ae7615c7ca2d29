"""Find the white cell of each image, or take its box, and crop and scale the network's input."""

import argparse
from collections import Counter
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from bloodcells.core.errors import InputError, run
from bloodcells.core.files import atomic_folder, write_json
from bloodcells.core.geometry import Box, Point
from bloodcells.core.kept_cells import read_kept_cells
from bloodcells.core.parameters import ImageParameters, StageParameters, read_parameters
from bloodcells.core.prepared_cells import PixelWriter
from bloodcells.datasets.annotations import MARGIN, Boxes, white_cells
from bloodcells.datasets.record import read_record
from bloodcells.imaging.cropping import crop_around, letterbox, resize_crop
from bloodcells.imaging.loading import open_rgb
from bloodcells.imaging.localization import cell_point, find_cell


class Parameters(StageParameters):
    """Parameters of the stage."""

    image: ImageParameters


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.prepare", description=__doc__).parse_args()
    params = read_parameters(Parameters)
    paths, side = params.paths, params.image.side
    record = read_record(params.dataset)
    images = record.images_folder(paths.raw)
    boxes = {name: own for name, own in white_cells(record, paths.raw).items() if (images / name).is_file()}
    cells = read_kept_cells(paths.cells)
    shared = [file for file, count in Counter(cell.file for cell in cells).items() if count > 1]
    if shared and params.image.input == "full":
        raise InputError(f"{images / shared[0]} shows several cells: set image.input to crop in params.yaml")

    @lru_cache(maxsize=1)  # the cells of one image follow each other
    def open_image(path: Path) -> Image.Image:
        return open_rgb(path, range=record.images.range)

    points: dict[str, Point] = {}  # as found, not as in a box
    with atomic_folder(paths.pixels) as folder:
        writer = PixelWriter(folder, len(cells), side)
        for cell in tqdm(cells, desc="prepare", unit="cell", disable=None):
            path = images / cell.file
            image = open_image(path)
            try:
                point = cell_point(image, cell.box)
            except InputError as error:
                raise InputError(f"{path}: {error}; take its row out of the label table") from None
            if cell.box is None:
                points[cell.file] = point
            if params.image.input == "crop":
                box = crop_around(point, image.size, params.image.crop)
                pixels = resize_crop(image, box, side)
            else:
                box = Box(0, 0, max(image.size), max(image.size))
                pixels = letterbox(image, side)
            writer.add(cell.name, image.size, point.stain, box, pixels)
        writer.close()
    for name in sorted(boxes.keys() - points.keys()):  # dropped or in boxes, but annotated: all count
        with suppress(InputError):  # an image that can't be read or shows no stain counts as a miss
            points[name] = find_cell(open_image(images / name))
    write_json(paths.localization, localization(points, boxes))


def localization(points: dict[str, Point], boxes: Boxes) -> dict[str, float]:
    """Return the fraction of annotated images whose point lies in the box of a white cell (± `MARGIN` pixels).

    Args:
        points: the point that was found in each image.
        boxes: the annotated boxes of each image.

    Returns:
        `images`, their number, and `localization_accuracy` unless that is 0.
    """
    hits = sum(any(box.contains(points[name], MARGIN) for box in own) for name, own in boxes.items() if name in points)
    print(f"found the white cell in {hits} of {len(boxes)} annotated images")
    return ({"localization_accuracy": round(hits / len(boxes), 4)} if boxes else {}) | {"images": len(boxes)}


if __name__ == "__main__":
    run(main)
