"""Which cells a reader is asked about, and what the last run knows of each."""

import difflib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv
from bloodcells.core.paths import DatasetPaths
from bloodcells.datasets.corrections import from_text
from bloodcells.inference.predictions import Predictions, read_predictions

_CONFIDENCE = "self_confidence_"  # with a model's name, a column of the label issues


@dataclass(frozen=True)
class Vote:
    """What a model that never saw the cell predicts, and with which probability."""

    model: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class Question:
    """A cell to read.

    Attributes:
        cell: its key in all tables.
        label: the present one.
        votes: one for each model.
        near_duplicate, near_duplicate_label: a second photograph of it under another label; empty without.
        doubtful: whether it is among the label issues.
    """

    cell: str
    label: str
    votes: tuple[Vote, ...]
    near_duplicate: str = ""
    near_duplicate_label: str = ""
    doubtful: bool = True


def find_issues(paths: DatasetPaths) -> list[dict[str, str]]:
    """Read the label issues of the last run, or the published ones in a clone in which nothing has run.

    Raises:
        InputError: there are none, or the table is malformed.
    """
    table = paths.table("label_issues")
    table = table if table.is_file() else paths.report / table.name
    if not table.is_file():
        raise InputError(f"{paths.table('label_issues')} is missing: run the pipeline on {paths.dataset} (`dvc repro`)")
    return read_csv(table, ("image", "label", "near_duplicate", "near_duplicate_label"))


def questions(
    paths: DatasetPaths, *, only: Path | None, limit: int | None, controls: int, order: str
) -> tuple[list[Question], tuple[str, ...]]:
    """Return the cells to read, in order, and the classes.

    Args:
        paths: of the data set.
        only: a table whose column `image` names the cells to read; None for the label issues.
        limit: at most so many of them, the most doubtful ones.
        controls: so many cells besides whose label no model contradicts.
        order: doubt, image or random.

    Raises:
        InputError: a table is missing, malformed or older than another, it names an unknown cell, or there is no cell.
    """
    issues = {row["image"]: row for row in find_issues(paths)}
    predictions = _predictions(paths, issues)
    p = next(iter(predictions.values()))
    position = {cell: place for place, cell in enumerate(p.images)}
    for cell, row in issues.items():
        if cell not in position or p.classes[p.actual[position[cell]]] != row["label"]:
            raise InputError(f"{paths.predictions('*')} and the label issues are of different runs: run `dvc repro`")
    chosen = (list(issues) if only is None else _named(only, position))[:limit]
    contradicted = {cell for q in predictions.values() for cell in q.select(~q.correct).images} | issues.keys()
    drawn = random.Random(len(position))  # the same cells give the same page, which then keeps its entries
    agreed = [cell for cell in p.images if cell not in contradicted and cell not in chosen]
    chosen += drawn.sample(agreed, min(controls, len(agreed)))
    if not chosen:
        raise InputError(f"no label of {paths.dataset} is contradicted by most models: name cells with --cells")
    if order == "image":
        chosen.sort()
    elif order == "random":
        drawn.shuffle(chosen)
    return [_question(cell, issues.get(cell), predictions, position[cell]) for cell in chosen], p.classes


def _predictions(paths: DatasetPaths, issues: Mapping[str, Mapping[str, str]]) -> dict[str, Predictions]:
    """Read the predictions of the models of the run; all of them have the same cells."""
    columns = next(iter(issues.values()), {})
    models = [name.removeprefix(_CONFIDENCE) for name in columns if name.startswith(_CONFIDENCE)]
    models = models or sorted(path.stem for path in paths.predictions("*").parent.glob("*.csv"))
    found = {model: read_predictions(paths.predictions(model)) for model in models}
    if len({p.images for p in found.values()}) != 1:
        raise InputError(f"{paths.predictions('*')}: the models were tested on different cells: run `dvc repro`")
    return found


def _named(table: Path, known: Mapping[str, int]) -> list[str]:
    try:
        named = [from_text(row["image"]) for row in read_csv(table, ("image",))]
    except InputError as error:
        raise InputError(str(error).split(": run `dvc")[0] + ": name a CSV file with a column image") from None
    for cell in named:
        if cell not in known:
            close = difflib.get_close_matches(cell, known, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise InputError(f"{table}: {cell!r} is not among the tested cells{hint}: test_folds says which are tested")
    return list(dict.fromkeys(named))


def _question(
    cell: str, issue: Mapping[str, str] | None, predictions: Mapping[str, Predictions], place: int
) -> Question:
    p = next(iter(predictions.values()))
    votes = [
        Vote(model, q.classes[q.predicted[place]], float(q.probabilities[place, q.predicted[place]]))
        for model, q in predictions.items()
    ]
    label = p.classes[p.actual[place]]
    if issue is None:
        return Question(cell, label, tuple(votes), doubtful=False)
    return Question(cell, label, tuple(votes), issue["near_duplicate"], issue["near_duplicate_label"])
