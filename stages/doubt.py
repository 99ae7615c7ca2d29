"""List the cells whose label the models contradict, each tested by networks that never saw it, for an expert."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bloodcells.core.errors import run
from bloodcells.core.files import write_csv
from bloodcells.core.parameters import read_params
from bloodcells.core.pixels import PreparedCells, open_pixels
from bloodcells.evaluation.label_issues import Doubt, columns, doubts, table, twins
from bloodcells.imaging.near_duplicates import CROP, SAME_PLACE, similarity, thumbnail
from bloodcells.inference.predictions import read_predictions
from bloodcells.reporting.image_grid import Caption, Card, Row, gallery, percent, short
from bloodcells.reporting.style import ALARM, FAINT

SHOWN, ACROSS = 20, 5


def main() -> None:
    """Write `doubt.csv` and `doubt.png`."""
    params = read_params()
    plots = Path("plots", params.dataset)
    models = {name: read_predictions(plots / "predictions" / f"{name}.csv") for name in params.models}
    pixels = open_pixels(Path("artifacts", params.dataset, "pixels"))
    p = next(iter(models.values()))
    crops = np.stack([thumbnail(Image.fromarray(crop), CROP) for crop in pixels.take(list(p.images))])
    found = doubts(models, twins(p, similarity(crops, SAME_PLACE), params.clean.near_duplicate))
    write_csv(plots / "doubt.csv", columns(list(models)), table(found))
    gallery(
        plots / "doubt.png",
        f"Labels in doubt on {params.dataset}",
        [*_contradicted(found, len(models), len(p.images), pixels), *_twins(found, len(models), pixels)],
        ACROSS,
    )
    by_all = sum(doubt.against == len(models) for doubt in found)
    by = f"most of {len(models)} models, {by_all} by all" if len(models) > 1 else "the model"
    print(f"{_most(found, len(models))} of {len(p.images)} labels are contradicted by {by}: {plots / 'doubt.csv'}")


def _most(found: Sequence[Doubt], models: int) -> int:
    return sum(2 * doubt.against > models for doubt in found)


def _contradicted(found: Sequence[Doubt], models: int, cells: int, pixels: PreparedCells) -> list[Row]:
    shown = [doubt for doubt in found if 2 * doubt.against > models][:SHOWN]
    cards = [
        Card(
            crop,
            [
                Caption(f"label {doubt.label}", percent(doubt.label_chance)),
                Caption(f"called {doubt.suggested}", percent(doubt.suggested_chance), ALARM),
                Caption(short(doubt.image), f"{doubt.against} of {models} against", FAINT),
            ],
        )
        for doubt, crop in zip(shown, pixels.take([doubt.image for doubt in shown]), strict=True)
    ]
    most = _most(found, models)
    heading = f"No label of {cells} is contradicted by most of the models."
    if most:
        first = f", here the first {SHOWN}" if most > SHOWN else ""
        heading = (
            f"{most} of {cells} labels are contradicted by most models{first}. A doubt is no error: look, and decide."
        )
    starts = range(0, max(len(cards), 1), ACROSS)
    return [Row("" if start else heading, cards[start : start + ACROSS]) for start in starts]


def _twins(found: Sequence[Doubt], models: int, pixels: PreparedCells) -> list[Row]:
    """Show each pair of images of one cell under two labels, on a row of its own."""
    doubted = {doubt.image: doubt for doubt in found}
    pairs = sorted({tuple(sorted((doubt.image, doubt.twin))) for doubt in found if doubt.twin})
    return [
        Row(
            "One cell photographed twice, under two labels: one of them at least is wrong.",
            [
                Card(
                    crop,
                    [
                        Caption(f"label {doubted[image].label}", percent(doubted[image].label_chance)),
                        Caption(short(image), f"{doubted[image].against} of {models} against", FAINT),
                    ],
                )
                for image, crop in zip(pair, pixels.take(list(pair)), strict=True)
            ],
        )
        for pair in pairs
    ]


if __name__ == "__main__":
    run(main)
