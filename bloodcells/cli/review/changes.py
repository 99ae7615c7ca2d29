"""What differs between two revisions, apart from the verdicts: parameters, data, metrics, code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bloodcells.cli.review.snapshot import Pin, Results, Row
from bloodcells.inference.predictions import Predictions

ABSENT = object()
"""In place of a value that a revision does not have."""

WHOLE = "*"
"""The name of the one change where a file came or went as a whole."""


@dataclass(frozen=True)
class Change:
    """A value at the base and at the head, `ABSENT` where there is none."""

    name: str
    before: Any
    after: Any


def side_by_side(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[Change]:
    """Give all values, in the order of the head, those that are gone at the end."""
    names = [*head, *(name for name in base if name not in head)]
    return [Change(name, base.get(name, ABSENT), head.get(name, ABSENT)) for name in names]


def changed(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[Change]:
    """Give the values that differ, in that order; 1, 1.0 and true are other values, as they are in YAML."""
    # as text, since so .nan is the same as itself, and types differ within lists too
    return [pair for pair in side_by_side(base, head) if repr(pair.before) != repr(pair.after)]


def parameter_changes(
    base: Mapping[str, Mapping[str, Any]], head: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[Change]]:
    """Give what differs in each file of parameters, that in the root first.

    A file that came or went is one change of the name `WHOLE`, so that keys which came or went are none.
    """
    files = sorted(base.keys() | head.keys(), key=lambda file: (file.count("/"), file))
    return {
        file: changed(base[file], head[file])
        if file in base and file in head
        else [Change(WHOLE, base.get(file, ABSENT), head.get(file, ABSENT))]
        for file in files
    }


def pin_changes(base: Pin | None, head: Pin | None) -> list[Change]:
    """Give what differs between two pins of the real data."""
    return changed(vars(base) if base else {}, vars(head) if head else {})


@dataclass(frozen=True)
class DataChange:
    """How the data of one data set differ.

    counts: of a class in a step. dropped and kept: rows that are dropped now and were not, and the reverse, as
    image, labels and reason. came and went: images of cells on which a model is tested now and was not, and the
    reverse. relabelled: images of cells with another label. moved: cells that are tested in another fold.
    """

    counts: tuple[Change, ...] = ()
    dropped: tuple[Row, ...] = ()
    kept: tuple[Row, ...] = ()
    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    relabelled: tuple[Change, ...] = ()
    moved: int = 0


def data_change(base: Results, head: Results) -> DataChange:
    """Compare the data behind two results, as their tables tell them; a first run changes nothing."""
    before, after = _cells(base.predictions), _cells(head.predictions)
    both_have = base.predictions.keys() & head.predictions.keys()
    tested_on = [({*base.predictions[model].images}, {*head.predictions[model].images}) for model in both_have]
    tested_on = tested_on or [({*before}, {*after})]  # no model is in both: all of one against all of the other
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
        sum(before[image][1] != after[image][1] for image in both),
    )


def _named(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    return {f"{name}, {step}": count for (name, step), count in counts.items()}


def _cells(predictions: Mapping[str, Predictions]) -> dict[str, tuple[str, int]]:
    """Give label and fold of each cell that a model was tested on."""
    return {
        image: (p.classes[actual], int(fold))
        for p in predictions.values()
        for image, actual, fold in zip(p.images, p.actual, p.folds, strict=True)
    }


@dataclass(frozen=True)
class CodeChange:
    """A file of code that differs: the lines that came and went, the stages that depend on it."""

    path: str
    came: int
    went: int
    stages: tuple[str, ...]


CODE = ("bloodcells/", "stages/", "original/", "studies/", "tests/", ".ci/", ".dvc/", ".github/")
"""Where code lies: that of the pipelines, and that by which they are checked."""

AROUND = ("dvc.yaml", "requirements.txt", "pyproject.toml", "Makefile", ".dvcignore", ".gitignore", ".gitattributes")
"""What decides besides: the pipeline, the versions of all libraries, how all is called, and what is looked at."""

_NO_CODE = (".lock", ".md")


def code_changes(lines: Mapping[str, tuple[int, int]], stages: Mapping[str, Sequence[str]]) -> list[CodeChange]:
    """Pick the files of code among those that differ, with the stages that they touch.

    Args:
        lines: for each file that differs the lines that came and went.
        stages: for each stage the paths on which it depends.
    """
    return [
        CodeChange(path, came, went, tuple(name for name, deps in stages.items() if path in deps))
        for path, (came, went) in lines.items()
        if (path.startswith(CODE) and not path.endswith(_NO_CODE)) or path in AROUND
    ]


def differ(base: Results, head: Results) -> bool:
    """Tell whether anything differs between two results, or could not be read."""
    return bool(base.unreadable or head.unreadable or changed(base.files, head.files))
