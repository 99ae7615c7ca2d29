"""Findings about two revisions, from which the page, its summary and the check are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bloodcells.cli.external_tests import ExternalScores
from bloodcells.cli.git import Revision
from bloodcells.cli.review.changes import (
    Change,
    CodeChange,
    DataChange,
    Retraining,
    changed,
    data_change,
    differ,
    retraining,
    side_by_side,
)
from bloodcells.cli.review.escape import distinct, named
from bloodcells.cli.review.lock_status import LockStatus
from bloodcells.cli.review.snapshot import Results, RunCheck, Snapshot
from bloodcells.cli.review.verdicts import Judgment, Verdict, accuracy_interval, moved, verdicts
from bloodcells.reporting.markdown import join


@dataclass(frozen=True)
class Picture:
    """A picture of the page: the link to its file, relative to the page and quoted, and its description."""

    link: str
    text: str


@dataclass(frozen=True)
class DatasetReview:
    """Findings about one data set.

    Attributes:
        name: of the data set.
        changed: whether any of its results differ.
        verdicts: on its models.
        moved: the largest change of a probability, over all models.
        data: how its data differ.
        metrics: for each metrics file all values, whether they differ or not.
        checks: those of the head.
        files: result files that differ.
        unchecked: why it is unknown whether the checks passed; empty if it is known, or never was.
        unreadable: why files can't be read.
        pictures: of what changed.
        committed: whether the head has any results of it.
        retraining: which of its networks were trained anew.
    """

    name: str
    changed: bool
    verdicts: Sequence[Verdict] = ()
    moved: float = 0.0
    data: DataChange = field(default_factory=DataChange)
    metrics: Mapping[str, Sequence[Change]] = field(default_factory=dict)
    checks: Sequence[RunCheck] = ()
    files: Sequence[str] = ()
    unchecked: str = ""
    unreadable: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    committed: bool = True
    retraining: Retraining = field(default_factory=Retraining)


@dataclass(frozen=True)
class ExternalChange:
    """An external test that differs: its folder, and its result at the base and at the head if there is one."""

    folder: str
    before: ExternalScores | None
    after: ExternalScores | None


@dataclass(frozen=True)
class Review:
    """Findings about a change.

    Attributes:
        base, head: the revisions.
        datasets: findings by data set.
        parameters: by file, the values that differ.
        pins: how the pins of the data differ, by their file.
        code: code files that differ.
        locks: how the lock files relate to the head.
        failures: why the check fails; empty if it passes.
        external: the external tests that differ.
    """

    base: Revision
    head: Revision
    datasets: Sequence[DatasetReview]
    parameters: Mapping[str, Sequence[Change]]
    pins: Mapping[str, Sequence[Change]]
    code: Sequence[CodeChange]
    locks: Sequence[LockStatus]
    failures: Sequence[str] = ()
    external: Sequence[ExternalChange] = ()

    @property
    def without_lock(self) -> list[str]:
        """The data sets whose results at the head belong to no lock file."""
        locked = {one.dataset for one in self.locks}
        return [one.name for one in self.datasets if one.committed and one.name not in locked]


def compare(base: Snapshot, head: Snapshot, resamples: int, seed: int) -> list[DatasetReview]:
    """Compare the results of every data set that either revision has, by name.

    Args:
        base: the earlier revision.
        head: the revision under review.
        resamples, seed: of the bootstrap intervals of the differences.
    """
    names = sorted(base.results.keys() | head.results.keys())
    return [_dataset(name, base.of(name), head.of(name), head.models, resamples, seed) for name in names]


def external_changes(base: Snapshot, head: Snapshot) -> list[ExternalChange]:
    """Return the external tests that differ."""
    return [
        ExternalChange(folder, base.external.get(folder), head.external.get(folder))
        for folder in sorted(base.external.keys() | head.external.keys())
        if base.external.get(folder) != head.external.get(folder)
    ]


def _dataset(
    name: str, base: Results, head: Results, models: Sequence[str], resamples: int, seed: int
) -> DatasetReview:
    broken = {Path(path) for path in (*base.unreadable, *head.unreadable)}
    unreadable = frozenset(path.stem for path in broken if path.parent.name == "predictions")
    both = base.predictions.keys() & head.predictions.keys()
    files = sorted(
        base.metrics.keys() | head.metrics.keys(),
        key=lambda file: (models.index(file) if file in models else len(models), file),
    )
    return DatasetReview(
        name,
        differ(base, head),
        verdicts(base.predictions, head.predictions, unreadable, models, resamples, seed, head.groups or base.groups),
        max((moved(base.predictions[model], head.predictions[model]) for model in both), default=0.0),
        data_change(base, head),
        {file: side_by_side(_metrics(base, file), _metrics(head, file)) for file in files},
        head.checks,
        [change.name for change in changed(base.files, head.files)],
        _unchecked(name, base, head),
        [*base.unreadable.values(), *head.unreadable.values()],
        committed=bool(head.files),
        retraining=retraining(base, head),
    )


def _metrics(results: Results, model: str) -> Mapping[str, float]:
    """Return the metrics of a model, with the Wilson interval of its accuracy where its predictions are known."""
    values, p = results.metrics.get(model, {}), results.predictions.get(model)
    if "accuracy" not in values or p is None:
        return values
    low, high = accuracy_interval(p, results.groups)
    return {**values, "accuracy_low": low, "accuracy_high": high}


def _unchecked(dataset: str, base: Results, head: Results) -> str:
    paths = [f"plots/{dataset}/{name}" for name in ("report/checks.csv", "checks.csv")]
    for path in paths:
        if path in head.unreadable:
            return head.unreadable[path]
    if not head.checks and (base.checks or any(path in base.unreadable for path in paths)):
        return f"{paths[0]} has no checks, and had some at the base: run `dvc repro`, and commit it"
    return ""


_FEW = 5  # files named in a reason

REASONS = ("worse", "stale", "checks")
"""What a review fails on if requested."""


def failures(review: Review, min_accuracy: float, requested: Sequence[str]) -> list[str]:
    """Return why the check fails; nothing if it passes.

    Args:
        review: the findings.
        min_accuracy: the lower bound of each model's accuracy (95 % Wilson interval) must reach it.
        requested: those of `REASONS` on which it fails as well.
    """
    why = []
    for one in review.datasets:
        for verdict in one.verdicts:
            which = f"{verdict.model} on {one.name}"
            if verdict.interval and verdict.interval[0] < min_accuracy:
                low = distinct(verdict.interval[0], min_accuracy)
                why.append(
                    f"{which}: the lower bound of its accuracy is {low}, below {min_accuracy} "
                    "(review.min_accuracy in params.yaml)"
                )
            if verdict.interval is None and verdict.judgment is Judgment.UNCOMPARABLE:
                why.append(f"{which}: its predictions can't be read")
            if "worse" in requested and verdict.judgment is Judgment.WORSE:
                why.append(f"{which} got worse")
        if "checks" in requested:
            why += [f"{one.name}: a check failed: {check.description}" for check in one.checks if not check.passed]
            if one.unchecked:
                why.append(f"{one.name}: it is unknown whether the checks passed: {one.unchecked}")
    if "stale" in requested:
        why += [reason for one in review.locks for reason in _not_current(one)]
        if not review.locks:
            why.append("there is no dvc.lock, so it is unknown what made the results")
        elif review.without_lock:
            why.append(
                f"no lock file belongs to the results of {join(review.without_lock)}, so it is unknown what made them: "
                "commit the dvc.lock of their run, or delete them"
            )
    return why


def _not_current(one: LockStatus) -> list[str]:
    what, why = f"the committed results of {one.dataset or one.lock}", []
    if one.failure:
        why.append(f"DVC can't tell whether {what} belong to {one.origin} ({one.lock}): {one.failure}")
    if one.stale:
        why.append(f"{what} don't belong to {one.origin} ({one.lock}): {one.remedy}")
    if one.missing:
        why.append(
            f"of {what} ({one.lock}) these are missing: {named(one.missing, _FEW)}: "
            f"restore them from the base, or {one.remedy}"
        )
    return why
