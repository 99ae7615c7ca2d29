"""Pictures of what changed: the charts of `dvc plots` with base and head as revisions, and the cells that flipped."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

from bloodcells.cli.review.changes import DataChange
from bloodcells.cli.review.findings import DatasetReview, Picture
from bloodcells.cli.review.snapshot import Results
from bloodcells.cli.review.verdicts import Flip, Judgment, Verdict
from bloodcells.core.errors import InputError
from bloodcells.core.paths import DatasetPaths
from bloodcells.core.prepared_cells import PreparedCells, open_pixels
from bloodcells.evaluation.comparison import MAJORITY_CLASS
from bloodcells.evaluation.intervals import wilson
from bloodcells.visualization.image_grid import Caption, Card, Row, count, image_grid, short_name
from bloodcells.visualization.style import ALARM, FAINT, INK
from bloodcells.visualization.vega import TEMPLATES, draw_chart

Rows = list[dict[str, object]]

COLUMNS, MOST = 6, 12
"""Flipped cells in a row, and in each group."""


def draw(page: Path, root: Path, one: DatasetReview, base: Results, head: Results) -> list[Picture]:
    """Draw what changed in one data set, each picture a file beside the page.

    Args:
        page: the file of the page, whose name begins those of the pictures.
        root: of the repository, whose chart templates are used.
        one: the findings about the data set.
        base: its results at the base.
        head: those at the head.
    """
    pictures = []
    for name, template, title, rows in _charts(one, {"base": base, "head": head}):
        file = f"{page.stem}-{one.name}-{name}.png"
        draw_chart(template, rows, page.with_name(file), f"{title} on {one.name}", root / TEMPLATES)
        pictures.append(Picture(quote(file), f"{title} on {one.name}, base and head"))
    cells = _prepared_cells(root / DatasetPaths(one.name).pixels)
    if cells and (relabeled := _relabeled(cells, one.data)):
        title = f"Cells with another label on {one.name}"
        file = f"{page.stem}-{one.name}-relabeled.png"
        image_grid(page.with_name(file), title, relabeled, COLUMNS)
        pictures.append(Picture(quote(file), title))
    for verdict in one.verdicts:
        if cells and (flipped := _flipped(cells, verdict)):
            title = f"Cells that flipped: {verdict.model} on {one.name}"
            file = f"{page.stem}-{one.name}-flipped-{verdict.model}.png"
            image_grid(page.with_name(file), title, flipped, COLUMNS)
            pictures.append(Picture(quote(file), title))
    return pictures


def _prepared_cells(folder: Path) -> PreparedCells | None:
    """Open the pixels of the working tree; a clone in which the pipeline has not run has none."""
    try:
        return open_pixels(folder)
    except InputError:
        return None


def _relabeled(cells: PreparedCells, data: DataChange) -> list[Row]:
    """Return the cells with another label, as far as their pixels are here."""
    readers = {change.image: change.reader for change in data.corrections}
    cards = [
        Card(
            cells.take([change.name])[0],
            [
                Caption(f"base {change.before}"),
                Caption(f"head {change.after}"),
                Caption(readers.get(change.name, ""), color=FAINT),
                Caption(short_name(change.name), color=FAINT),
            ],
        )
        for change in data.new_labels
        if change.name in cells.rows
    ]
    shown = cards[: 2 * MOST]
    more = f"The first {len(shown)} of {len(cards)} are shown." if len(shown) < len(cards) else ""
    starts = range(0, len(shown), COLUMNS)
    return [Row("" if start else more, shown[start : start + COLUMNS]) for start in starts]


def _flipped(cells: PreparedCells, verdict: Verdict) -> list[Row]:
    """Return the cells that only one of the two revisions predicts correctly, as far as their pixels are here."""
    groups = {"Wrong at the base, correct now": verdict.fixed, "Correct at the base, wrong now": verdict.broken}
    found = []
    for heading, all_flips in groups.items():
        flips = [flip for flip in all_flips if flip.image in cells.rows]
        shown = flips[:MOST]
        more = f" ({len(shown)} of {len(flips)} shown)" if len(shown) < len(flips) else ""
        for start in range(0, len(shown), COLUMNS):
            cards = [_card(cells, flip) for flip in shown[start : start + COLUMNS]]
            found.append(Row("" if start else f"{heading}: {count(len(flips), 'cell')}{more}", cards))
    return found


def _card(cells: PreparedCells, flip: Flip) -> Card:
    return Card(
        cells.take([flip.image])[0],
        [
            Caption(f"actual {flip.label}"),
            Caption(f"base {flip.before}", color=INK if flip.before == flip.label else ALARM),
            Caption(f"head {flip.after}", color=INK if flip.after == flip.label else ALARM),
            Caption(short_name(flip.image), color=FAINT),
        ],
    )


def _charts(one: DatasetReview, sides: dict[str, Results]) -> Iterator[tuple[str, str, str, Rows]]:
    """Yield name, template, title and rows of each chart of something that changed."""
    changed = [verdict.model for verdict in one.verdicts if verdict.judgment is not Judgment.SAME]
    if changed and any(side.predictions for side in sides.values()):
        yield "accuracy", "accuracy", "Accuracy", _accuracy([verdict.model for verdict in one.verdicts], sides)
        for model in changed:
            if rows := _confusion(model, sides):
                yield f"confusion-{model}", "confusion", f"Confusion of {model}", rows
    if sides["base"].curves != sides["head"].curves:
        rows = [{"rev": rev, **row} for rev, side in sides.items() for row in side.curves]
        yield "curves", "curves", "Learning curves", rows


def _accuracy(models: list[str], sides: dict[str, Results]) -> Rows:
    counts = []
    for model in models:
        for rev, side in sides.items():
            if p := side.predictions.get(model):
                counts.append((rev, model, "model", int(p.correct.sum()), len(p.actual)))
    for rev, side in sides.items():
        for p in [*side.predictions.values()][:1]:
            counts.append((rev, MAJORITY_CLASS, "baseline", int(np.bincount(p.actual).max()), len(p.actual)))
    rows: Rows = []
    for rev, model, kind, correct, cells in counts:
        low, high = wilson(correct, cells)
        rows.append(
            {"rev": rev, "model": model, "kind": kind, "correct": correct, "cells": cells}
            | {"accuracy": correct / cells, "accuracy_low": low, "accuracy_high": high}
        )
    return rows


def _confusion(model: str, sides: dict[str, Results]) -> Rows:
    return [
        {"rev": rev, "actual": p.classes[actual], "predicted": p.classes[predicted]}
        for rev, side in sides.items()
        if (p := side.predictions.get(model))
        for actual, predicted in zip(p.actual, p.predicted, strict=True)
    ]
