"""External tests among the results: where `bloodcells score` writes them, and what a review reads of them."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv

FOLDER = "external"
"""The folder of external tests among the plots of a data set. No run writes them, so no lock file names them."""

SCORES = "scores.csv"
COLUMNS = ("score", "value", "low", "high", "target_kept")
"""Those of the columns of the table of scores that a review reads."""


@dataclass(frozen=True)
class ExternalScores:
    """The result of an external test.

    Attributes:
        scores: value, low and high end of its interval, by the name of the score; empty if they can't be read.
        kept: for error rates, whether the target is kept.
        digest: of all files.
    """

    scores: Mapping[str, tuple[float, float, float]]
    kept: Mapping[str, str]
    digest: str


def read_external_tests(root: Path) -> dict[str, ExternalScores]:
    """Read all external tests below the root of a project, by their folder."""
    found = {}
    for folder in sorted(root.glob(f"plots/*/{FOLDER}/*/")):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            continue
        digest = hashlib.sha256()
        for path in files:
            digest.update(f"{path.relative_to(folder)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
        try:
            rows = read_csv(folder / SCORES, COLUMNS)
            scores = {row["score"]: (_number(row["value"]), _number(row["low"]), _number(row["high"])) for row in rows}
            kept = {row["score"]: row["target_kept"] for row in rows if row["target_kept"]}
        except (InputError, ValueError):
            scores, kept = {}, {}
        found[folder.relative_to(root).as_posix()] = ExternalScores(scores, kept, digest.hexdigest())
    return found


def _number(text: str) -> float:
    return float(text) if text else math.nan
