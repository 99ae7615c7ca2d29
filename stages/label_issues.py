"""Rank the cells whose label the models contradict, each tested by networks that never saw it, for an expert."""

import argparse
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from bloodcells.core.errors import run
from bloodcells.core.parameters import ModelNames, StageParameters, read_parameters
from bloodcells.core.prepared_cells import PreparedCells, open_pixels
from bloodcells.evaluation.label_issues import contradicting_duplicates, label_issues
from bloodcells.evaluation.tables import write_table
from bloodcells.imaging.near_duplicates import CROP, SAME_PLACE, similarity, thumbnail
from bloodcells.inference.predictions import read_predictions
from bloodcells.splits.parameters import CleanParameters
from bloodcells.visualization.image_grid import Caption, Card, Row, image_grid, percent, short_name
from bloodcells.visualization.style import ALARM, FAINT

SHOWN, COLUMNS = 20, 5


class Parameters(StageParameters):
    """What this stage reads."""

    clean: CleanParameters
    models: ModelNames


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.label_issues", description=__doc__).parse_args()
    params = read_parameters(Parameters)
    paths = params.paths
    models = {name: read_predictions(paths.predictions(name)) for name in params.models}
    cells = open_pixels(paths.pixels)
    p = next(iter(models.values()))
    crops = np.stack([thumbnail(Image.fromarray(crop), CROP) for crop in cells.take(p.images)])
    duplicates = contradicting_duplicates(p, similarity(crops, SAME_PLACE), params.clean.near_duplicate)
    found = label_issues(models, duplicates)
    write_table(paths.table("label_issues"), found)
    contradicted = found[2 * found["n_models_disagreeing"] > len(models)]
    image_grid(
        paths.plots / "label_issues.png",
        f"Label issues on {params.dataset}",
        [*_contradicted(contradicted, len(models), len(p.images), cells), *_pairs(found, len(models), cells)],
        COLUMNS,
    )
    by_all = int((found["n_models_disagreeing"] == len(models)).sum())
    print(f"{len(contradicted)} of {len(p.images)} labels are contradicted by most models, {by_all} by all")


def _contradicted(found: pd.DataFrame, models: int, n_cells: int, cells: PreparedCells) -> list[Row]:
    shown = found.head(SHOWN)
    rows: list[Any] = [*shown.itertuples()]
    cards = [
        Card(
            crop,
            [
                Caption(f"label {row.label}", percent(row.self_confidence)),
                Caption(f"predicted {row.predicted_label}", "", ALARM),
                Caption(short_name(row.image), f"{row.n_models_disagreeing} of {models} models", FAINT),
            ],
        )
        for row, crop in zip(rows, cells.take(shown["image"].tolist()), strict=True)
    ]
    heading = f"Most models contradict none of the {n_cells} labels."
    if len(found):
        first = f" The first {SHOWN} are shown." if len(found) > SHOWN else ""
        heading = f"Most models contradict {len(found)} of {n_cells} labels.{first} An expert must decide who is right."
    starts = range(0, max(len(cards), 1), COLUMNS)
    return [Row("" if start else heading, cards[start : start + COLUMNS]) for start in starts]


def _pairs(found: pd.DataFrame, models: int, cells: PreparedCells) -> list[Row]:
    """Show each pair of images of one cell with two labels, on a row of its own."""
    by_image = found.set_index("image")
    pairs = {tuple(sorted((image, other))) for image, other in by_image["near_duplicate"].items() if other}
    rows = []
    for pair in sorted(pairs):
        cards = [
            Card(
                crop,
                [
                    Caption(f"label {by_image.label[image]}", percent(by_image.self_confidence[image])),
                    Caption(f"{by_image.n_models_disagreeing[image]} of {models} disagree"),
                    Caption(short_name(image), "", FAINT),
                ],
            )
            for image, crop in zip(pair, cells.take(list(pair)), strict=True)
        ]
        rows.append(Row("One cell, photographed twice, with two labels: at least one is wrong.", cards))
    return rows


if __name__ == "__main__":
    run(main)
