"""Guards: the faults by which a result can be too good or mean nothing, each counted in the files of a run."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bloodcells.core.classes import CLASSES
from bloodcells.evaluation.metrics import confusion
from bloodcells.inference.predictions import Predictions

TRAIN, VALIDATION, TEST = "train", "validation", "test"

SPLIT_AGAIN = "make the splits anew: `dvc repro -f clean`, and read stages/clean.py if it comes back"
REGROUP = "near-duplicates must share a fold: hold clean.near_duplicate against the one that made the splits"

TOLERANCE = 0.005
"""How far a probability may change when it is computed again. Processors round differently: to multiply as GPUs do in
TF32, imitated on a CPU, moved those of the real cells by up to 0.0014; a shift by two pixels moved them by 0.01 to 0.04
(checkpoints of three models and two folds, 16 cells each)."""

ERRORS = 3.0
"""How many standard errors another order of the names must be better by before it counts as the true one."""

HOLDOUT = 35 / 347
"""Share of the cells on which the original report tested."""

PUBLISHED_KEPT = {"eosinophil": 88, "lymphocyte": 33, "monocyte": 20, "neutrophil": 206}
PUBLISHED_DROPPED = {"double": 15, "null": 46, "basophil": 3}
"""Cells of each class and rows dropped for each reason, as the original report's figure shows them for its data."""


class Cell(NamedTuple):
    """A kept cell, and the fold in which it is tested."""

    image: str
    label: str
    fold: int


class Row(NamedTuple):
    """A row of a split: a cell in one of its parts; training may hold several of one cell."""

    image: str
    label: str
    part: str


Splits = Mapping[int, Sequence[Row]]
"""The rows of the split of each test fold."""


@dataclass(frozen=True)
class Finding:
    """A figure that a guard leaves.

    Attributes:
        guard: its short name.
        what: what the figure counts or measures.
        figure: a count where it is whole, else rounded.
        allowed: what the figure may be, in words; empty where the figure only informs.
        holds: whether it is that.
        remedy: what to do where it is not.
    """

    guard: str
    what: str
    figure: float
    allowed: str = ""
    holds: bool = True
    remedy: str = ""


def sides(splits: Splits) -> list[Finding]:
    """Count the images that stand on two sides of a split."""
    both = sum(len(parts) > 1 for rows in splits.values() for parts in _parts(rows).values())
    return [_none("sides", "images on two sides of a split", both, SPLIT_AGAIN)]


def folds(cells: Sequence[Cell], splits: Splits) -> list[Finding]:
    """Count the cells that are not tested in the fold that the table of cells says, and there alone."""
    tested = {Cell(row.image, row.label, fold) for fold, rows in splits.items() for row in rows if row.part == TEST}
    known = {(cell.image, cell.label) for cell in cells}
    strange = sum((row.image, row.label) not in known for rows in splits.values() for row in rows)
    return [
        _none("folds", "cells not tested in their fold alone", _unlike(cells, tested), SPLIT_AGAIN),
        _none("folds", "rows of splits that no kept cell has", strange, SPLIT_AGAIN),
    ]


def near_duplicates(
    cells: Sequence[Cell], alike: NDArray[np.float32], splits: Splits, threshold: float
) -> list[Finding]:
    """Count the pairs of images that show the same part of a smear and stand on two sides of a split.

    Beside it stands how many pairs a holdout of the report's size, drawn at random, would split on average.

    Args:
        cells: n of them.
        alike: (n, n) their `duplicates.similarity`.
        splits: of all folds.
        threshold: pairs above it are near-duplicates.
    """
    apart = np.zeros(alike.shape, dtype=np.bool_)
    for rows in splits.values():
        part_of = {row.image: row.part for row in rows}
        part = np.array([part_of.get(cell.image, "") for cell in cells])
        there = part != ""  # downsampling leaves some out
        apart |= (part[:, None] != part) & there[:, None] & there
    np.fill_diagonal(apart, val=False)
    pairs = np.triu(alike > threshold, k=1)
    total, count = int(pairs.sum()), len(cells)
    held = round(HOLDOUT * count)
    by_chance = 2 * held * (count - held) / (count * (count - 1))  # that of two cells one is held out
    largest = float(alike[apart].max(initial=0))
    return [
        _none("near-duplicates", "near-duplicate pairs on two sides of a split", int((pairs & apart).sum()), REGROUP),
        Finding(
            "near-duplicates",
            "largest similarity of two images on two sides",
            round(largest, 4),
            f"≤ {threshold:g}",
            largest <= threshold,
            REGROUP,
        ),
        Finding("near-duplicates", "near-duplicate pairs in all", total),
        Finding("near-duplicates", "of them a holdout like the report's would split", round(total * by_chance, 1)),
    ]


