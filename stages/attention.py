"""Look where the models look: Grad-CAM of the tested cells, and whether it points to the annotated white cell."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bloodcells.core.errors import run
from bloodcells.core.files import atomic_folder, read_csv, write_csv, write_json
from bloodcells.core.geometry import Box
from bloodcells.core.parameters import Params, read_params
from bloodcells.core.pixels import INDEX, PreparedCells, open_pixels
from bloodcells.datasets.annotations import MARGIN, white_cells
from bloodcells.evaluation.grad_cam import NoMapsError, grad_cam
from bloodcells.evaluation.pointing_game import (
    COLUMNS,
    Game,
    View,
    peaks,
    play,
    row,
    target,
    view_of_crop,
    view_of_whole,
)
from bloodcells.inference.predictions import Predictions, read_predictions
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import normalize
from bloodcells.reporting.heatmaps import marked, overlay, scale
from bloodcells.reporting.image_grid import attention

PUBLISHED_BOXES = Path("datasets", "bccd", "white_cells.csv")
"""White cells' boxes for the real set, whose own annotations hold red cells only."""

PUBLISHED_FILES = Path("datasets", "bccd", "files.md5")
"""The hashes of the real set's files, by which an image of yours is told from a published one of the same name."""

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]


def main() -> None:
    params = read_params()
    artifacts, plots = Path("artifacts", params.dataset), Path("plots", params.dataset)
    pixels = open_pixels(artifacts / "pixels")
    boxes = white_cells(artifacts / "raw", PUBLISHED_BOXES, PUBLISHED_FILES)
    views = _views(params, boxes.keys() & pixels.rows.keys())
    targets = {image: target(boxes[image], view, params.image.side, MARGIN) for image, view in views.items()}
    frames = {image: target(boxes[image], view, params.image.side) for image, view in views.items()}
    rows = []
    with (
        atomic_folder(plots / "attention") as pictures,
        atomic_folder(Path("metrics", params.dataset, "attention")) as metrics,
    ):
        for model in params.models:
            p = read_predictions(plots / "predictions" / f"{model}.csv")
            try:
                heat = _maps(artifacts / "models" / model, p, pixels)
            except NoMapsError as error:
                print(f"{model} is left out: {error}")
                continue
            game = _play(heat, targets)
            rows.append(row(model, game))
            write_json(metrics / f"{model}.json", _figures(game))
            title = f"{model} on {params.dataset}: where it looks"
            attention(pictures / f"{model}.png", title, p, partial(_pair, pixels, heat, frames), scale(320, 20))
            print(_said(model, game))
        write_csv(plots / "pointing.csv", COLUMNS, rows)


def _views(params: Params, images: Collection[str]) -> dict[str, View]:
    """Give for each image the part of its smear that the models see."""
    columns = ("left", "top", "side", "width", "height")
    views = {}
    for line in read_csv(Path("artifacts", params.dataset, "pixels", INDEX), ("image", *columns)):
        left, top, side, width, height = (int(line[column]) for column in columns)
        if line["image"] not in images:
            continue
        if params.image.input == "whole":
            views[line["image"]] = view_of_whole(width, height, params.image.side)
        else:
            views[line["image"]] = view_of_crop(Box(left, top, left + side, top + side), params.image.side)
    return views


def _maps(folder: Path, p: Predictions, pixels: PreparedCells) -> dict[str, Plane]:
    """Give for each image the map of its predicted class, by the network of the fold that tested it.

    It is that of the image as it is, where the prediction may be a mean over its rotations and mirror images.
    """
    maps: dict[str, Plane] = {}
    for fold in np.unique(p.folds):
        checkpoint = Checkpoint.load(folder / f"{fold}.ckpt")
        network = checkpoint.network()
        tested = [number for number in range(len(p.images)) if p.folds[number] == fold]
        names = [p.images[number] for number in tested]
        classes = [checkpoint.classes.index(p.classes[p.predicted[number]]) for number in tested]
        seen = torch.from_numpy(pixels.take(names)).permute(0, 3, 1, 2).to(next(network.parameters()).device)
        images = normalize(seen, checkpoint.mean, checkpoint.deviation)
        maps |= dict(zip(names, grad_cam(network, images, classes), strict=True))
    return maps


def _play(maps: Mapping[str, Plane], targets: Mapping[str, Mask]) -> Game | None:
    """Play the pointing game over the cells whose target is known; None where there is no such cell."""
    known = [image for image in maps if image in targets]
    if not known:
        return None
    return play(np.stack([maps[image] for image in known]), np.stack([targets[image] for image in known]))


def _pair(
    pixels: PreparedCells, maps: Mapping[str, Plane], frames: Mapping[str, Mask], image: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a cell, and the same under its map with what marks the map's peak and the annotated cell."""
    (cell,) = pixels.take([image])
    (peak,) = peaks(maps[image][None])
    return cell, marked(overlay(cell, maps[image]), frames.get(image), peak)


def _figures(game: Game | None) -> dict[str, float]:
    """Give one metrics file; few keys, and one is the models' too, for `dvc metrics show` to stay readable."""
    if game is None:
        return {"cells": 0}
    low, high = game.interval
    return {
        "pointed": round(game.share, 4),
        "pointed_low": round(low, 4),
        "pointed_high": round(high, 4),
        "cells": game.cells,
    }


def _said(model: str, game: Game | None) -> str:
    if game is None:
        return f"{model}: no tested cell is annotated, so that there is nothing to point to"
    low, high = game.interval
    return (
        f"{model}: the map is largest on the white cell in {game.hits} of {game.cells} cells (95 % interval "
        f"{low:.3f} to {high:.3f}); a random point would be in {game.chance:.3f}, the middle in {game.centre:.3f}"
    )


if __name__ == "__main__":
    run(main)
