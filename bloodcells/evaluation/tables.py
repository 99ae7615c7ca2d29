"""Writing tables of results: this is where numbers are rounded, and nothing is computed from rounded ones."""

from pathlib import Path

import numpy as np
import pandas as pd

from bloodcells.core.files import write_text

DIGITS = 6
"""More than any page shows, so that nothing is rounded twice."""


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV: proportions to six digits, p values (columns p…) to three significant ones, NaN empty."""
    rounded = table.copy()
    for name in table.select_dtypes("float").columns:
        if name in ("p", "p_holm"):
            rounded[name] = [float(f"{value:.3g}") for value in table[name]]
        else:
            rounded[name] = table[name].round(DIGITS) + 0.0  # no -0.0
    write_text(path, rounded.to_csv(index=False, lineterminator="\n"))


def whole_numbers(values: list[int | None]) -> "pd.Series[int]":
    """Return a column of whole numbers, some of them missing."""
    return pd.Series([np.nan if value is None else value for value in values], dtype="Int64")