def copies(splits: Splits) -> list[Finding]:
    """Count the rows that repeat a cell of their part: in training that is oversampling, elsewhere a fault."""
    repeated = {
        part: sum(
            count - 1
            for rows in splits.values()
            for count in Counter(row.image for row in rows if row.part == part).values()
        )
        for part in (TRAIN, VALIDATION, TEST)
    }
    outside = repeated[VALIDATION] + repeated[TEST]
    return [
        _none("copies", "oversampled copies outside training", outside, SPLIT_AGAIN),
        Finding("copies", "oversampled copies in training, all splits", repeated[TRAIN]),
    ]


def resampling(
    cells: Sequence[Cell], splits: Splits, downsample: Mapping[str, float], oversample: Mapping[str, float]
) -> list[Finding]:
    """Hold the class counts of each part against those of the cells before any resampling.

    Test parts must have the counts of their folds. What training lacks of the cells that are in no other part must be
    the share in `downsample`, which would not be so if cells had been left out before the split; and its rows must be
    as many as `oversample` says. For the meaning of the two see `clean` in params.yaml.
    """
    surplus = rows_off = 0
    left, outside = Counter[str](), Counter[str]()
    off = dict.fromkeys(CLASSES, 0.0)  # in cells, the farthest of all splits
    for fold, rows in splits.items():
        held = {row.image for row in rows if row.part != TRAIN}
        here = Counter(cell.label for cell in cells if cell.fold == fold)
        tested = Counter(row.label for row in rows if row.part == TEST)
        surplus += sum(abs(here[label] - tested[label]) for label in here | tested)
        candidates = Counter(cell.label for cell in cells if cell.fold != fold and cell.image not in held)
        unique = Counter(label for _, label, part in set(rows) if part == TRAIN)
        trained = Counter(row.label for row in rows if row.part == TRAIN)
        largest = max(unique.values(), default=0)
        for label in CLASSES:
            lacking = candidates[label] - unique[label]
            left[label] += lacking
            outside[label] += candidates[label]
            off[label] = max(off[label], abs(lacking - downsample.get(label, 0.0) * candidates[label]))
            wanted = max(unique[label], round(largest * oversample.get(label, 0.0)))
            rows_off += abs(trained[label] - wanted)
    down = {label: rate for label, rate in downsample.items() if rate}
    return [
        _none("resampling", "cells that test parts lack or have twice", surplus, SPLIT_AGAIN),
        *(
            Finding(
                "resampling",
                f"share of {label} left out of training",
                round(left[label] / max(outside[label], 1), 4),
                f"≈ {rate:g}",
                off[label] <= 1,  # a cell can't be halved, and one is always kept
                SPLIT_AGAIN,
            )
            for label, rate in down.items()
        ),
        _none(
            "resampling",
            "cells of other classes left out of training",
            sum(abs(left[label]) for label in CLASSES if label not in down),
            SPLIT_AGAIN,
        ),
        _none("resampling", "rows of training against clean.oversample", rows_off, SPLIT_AGAIN),
    ]


def deterministic(model: str, table: NDArray[np.float64], again: NDArray[np.float64]) -> list[Finding]:
    """Hold probabilities (n, k) of the table of predictions against the same, computed again from the checkpoints."""
    change = float(np.nan_to_num(np.abs(table - again), nan=1.0).max(initial=0))
    return [
        Finding(
            "evaluation",
            f"{model}: largest change when computed again",
            round(change, 4),
            f"≤ {TOLERANCE:g}",
            change <= TOLERANCE,
            f"evaluation must hold no chance: see stages/evaluate.py, then `dvc repro -f evaluate@{model}`",
        )
    ]


def class_order(orders: Collection[Sequence[str]]) -> list[Finding]:
    """Count the checkpoints whose logits stand for other classes than those of this code, or in another order."""
    other = sum(tuple(order) != CLASSES for order in orders)
    return [_none("classes", "checkpoints with classes in another order", other, "run `dvc repro` to train anew")]


