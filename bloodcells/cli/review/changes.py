"""What changed between two revisions, apart from the verdicts: parameters, data, metrics, code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from bloodcells.cli.review.snapshot import LabelChange, Pin, Results, Row, Training
from bloodcells.datasets.corrections import UNSURE
from bloodcells.inference.predictions import Predictions

ABSENT = object()
"""Stands for a value that a revision does not have."""

WHOLE = "*"
"""Name of the only change if a whole file was added or removed."""


@dataclass(frozen=True)
class Change:
    """A value at the base and at the head; `ABSENT` if there is none."""

    name: str
    before: Any
    after: Any


def side_by_side(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[Change]:
    """Return all values in the order of the head, removed ones last."""
    names = [*head, *(name for name in base if name not in head)]
    return [Change(name, base.get(name, ABSENT), head.get(name, ABSENT)) for name in names]


def changed(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[Change]:
    """Return the values that differ, in that order; 1, 1.0 and true differ, as they do in YAML."""
    # as text: .nan then equals itself, and types differ within lists too
    return [pair for pair in side_by_side(base, head) if repr(pair.before) != repr(pair.after)]


def parameter_changes(
    base: Mapping[str, Mapping[str, Any]], head: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[Change]]:
    """Return what differs in each parameter file, the one in the root first.

    A file that was added or removed is one change named `WHOLE`, not one change per key.
    """
    files = sorted(base.keys() | head.keys(), key=lambda file: (file.count("/"), file))
    return {
        file: changed(base[file], head[file])
        if file in base and file in head
        else [Change(WHOLE, base.get(file, ABSENT), head.get(file, ABSENT))]
        for file in files
    }


def pin_changes(base: Mapping[str, Pin], head: Mapping[str, Pin]) -> dict[str, list[Change]]:
    """Return for each file that pins data, and differs, what differs."""
    values = [{file: vars(pin) for file, pin in pins.items()} for pins in (base, head)]
    found = {file: changed(values[0].get(file, {}), values[1].get(file, {})) for file in sorted({*base, *head})}
    return {file: changes for file, changes in found.items() if changes}


@dataclass(frozen=True)
class DataChange:
    """How the data of one data set differ.

    Attributes:
        counts: cells of a class in a step.
        dropped, kept: rows that only the head drops, or only the base, as image, labels and reason.
        added, removed: images of cells on which a model is tested only at the head, or only at the base.
        relabeled: images of tested cells with another label.
        corrections, withdrawn: corrections of labels that only the head has, or only the base.
        moved: cells that are tested in another fold.
        classes: the classes, if they differ; models of other classes can't be compared.
    """

    counts: tuple[Change, ...] = ()
    dropped: tuple[Row, ...] = ()
    kept: tuple[Row, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    relabeled: tuple[Change, ...] = ()
    corrections: tuple[LabelChange, ...] = ()
    withdrawn: tuple[LabelChange, ...] = ()
    moved: int = 0
    classes: Change | None = None

    @property
    def new_labels(self) -> list[Change]:
        """The cells with another label: those that are tested, and corrected ones that are not or no longer."""
        tested = {one.name for one in self.relabeled}
        corrected = [one for one in self.corrections if one.new != UNSURE and one.image not in tested]
        return [*self.relabeled, *(Change(one.image, one.old, one.new) for one in corrected)]


def data_change(base: Results, head: Results) -> DataChange:
    """Compare the data behind two results, from their tables; a first run changes nothing."""
    before, after = _cells(base.predictions), _cells(head.predictions)
    both_have = base.predictions.keys() & head.predictions.keys()
    tested_on = [({*base.predictions[model].images}, {*head.predictions[model].images}) for model in both_have]
    tested_on = tested_on or [({*before}, {*after})]  # no model is in both: compare all cells
    both = [image for image in after if image in before]
    cleaned, tested = bool(base.counts and head.counts), bool(before and after)
    return DataChange(
        tuple(changed(_named(base.counts), _named(head.counts))) if cleaned else (),
        tuple(sorted(head.dropped - base.dropped)) if cleaned else (),
        tuple(sorted(base.dropped - head.dropped)) if cleaned else (),
        tuple(sorted(set[str]().union(*(now - was for was, now in tested_on)))) if tested else (),
        tuple(sorted(set[str]().union(*(was - now for was, now in tested_on)))) if tested else (),
        tuple(
            Change(image, before[image][0], after[image][0])
            for image in sorted(both)
            if before[image][0] != after[image][0]
        ),
        tuple(one for one in head.corrections if one not in base.corrections) if cleaned else (),
        tuple(one for one in base.corrections if one not in head.corrections) if cleaned else (),
        sum(before[image][1] != after[image][1] for image in both),
        next(iter(changed({"classes": _classes(base)}, {"classes": _classes(head)})), None) if tested else None,
    )


def _named(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    return {f"{name}, {step}": count for (name, step), count in counts.items()}


def _classes(results: Results) -> list[str]:
    return [*next(iter(results.predictions.values())).classes]


def _cells(predictions: Mapping[str, Predictions]) -> dict[str, tuple[str, int]]:
    """Return label and fold of each cell that a model was tested on."""
    return {
        image: (p.classes[actual], int(fold))
        for p in predictions.values()
        for image, actual, fold in zip(p.images, p.actual, p.folds, strict=True)
    }


@dataclass(frozen=True)
class Retraining:
    """The networks that both revisions have, and that were trained anew for the head.

    Attributes:
        networks: how many.
        elsewhere: how many of them on another machine, which changes results too.
        machines: the first of these machines before and after, in words; None if there is none.
    """

    networks: int = 0
    elsewhere: int = 0
    machines: Change | None = None


def retraining(base: Results, head: Results) -> Retraining:
    """Compare when and where the networks were trained."""
    pairs = [(base.trained[key], one) for key, one in head.trained.items() if key in base.trained]
    retrained = [(before, after) for before, after in pairs if before.finished != after.finished]
    elsewhere = [
        Change("machine", _machine(before), _machine(after))
        for before, after in retrained
        if any(before.device[key] != after.device[key] for key in _DEVICE & before.device.keys() & after.device.keys())
    ]
    return Retraining(len(retrained), len(elsewhere), elsewhere[0] if elsewhere else None)


_DEVICE = {"processor", "features", "threads", "gpus"}  # a record may be older than one of these


def _machine(one: Training) -> str:
    values = [one.device.get("processor"), *_words(one, "gpus"), *_words(one, "features")]
    return ", ".join([*(str(value) for value in values if value), f"{one.device.get('threads', '?')} threads"])


def _words(one: Training, key: str) -> Sequence[str]:
    value = one.device.get(key)
    return value if isinstance(value, list) else ()


@dataclass(frozen=True)
class CodeChange:
    """A code file that differs: lines added and removed, and the stages that depend on it."""

    path: str
    added: int
    removed: int
    stages: tuple[str, ...]


CODE = ("bloodcells/", "stages/", "studies/", "datasets/", "tests/", ".ci/", ".dvc/", ".github/")
"""Folders of code: that of the pipeline, and that which checks it."""

AROUND = (
    "dvc.yaml",
    "requirements.txt",
    "requirements-dev.txt",
    "pyproject.toml",
    "Makefile",
    ".dvcignore",
    ".gitignore",
    ".gitattributes",
)
"""Files that matter as well: the pipeline, library versions, commands, and what is ignored."""

_NO_CODE = (".lock", ".md")


def code_changes(lines: Mapping[str, tuple[int, int]], stages: Mapping[str, Sequence[str]]) -> list[CodeChange]:
    """Return the code files among those that differ, with the stages that depend on them.

    Args:
        lines: for each file that differs, the lines added and removed.
        stages: for each stage, the files and folders that it depends on.
    """
    return [
        CodeChange(path, added, removed, tuple(name for name, deps in stages.items() if _within(path, deps)))
        for path, (added, removed) in lines.items()
        if (path.startswith(CODE) and not path.endswith(_NO_CODE)) or path in AROUND
    ]


def _within(path: str, deps: Sequence[str]) -> bool:
    """Return whether a path is, or is inside, one of the dependencies; these may have `*` for the data set."""
    return any(fnmatchcase(path, pattern) for dep in deps for pattern in (dep, f"{dep}/*"))


def differ(base: Results, head: Results) -> bool:
    """Return whether anything differs between two results, or can't be read."""
    return bool(base.unreadable or head.unreadable or changed(base.files, head.files))
