"""Pictures of what changed: the charts of `dvc plots`, with base and head as revisions."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

from bloodcells.cli.review.findings import DatasetReview, Picture
from bloodcells.cli.review.snapshot import Results
from bloodcells.cli.review.verdicts import Judgment
from bloodcells.evaluation.comparison import MAJORITY_CLASS
from bloodcells.evaluation.intervals import wilson
from bloodcells.visualization.vega import TEMPLATES, draw_chart

Rows = list[dict[str, object]]


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
    return pictures


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