def names(model: str, p: Predictions) -> list[Finding]:
    """Ask whether the predicted names are permuted: whether others in their place would fit the labels much better.

    The best one-to-one renaming of the predicted classes (but for none at all) is the assignment that maximises the
    mean sensitivity; it is found by the Hungarian method. Mean sensitivity, since by accuracy a model that has learned
    nothing and always says a rare class would look as one whose names are permuted. Chance could let a renaming gain
    by what the standard error of the gain allows, that of a difference of paired proportions in each class.
    """
    matrix = confusion(p.actual, p.predicted, len(p.classes))
    cells, own = matrix.sum(axis=1), np.arange(len(matrix))
    shares = matrix / np.maximum(cells, 1)[:, None]
    best = max((_renaming(shares, kept) for kept in own.tolist()), key=lambda names: float(shares[own, names].sum()))
    gain = float(shares[own, best].sum() - shares[own, own].sum()) / np.count_nonzero(cells)
    # As if one more cell had been gained and one lost, so that few cells that agree by chance don't pass for certain.
    gained, lost = ((matrix[own, names] + 1) / (cells + 2) for names in (best, own))
    variance = (gained + lost - (gained - lost) ** 2) / np.maximum(cells, 1)
    moved = (cells > 0) & (best != own)
    limit = ERRORS * float(np.sqrt(variance[moved].sum())) / np.count_nonzero(cells)
    return [
        Finding(
            "names",
            f"{model}: gain by other class names",
            round(gain, 4) + 0.0,  # no -0.0
            f"≤ {limit:.2g}",
            bool(gain <= limit),
            "the names of the classes seem permuted: hold their order in the checkpoints against the label table",
        )
    ]


def counts(rows: int, kept: Mapping[str, int], dropped: Mapping[str, int], published: bool) -> list[Finding]:
    """Hold the kept cells of each class and the rows dropped for each reason against the label table.

    Args:
        rows: of the label table.
        kept: by class.
        dropped: by reason: "double", "null", or a class that is not told apart.
        published: whether the raw files are the published ones, whose counts are known.
    """
    lost = abs(rows - sum(kept.values()) - sum(dropped.values()))
    remedy = "run `dvc repro -f clean`"
    found = [_none("counts", "rows of the label table neither kept nor dropped", lost, remedy)]
    if published:
        known = PUBLISHED_KEPT | PUBLISHED_DROPPED
        seen = {**kept, **dropped}
        unlike = sum(abs(known.get(name, 0) - seen.get(name, 0)) for name in known.keys() | seen.keys())
        found.append(_none("counts", "rows counted unlike the published figures", unlike, remedy))
    return found


def coverage(part: str, models: Mapping[str, Predictions], cells: Collection[Cell]) -> list[Finding]:
    """Count the cells that a model did not predict though it should, or under another label or fold, or others.

    Args:
        part: which table of predictions, "test" or "validation".
        models: their predictions.
        cells: those that the networks of the folds should have seen there.
    """
    unlike = sum(
        _unlike(cells, map(Cell, p.images, (p.classes[actual] for actual in p.actual), p.folds.tolist()))
        for p in models.values()
    )
    return [_none("coverage", f"predictions that don't fit the {part} parts", unlike, "run `dvc repro`")]


COLUMNS = ("guard", "what", "figure", "allowed", "holds")
"""The columns of `table`."""


def table(findings: Sequence[Finding]) -> list[tuple[str, str, str, str, str]]:
    """Give a row per finding for `COLUMNS`; allowed and holds are empty where a figure only informs."""
    return [
        (finding.guard, finding.what, str(finding.figure), finding.allowed, _verdict(finding)) for finding in findings
    ]


def _verdict(finding: Finding) -> str:
    if not finding.allowed:
        return ""
    return "holds" if finding.holds else "FAILS"


def _none(guard: str, what: str, count: int, remedy: str) -> Finding:
    """Give the finding of a fault that may not occur once."""
    return Finding(guard, what, count, "0", count == 0, remedy)


def _parts(rows: Sequence[Row]) -> dict[str, set[str]]:
    """Give the parts in which each image stands."""
    parts: dict[str, set[str]] = {}
    for row in rows:
        parts.setdefault(row.image, set()).add(row.part)
    return parts


def _unlike(expected: Iterable[Cell], found: Iterable[Cell]) -> int:
    """Count the images that stand in one of the two alone, or in both under another label or fold."""
    return len({cell.image for cell in set(expected) ^ set(found)})


def _renaming(shares: NDArray[np.float64], kept: int) -> NDArray[np.int64]:
    """Give the predicted name for each class that maximises the sum of shares (k, k), `kept` not keeping its own."""
    allowed = shares.copy()
    allowed[kept, kept] = -len(shares)  # less than any sum of shares can make good
    return np.asarray(linear_sum_assignment(allowed, maximize=True)[1], dtype=np.int64)
