"""What a review reads of a revision: parameters, the pin of the data, and the results of each data set."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bloodcells.cli.external_tests import FOLDER, ExternalScores, read_external_tests
from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv
from bloodcells.core.parameters import read_yaml
from bloodcells.datasets.corrections import from_text
from bloodcells.inference.predictions import Predictions, read_predictions

Row = tuple[str, ...]
_Content = TypeVar("_Content")


@dataclass(frozen=True)
class Pin:
    """What a `.dvc` file pins: the hash of the data, the number of files, and their size in bytes."""

    md5: str
    files: int
    size: int


@dataclass(frozen=True)
class RunCheck:
    """A check that a run made: what it found, what is allowed, and whether it passed."""

    description: str
    value: str
    allowed: str
    passed: bool


@dataclass(frozen=True)
class Training:
    """When a network was trained, and the device as its provenance records it."""

    finished: str
    device: Mapping[str, Any]


class LabelChange(NamedTuple):
    """What a reader of `bloodcells relabel` decided: the label before and after, and whose file says so."""

    image: str
    old: str
    new: str
    reader: str
    note: str
    file: str


@dataclass(frozen=True, eq=False)
class Results:
    """The committed results of one data set.

    Attributes:
        metrics: for each metrics file (named by its path in the data set's metrics, without suffix) its values.
        predictions: of each model.
        groups: of the cells, where intervals and tests take them as independent, by number; None if the cells are.
        counts: cells of each class and step, as the stage `clean` names them.
        dropped: image, labels and reason of each dropped row.
        corrections: labels that readers changed or were unsure about.
        curves: rows of the learning curves.
        checks: of the last run.
        trained: by model and test fold, the training of the network.
        unreadable: by path, why a file can't be read; it is then left out above.
        files: the hash of every file under the data set's metrics and plots, by its path; without external tests.
    """

    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    predictions: Mapping[str, Predictions] = field(default_factory=dict)
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    dropped: frozenset[Row] = frozenset()
    corrections: tuple[LabelChange, ...] = ()
    curves: tuple[Mapping[str, str], ...] = ()
    checks: tuple[RunCheck, ...] = ()
    trained: Mapping[tuple[str, str], Training] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] | None = None


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a review knows of a revision.

    Attributes:
        params: for each parameter file, by its path, the values by their dotted keys.
        pins: of the data sets, by the path of the `.dvc` file.
        results: by data set.
        stages: for each stage of `dvc.yaml` the paths that it depends on.
        external: the external tests, by their folder.
    """

    params: Mapping[str, Mapping[str, Any]]
    pins: Mapping[str, Pin]
    results: Mapping[str, Results]
    stages: Mapping[str, tuple[str, ...]]
    external: Mapping[str, ExternalScores] = field(default_factory=dict)

    @property
    def models(self) -> list[str]:
        """The models, in the order of the parameters."""
        keys = self.params.get("params.yaml", {})
        return list(dict.fromkeys(key.split(".")[1] for key in keys if key.startswith("models.")))

    def of(self, dataset: str) -> Results:
        """Return the results of one data set; empty if there are none."""
        return self.results.get(dataset, Results())


def read_snapshot(tree: Path, name: str) -> Snapshot:
    """Read the files of a revision in the folder `tree`; `name` is that of the revision, for messages.

    Raises:
        InputError: a file is malformed; the message names it and the revision.
    """
    try:
        parts = [*tree.glob("metrics/*/*"), *(path for path in tree.glob("plots/*/*") if path.name != FOLDER)]
        folders = {path.parent.name for path in parts}
        files = [tree / "params.yaml", *sorted(tree.glob("locks/*/params.yaml"))]
        pinned = [tree / "data.dvc", *sorted(tree.glob("datasets/*/source.dvc"))]
        return Snapshot(
            {str(path.relative_to(tree)): _flat(_yaml(path)) for path in files if path.exists()},
            {str(path.relative_to(tree)): pin for path in pinned if (pin := _pin(path))},
            {folder: _of_models(_results(tree, folder, name), _models(tree, folder)) for folder in sorted(folders)},
            _stages(_yaml(tree / "dvc.yaml")),
            read_external_tests(tree),
        )
    except InputError as error:
        raise InputError(f"{_message(error, tree, name)}: correct it in that revision") from None


def _models(tree: Path, dataset: str) -> set[str] | None:
    """Return the models of the run on a data set, or None if no parameters are kept for it."""
    chosen = _yaml(tree / "params.yaml")
    params = chosen if chosen.get("dataset") == dataset else _yaml(tree / "locks" / dataset / "params.yaml")
    models = params.get("models")
    return {str(model) for model in models} if isinstance(models, dict) else None


def _of_models(results: Results, models: set[str] | None) -> Results:
    """Leave out what models that are no longer in params.yaml have left behind: DVC does not delete it."""
    if models is None:
        return results
    left = {model for model in results.predictions if model not in models}
    return replace(
        results,
        metrics={name: values for name, values in results.metrics.items() if name not in left},
        predictions={name: p for name, p in results.predictions.items() if name not in left},
        trained={(model, fold): one for (model, fold), one in results.trained.items() if model not in left},
    )


def _results(tree: Path, dataset: str, name: str) -> Results:
    plots, metrics = tree / "plots" / dataset, tree / "metrics" / dataset
    unreadable: dict[str, str] = {}

    def found(within: Path, pattern: str, read: Callable[[Path], _Content]) -> dict[str, _Content]:
        """Read the files that exist: an earlier revision may have fewer."""
        contents = {}
        for path in sorted(filter(Path.is_file, within.glob(pattern))):
            try:
                contents[path.relative_to(within).with_suffix("").as_posix()] = read(path)
            except InputError as error:
                unreadable[str(path.relative_to(tree))] = _message(error, tree, name)
        return contents

    values = found(metrics, "**/*.json", _values)
    predicted = found(plots / "predictions", "*.csv", read_predictions)
    counts = found(plots, "counts.csv", _counts)
    dropped = found(plots, "dropped.csv", lambda path: read_csv(path, ("image", "labels", "reason")))
    corrections = found(plots, "label_changes.csv", _label_changes)
    curves = found(plots, "curves.csv", _curves)
    checks = found(plots, "report/checks.csv", _checks) or found(plots, "checks.csv", _earlier_checks)
    provenance = found(plots / "report" / "provenance", "*.json", _trained) or found(
        plots / "provenance", "*.json", _trained
    )
    groups = found(plots / "report", "groups.csv", lambda path: read_csv(path, ("image", "group"))).get("groups", ())
    files = sorted(
        path
        for folder in (metrics, plots)
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] != FOLDER
    )
    return Results(
        values,
        predicted,
        counts.get("counts", {}),
        frozenset((row["image"], row["labels"], row["reason"]) for row in dropped.get("dropped", ())),
        tuple(corrections.get("label_changes", ())),
        tuple(curves.get("curves", ())),
        tuple(check for of_file in checks.values() for check in of_file if check.allowed),  # others only inform
        {(model, fold): one for model, folds in provenance.items() for fold, one in folds.items()},
        unreadable,
        {path.relative_to(tree).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        groups={row["image"]: row["group"] for row in groups} or None,
    )


def _message(error: InputError, tree: Path, name: str) -> str:
    """Return the message of an error about a file in `tree`, for the file of that revision."""
    return str(error).replace(f"{tree}/", f"{name}: ")


def _yaml(path: Path) -> Mapping[str, Any]:
    return read_yaml(path) if path.exists() else {}


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested keys as dotted ones; lists stay as they are."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _pin(path: Path) -> Pin | None:
    outs = _yaml(path).get("outs")
    if not outs:
        return None
    try:
        return Pin(str(outs[0].get("md5", "")), int(outs[0].get("nfiles", 0)), int(outs[0].get("size", 0)))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(f"{path}: `outs` pins no data (got {outs!r})") from None


def _stages(pipeline: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the dependencies of each stage; one with options is a mapping of its path.

    A malformed stage has none: DVC reports what is wrong with it.
    """
    stages = {}
    for name, block in _mapping(pipeline.get("stages")).items():
        deps = (_mapping(_mapping(block).get("do")) or _mapping(block)).get("deps")
        paths = deps if isinstance(deps, list) else []
        names = (str(next(iter(dep), "") if isinstance(dep, dict) else dep) for dep in paths)
        stages[str(name)] = tuple(dep.replace("${dataset}", "*") for dep in names)
    return stages


def _mapping(content: Any) -> Mapping[Any, Any]:
    return content if isinstance(content, dict) else {}


def _json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): run `dvc repro` to write it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no named values: run `dvc repro` to write it again")
    return content


def _trained(path: Path) -> dict[str, Training]:
    """Read how the network of each fold was trained; a record may be older than some keys."""
    records = {fold: _mapping(record) for fold, record in _mapping(_json(path).get("training")).items()}
    return {
        fold: Training(str(record.get("finished", "")), _mapping(record.get("device")))
        for fold, record in records.items()
    }


def _values(path: Path) -> dict[str, float]:
    content = _json(path)
    try:
        return {key: value for key, value in _flat(content).items() if _is_number(value)}
    except OverflowError as error:
        raise InputError(f"{path} holds a value out of range ({error}): run `dvc repro` to write it again") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _checks(path: Path) -> list[RunCheck]:
    rows = read_csv(path, ("description", "value", "allowed", "passed"))
    return [RunCheck(row["description"], row["value"], row["allowed"], row["passed"] == "yes") for row in rows]


def _earlier_checks(path: Path) -> list[RunCheck]:
    """Read the checks of results that were made before the stage `report`."""
    rows = read_csv(path, ("what", "figure", "allowed", "holds"))
    return [RunCheck(row["what"], row["figure"], row["allowed"], row["holds"] == "holds") for row in rows]


def _counts(path: Path) -> dict[tuple[str, str], int]:
    rows = read_csv(path, ("class", "step", "count"))
    _must_be_numbers(path, rows, {"count": int})
    return {(row["class"], row["step"]): int(row["count"]) for row in rows}


def _label_changes(path: Path) -> list[LabelChange]:
    rows = read_csv(path, LabelChange._fields)
    return [LabelChange(*(from_text(row[name]) for name in LabelChange._fields)) for row in rows]


def _curves(path: Path) -> list[dict[str, str]]:
    rows = read_csv(path, ("model", "fold", "split", "epoch", "loss"))
    _must_be_numbers(path, rows, {"epoch": int, "loss": float})
    return rows


def _must_be_numbers(
    path: Path, rows: Sequence[Mapping[str, str]], columns: Mapping[str, Callable[[str], float]]
) -> None:
    for line, row in enumerate(rows, start=2):
        for column, number in columns.items():
            try:
                number(row[column])
            except ValueError:
                raise InputError(
                    f"{path}, line {line}: {column} is not a number (got {row[column]!r}): "
                    "run `dvc repro` to write it again"
                ) from None
