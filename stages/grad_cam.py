"""Map where the networks look (Grad-CAM of the tested cells), and whether that is the annotated white cell."""

import argparse
from collections.abc import Collection, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from bloodcells.core.errors import run
from bloodcells.core.files import atomic_folder, read_csv
from bloodcells.core.geometry import Box
from bloodcells.core.kept_cells import read_kept_cells
from bloodcells.core.parameters import ImageParameters, ModelNames, StageParameters, read_parameters
from bloodcells.core.prepared_cells import INDEX, PreparedCells, open_pixels
from bloodcells.datasets.annotations import MARGIN, white_cells
from bloodcells.datasets.record import read_record
from bloodcells.evaluation.grad_cam import NoMapsError, grad_cam
from bloodcells.evaluation.pointing_game import (
    PointingResult,
    View,
    peaks,
    pointing_game,
    pointing_table,
    target_mask,
    view_of_crop,
    view_of_full_image,
)
from bloodcells.evaluation.tables import write_table
from bloodcells.inference.predictions import Predictions, read_predictions, worst_mistakes
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import normalize
from bloodcells.visualization.heatmaps import color_scale, mark, overlay
from bloodcells.visualization.image_grid import (
    Caption,
    Card,
    Row,
    count,
    image_grid,
    mistake_captions,
    percent,
    short_name,
)

COLUMNS, WORST = 3, 6

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Parameters(StageParameters):
    """What this stage reads."""

    image: ImageParameters
    models: ModelNames


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.grad_cam", description=__doc__).parse_args()
    params = read_parameters(Parameters)
    paths, side = params.paths, params.image.side
    cells = open_pixels(paths.pixels)
    annotated = white_cells(read_record(params.dataset), paths.raw)
    kept = read_kept_cells(paths.cells)
    boxes = {cell.name: [cell.box] if cell.box else annotated.get(cell.file, []) for cell in kept}
    views = _views(params, {name for name in cells.rows if boxes.get(name)})
    targets = {image: target_mask(boxes[image], view, side, MARGIN) for image, view in views.items()}
    frames = {image: target_mask(boxes[image], view, side) for image, view in views.items()}
    results: dict[str, PointingResult | None] = {}
    with atomic_folder(paths.plots / "grad_cam") as pictures:
        for model in params.models:
            p = read_predictions(paths.predictions(model))
            try:
                heat = _maps(params, model, p, cells)
            except NoMapsError as error:
                print(f"{model} is left out: {error}")
                continue
            results[model] = _play(heat, targets)
            title = f"{model} on {params.dataset}: where it looks"
            image_grid(pictures / f"{model}.png", title, _rows(p, partial(_side_by_side, cells, heat, frames)), COLUMNS)
            print(_describe(model, results[model]))
    write_table(paths.chart("pointing_game"), pointing_table(results))


def _views(params: Parameters, images: Collection[str]) -> dict[str, View]:
    """Return for each image the part of it that the models see."""
    columns = ("left", "top", "side", "width", "height")
    views = {}
    for row in read_csv(params.paths.pixels / INDEX, ("image", *columns)):
        left, top, length, width, height = (int(row[column]) for column in columns)
        if row["image"] in images:
            views[row["image"]] = (
                view_of_full_image(width, height, params.image.side)
                if params.image.input == "full"
                else view_of_crop(Box(left, top, left + length, top + length), params.image.side)
            )
    return views


def _maps(params: Parameters, model: str, p: Predictions, cells: PreparedCells) -> dict[str, Plane]:
    """Return for each image the map of its predicted class, from the network of the fold that tested it.

    The map is that of the image without test-time augmentation.
    """
    maps: dict[str, Plane] = {}
    for fold in np.unique(p.folds):
        checkpoint = Checkpoint.load(params.paths.checkpoint(model, fold))
        network = checkpoint.network()
        tested = p.select(p.folds == fold)
        classes = [checkpoint.classes.index(p.classes[label]) for label in tested.predicted]
        pixels = torch.from_numpy(cells.take(tested.images)).permute(0, 3, 1, 2).to(next(network.parameters()).device)
        images = normalize(pixels, checkpoint.mean, checkpoint.std)
        maps |= dict(zip(tested.images, grad_cam(network, images, classes), strict=True))
    return maps


def _play(maps: Mapping[str, Plane], targets: Mapping[str, Mask]) -> PointingResult | None:
    """Play the pointing game over the annotated cells; None without any."""
    known = [image for image in maps if image in targets]
    if not known:
        return None
    return pointing_game(np.stack([maps[image] for image in known]), np.stack([targets[image] for image in known]))


def _rows(p: Predictions, picture: "partial[NDArray[np.uint8]]") -> list[Row]:
    """Lay out cells of each class that were predicted correctly, evenly spaced, then the worst mistakes."""
    rows = [
        Row(
            "Right of each cell: what contributed to the class (Grad-CAM). Ring: maximum. Frame: annotated cell.",
            [Card(color_scale(320, 20), [Caption("nothing", "most")])],
        )
    ]
    for label, name in enumerate(p.classes):
        correct = np.flatnonzero((p.actual == label) & p.correct)
        if len(correct):
            chosen = correct[np.unique(np.linspace(0, len(correct) - 1, COLUMNS).round().astype(int))]
            cards = [
                Card(picture(p.images[row]), [Caption(short_name(p.images[row]), percent(p.probabilities[row, label]))])
                for row in chosen
            ]
            rows.append(Row(f"{name}: {count(len(correct), 'cell')} correct", cards))
    worst = worst_mistakes(p, WORST)
    for start in range(0, len(worst), COLUMNS):
        cards = [
            Card(
                picture(p.images[row]),
                mistake_captions(
                    p.images[row],
                    int(p.folds[row]),
                    p.classes[p.actual[row]],
                    float(p.probabilities[row, p.actual[row]]),
                    p.classes[p.predicted[row]],
                    float(p.probabilities[row, p.predicted[row]]),
                ),
            )
            for row in worst[start : start + COLUMNS]
        ]
        rows.append(Row("" if start else "The worst mistakes, with the map of the predicted class", cards))
    return rows


def _side_by_side(
    cells: PreparedCells, maps: Mapping[str, Plane], frames: Mapping[str, Mask], image: str
) -> NDArray[np.uint8]:
    """Show a cell, and the same under its map, with the annotated cell and the maximum marked."""
    (cell,) = cells.take([image])
    (peak,) = peaks(maps[image][None])
    gap = np.full((cell.shape[0], cell.shape[1] // 40, 3), 255, dtype=np.uint8)
    return np.concatenate([cell, gap, mark(overlay(cell, maps[image]), frames.get(image), peak)], axis=1)


def _describe(model: str, result: PointingResult | None) -> str:
    if result is None:
        return f"{model}: no tested cell is annotated, so there is no pointing game"
    low, high = result.interval
    return (
        f"{model}: the maximum lies on the white cell in {result.hits} of {result.cells} cells "
        f"({low:.3f} to {high:.3f}); chance {result.chance:.3f}, center {result.center:.3f}"
    )


if __name__ == "__main__":
    run(main)
