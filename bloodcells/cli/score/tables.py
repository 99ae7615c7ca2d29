"""The tables of an external test, beside its page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bloodcells.cli.decisions import Prediction
from bloodcells.cli.external_tests import SCORES
from bloodcells.cli.score.cells import Cell, groups_of
from bloodcells.cli.score.results import Results
from bloodcells.cli.score.scores import ALL_ERRORS, ERROR_RATE, target_kept
from bloodcells.core.files import write_csv
from bloodcells.evaluation.clusters import published_numbers
from bloodcells.evaluation.tables import whole_numbers, write_table


def write_tables(
    folder: Path,
    results: Results,
    cells: Sequence[Cell],
    predictions: Sequence[Prediction],
    classes: Sequence[str],
    target: float | None,
) -> None:
    """Write the tables.

    Args:
        folder: to write to.
        results: of the test.
        cells: of the data set.
        predictions: one for each cell.
        classes: of the model.
        target: the target error rate; None if the model has none.
    """
    groups = published_numbers(groups_of(cells))
    write_table(folder / SCORES, score_table(results, target))
    write_table(folder / "reliability.csv", reliability_table(results))
    write_csv(
        folder / "predictions.csv",
        ["image", "group", "actual", "predicted", "verdict", "confidence", "reasons", *classes],
        (
            [
                cell.row.cell,
                groups.get(cell.row.cell, ""),
                cell.actual,
                one.likeliest,
                one.verdict,
                max(one.probabilities.values(), default=""),
                "; ".join(one.reasons),
                *(one.probabilities.get(name, "") for name in classes),
            ]
            for cell, one in zip(cells, predictions, strict=True)
        ),
    )


def score_table(results: Results, target: float | None) -> pd.DataFrame:
    """Return a row per score, with the internal one and the difference where they are known."""
    rows: list[dict[str, Any]] = []
    named = {**results.scores, "accuracy of the most frequent class": results.baseline}
    named |= {f"answered: {name}": one.answered for name, one in results.unknown.items()}
    for name, score in named.items():
        internal, drop = results.internal.get(name), results.differences.get(name)
        errors = name in (ERROR_RATE, ALL_ERRORS)
        rows.append(
            {
                "score": name,
                "value": score.value,
                "low": score.low,
                "high": score.high,
                "part": score.part,
                "cells": score.whole,
                "method": score.method,
                "internal": internal.value if internal else np.nan,
                "internal_low": internal.low if internal else np.nan,
                "internal_high": internal.high if internal else np.nan,
                "difference": drop.value if drop else np.nan,
                "difference_low": drop.low if drop else np.nan,
                "difference_high": drop.high if drop else np.nan,
                "verdict": drop.verdict(less_is_better=errors) if drop else "",
                "target": target if errors and target is not None else np.nan,
                "target_kept": target_kept(score, target) if errors and target is not None else "",
            }
        )
    table = pd.DataFrame(rows)
    return table.assign(**{name: whole_numbers([row[name] for row in rows]) for name in ("part", "cells")})


def reliability_table(results: Results) -> pd.DataFrame:
    """Return a row per kind of probabilities and bin."""
    rows = [
        (kind, one.confidence, one.accuracy, *one.interval, one.cells)
        for kind, calibration in results.calibration.items()
        for one in calibration.bins
    ]
    columns = ["probabilities", "confidence", "accuracy", "accuracy_low", "accuracy_high", "cells"]
    return pd.DataFrame(rows, columns=columns)
