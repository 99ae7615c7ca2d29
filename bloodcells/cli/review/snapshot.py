"""What a revision holds that a reviewer asks about: parameters, the data's pin, and the results of each data set."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv
from bloodcells.inference.predictions import Predictions, read_predictions

Row = tuple[str, ...]
_Content = TypeVar("_Content")

HOLDS = "holds"
"""How the table of the stage `checks` says that a guard holds."""


@dataclass(frozen=True)
class Pin:
    """What `data.dvc` pins: the hash of the real data, their number of files and bytes."""

    md5: str
    files: int
    size: int


@dataclass(frozen=True)
class Guard:
    """A check that a run made of itself: what it looked for, what it found, what is allowed, and whether that holds."""

    what: str
    figure: str
    allowed: str
    holds: bool


@dataclass(frozen=True, eq=False)
class Results:
    """The committed results of one data set.

    metrics: for each file of metrics (a model's, mostly) its figures by name; the file is named by its path within
    the data set's metrics, without its ending. predictions: those of each model.
    counts: of each class and step, as the stage `clean` names them. dropped: image, labels and reason of each row
    that was dropped. curves: the rows of the learning curves. guards: those of the last run. unreadable: why a file
    could not be read, by its path; it is then missing above, as one that is not there. files: the hash of every file
    under the data set's metrics and plots, by its path.
    """

    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    predictions: Mapping[str, Predictions] = field(default_factory=dict)
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    dropped: frozenset[Row] = frozenset()
    curves: tuple[Mapping[str, str], ...] = ()
    guards: tuple[Guard, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A revision as far as it is reviewed.

    params: the values of each file of parameters by their dotted keys, by the file's path. pin: None where there
    is no `data.dvc`. results: by data set. stages: for each stage of `dvc.yaml` the paths that it depends on.
    """

    params: Mapping[str, Mapping[str, Any]]
    pin: Pin | None
    results: Mapping[str, Results]
    stages: Mapping[str, tuple[str, ...]]

    @property
    def models(self) -> list[str]:
        """The models in the order of the parameters."""
        keys = self.params.get("params.yaml", {})
        return list(dict.fromkeys(key.split(".")[1] for key in keys if key.startswith("models.")))

    def of(self, dataset: str) -> Results:
        """Give the results of one data set, empty where there are none."""
        return self.results.get(dataset, Results())


def read_snapshot(tree: Path, name: str) -> Snapshot:
    """Read the files of a revision that lie in `tree`; `name` is the revision's, for messages.

    Raises:
        InputError: a file is not what it should be; the message names it and the revision.
    """
    try:
        folders = {path.name for parent in ("metrics", "plots") for path in (tree / parent).glob("*") if path.is_dir()}
        files = [tree / "params.yaml", *sorted(tree.glob("locks/*/params.yaml"))]
        return Snapshot(
            {str(path.relative_to(tree)): _flat(_yaml(path)) for path in files if path.exists()},
            _pin(tree / "data.dvc"),
            {folder: _results(tree, folder, name) for folder in sorted(folders)},
            _stages(_yaml(tree / "dvc.yaml")),
        )
    except InputError as error:
        raise InputError(_told(error, tree, name)) from None


def _results(tree: Path, dataset: str, name: str) -> Results:
    plots, metrics = tree / "plots" / dataset, tree / "metrics" / dataset
    unreadable: dict[str, str] = {}

    def found(within: Path, pattern: str, read: Callable[[Path], _Content]) -> dict[str, _Content]:
        """Read those files that there are: an earlier revision may have fewer, or others of that name."""
        contents = {}
        for path in sorted(filter(Path.is_file, within.glob(pattern))):
            try:
                contents[path.relative_to(within).with_suffix("").as_posix()] = read(path)
            except InputError as error:
                unreadable[str(path.relative_to(tree))] = _told(error, tree, name)
        return contents

    figures = found(metrics, "**/*.json", _figures)
    predicted = found(plots / "predictions", "*.csv", read_predictions)
    counts = found(plots, "counts.csv", _counts)
    dropped = found(plots, "dropped.csv", lambda path: read_csv(path, ("image", "labels", "reason")))
    curves = found(plots, "curves.csv", _curves)
    checks = found(plots, "checks.csv", lambda path: read_csv(path, ("what", "figure", "allowed", "holds")))
    files = sorted(path for folder in (metrics, plots) for path in folder.rglob("*") if path.is_file())
    return Results(
        figures,
        predicted,
        counts.get("counts", {}),
        frozenset((row["image"], row["labels"], row["reason"]) for row in dropped.get("dropped", ())),
        tuple(curves.get("curves", ())),
        tuple(
            Guard(row["what"], row["figure"], row["allowed"], row["holds"] == HOLDS)
            for row in checks.get("checks", ())
            if row["allowed"]  # other figures only inform
        ),
        unreadable,
        {path.relative_to(tree).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    )


def _told(error: InputError, tree: Path, name: str) -> str:
    """Tell an error about a file in `tree` as one about the file of that revision."""
    return str(error).replace(f"{tree}/", f"{name}: ")


def _yaml(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (yaml.YAMLError, ValueError) as error:  # no text, or a date that there is not
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise InputError(f"{path} is no YAML ({problem}): mend it in that revision") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no keys: mend it in that revision")
    return content


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Give nested keys as dotted ones; lists stay as they are."""
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
        raise InputError(f"{path}: `outs` pins no data (got {outs!r}): mend it in that revision") from None


def _stages(pipeline: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Give the dependencies of each stage; one with options is a mapping of its path.

    What is no stage has none: what is wrong with it DVC will say.
    """
    stages = {}
    for name, block in _mapping(pipeline.get("stages")).items():
        deps = (_mapping(_mapping(block).get("do")) or _mapping(block)).get("deps")
        paths = deps if isinstance(deps, list) else []
        stages[str(name)] = tuple(str(next(iter(dep), "") if isinstance(dep, dict) else dep) for dep in paths)
    return stages


def _mapping(content: Any) -> Mapping[Any, Any]:
    return content if isinstance(content, dict) else {}


def _figures(path: Path) -> dict[str, float]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}): run `dvc repro` to make it anew") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no figures by name: run `dvc repro` to make it anew")
    try:
        return {key: value for key, value in _flat(content).items() if _is_figure(value)}
    except OverflowError as error:
        raise InputError(f"{path} holds no figure ({error}): run `dvc repro` to make it anew") from None


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _counts(path: Path) -> dict[tuple[str, str], int]:
    rows = read_csv(path, ("class", "step", "count"))
    _must_be_numbers(path, rows, {"count": int})
    return {(row["class"], row["step"]): int(row["count"]) for row in rows}


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
                    f"{path}, line {line}: {column} is no number (got {row[column]!r}): run `dvc repro` to make it anew"
                ) from None
