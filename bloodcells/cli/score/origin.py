"""Where a model comes from: the data set it was trained on, and its test there (the internal figures).

A predictor does not name its data set, but the lock files of the runs (`dvc.lock`, `locks/NAME/dvc.lock`) hold its
hash, and those of the tables that the same run wrote.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv
from bloodcells.core.parameters import read_yaml
from bloodcells.core.paths import DatasetPaths
from bloodcells.datasets.fingerprint import hash_files
from bloodcells.evaluation.clusters import cluster_numbers, read_groups
from bloodcells.inference.predictions import Predictions, read_predictions
from bloodcells.inference.temperature import temperature_scaled
from bloodcells.inference.threshold import confidence_of

_PREDICTOR = re.compile(r"artifacts/([a-z][a-z0-9_-]*)/predictors/(\w+)\.ckpt")
_ARTIFACT = re.compile(r"artifacts/([a-z][a-z0-9_-]*)/models/(\w+)/\d+/checkpoint\.ckpt")


@dataclass(frozen=True, eq=False)
class InternalTest:
    """The test of a model on its own data set.

    Attributes:
        predictions: of the tested cells, by the networks of all tested folds.
        answered: (n,) whether the prediction reached the threshold that was fitted without the cell's fold.
        clusters: (n,) the group of each cell; None if the cells are independent, or their groups are not here.
    """

    predictions: Predictions
    answered: NDArray[np.bool_]
    clusters: NDArray[np.int64] | None


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a model comes from.

    Attributes:
        md5: of its file.
        dataset: that it was trained on; empty if unknown.
        model: its name in that run, or the stem of its file.
        commits: that trained the networks of that run; empty if unknown.
        internal: its test there; None if unknown.
        unknown: why `internal` is unknown.
    """

    md5: str
    dataset: str
    model: str
    commits: tuple[str, ...] = ()
    internal: InternalTest | None = None
    unknown: str = ""

    @property
    def label(self) -> str:
        """A name for a folder, different for models of the same name that were trained on different data sets."""
        return "-".join(filter(None, (self.dataset, self.model)))


def find_origin(path: Path) -> Origin:
    """Find the run, of those whose lock files are in this folder, that wrote a model.

    Args:
        path: of the predictor or checkpoint.

    Raises:
        InputError: the file can't be read.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing")
    md5 = _md5(path)
    for lock in (Path("dvc.lock"), *sorted(Path("locks").glob("*/dvc.lock"))):
        outs = _outs(lock) if lock.is_file() else {}
        for written, hashed in outs.items():
            match = _PREDICTOR.fullmatch(written)
            if match and hashed == md5:
                return _of_run(md5, match[1], match[2], outs)
    place = Path(path).resolve()
    within = place.relative_to(Path.cwd()).as_posix() if place.is_relative_to(Path.cwd()) else ""
    match = _PREDICTOR.fullmatch(within) or _ARTIFACT.fullmatch(within)
    if match:
        why = "no lock file of this folder names this very file; `dvc repro` writes both anew"
        return Origin(md5, match[1], match[2], unknown=why)
    return Origin(md5, "", path.stem, unknown="no lock file of this folder names this file")


def _of_run(md5: str, dataset: str, model: str, outs: Mapping[str, str]) -> Origin:
    paths = DatasetPaths(dataset)
    table, commits = paths.predictions(model), _commits(paths.report / "provenance" / f"{model}.json")
    if not table.is_file() or _md5(table) != outs.get(table.as_posix()):
        why = f"{table} is missing, or was not written by the run that wrote the model"
        return Origin(md5, dataset, model, commits, unknown=why)
    try:
        predictions = read_predictions(table)
        answered = _answered(predictions, paths.report / "selective_prediction.csv", model)
        same = paths.cells.is_file() and _md5(paths.cells) == outs.get(paths.cells.as_posix())
        groups = read_groups(paths.cells) if same else None
    except InputError as error:
        return Origin(md5, dataset, model, commits, unknown=str(error))
    clusters = cluster_numbers(predictions.images, groups)
    return Origin(md5, dataset, model, commits, InternalTest(predictions, answered, clusters))


def _answered(p: Predictions, table: Path, model: str) -> NDArray[np.bool_]:
    """Apply the rule of each fold, as the stage `calibrate` did.

    Raises:
        InputError: the rules are not those for these predictions.
    """
    columns = ("model", "part", "fold", "temperature", "threshold", "accepted", "errors")
    rows = {row["fold"]: row for row in read_csv(table, columns) if (row["model"], row["part"]) == (model, "test")}
    try:
        rules = [(float(rows[str(f)]["temperature"]), float(rows[str(f)]["threshold"])) for f in p.folds.tolist()]
        counted = (int(rows["all"]["accepted"]), int(rows["all"]["errors"]))
    except (KeyError, ValueError):
        counted, rules = (-1, -1), []
    if rules:
        temperatures, thresholds = np.array(rules).T
        answered = confidence_of(temperature_scaled(p.probabilities, temperatures)) >= thresholds
        if (int(answered.sum()), int((answered & ~p.correct).sum())) == counted:
            return np.asarray(answered, np.bool_)
    raise InputError(f"{table} does not belong to the predictions of {model}: run `dvc repro`, which writes both")


def _md5(path: Path) -> str:
    return hash_files({"": path}).md5s[""]


def _outs(lock: Path) -> dict[str, str]:
    """Return the MD5 of everything that the run of a lock file wrote, by path."""
    stages: Mapping[str, Any] = read_yaml(lock).get("stages") or {}
    return {str(out["path"]): str(out.get("md5")) for stage in stages.values() for out in stage.get("outs", ())}


def _commits(path: Path) -> tuple[str, ...]:
    """Return the commits that trained a model, in short; none if its provenance is not here."""
    try:
        trained = json.loads(path.read_text(encoding="utf-8"))["training"].values()
        return tuple(sorted({str(one["commit"])[:7] for one in trained if one.get("commit")}))
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return ()
