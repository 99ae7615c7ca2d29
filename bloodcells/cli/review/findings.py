"""What a review finds out about two revisions, in the form that the page, its summary and the check share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bloodcells.cli.git import Revision
from bloodcells.cli.review.changes import Change, CodeChange, DataChange, changed, data_change, differ, side_by_side
from bloodcells.cli.review.escape import beside, named
from bloodcells.cli.review.lock_status import Freshness
from bloodcells.cli.review.snapshot import Guard, Results, Snapshot
from bloodcells.cli.review.verdicts import Judgement, Verdict, moved, verdicts
from bloodcells.reporting.markdown import listed


@dataclass(frozen=True)
class Picture:
    """A picture of the page: the link to its file, relative to the page and quoted, and what it shows."""

    link: str
    text: str


@dataclass(frozen=True)
class DatasetReview:
    """What was found about one data set.

    changed: whether anything of its results differs. moved: the largest change of a probability, in all models.
    metrics: for each file of metrics its figures, those that differ and the others. guards: those of the head.
    files: all files of results that differ. unguarded: why nothing says whether the guards hold, empty where it is
    known or never was. unreadable: why a file could not be read.
    committed: whether the head has any results of it.
    """

    name: str
    changed: bool
    verdicts: Sequence[Verdict] = ()
    moved: float = 0.0
    data: DataChange = field(default_factory=DataChange)
    metrics: Mapping[str, Sequence[Change]] = field(default_factory=dict)
    guards: Sequence[Guard] = ()
    files: Sequence[str] = ()
    unguarded: str = ""
    unreadable: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    committed: bool = True


@dataclass(frozen=True)
class Review:
    """What was found about a change.

    parameters: by file, the values that differ. failures: why the check fails; nothing where it passes.
    """

    base: Revision
    head: Revision
    datasets: Sequence[DatasetReview]
    parameters: Mapping[str, Sequence[Change]]
    pin: Sequence[Change]
    code: Sequence[CodeChange]
    freshness: Sequence[Freshness]
    failures: Sequence[str] = ()

    @property
    def untraced(self) -> list[str]:
        """The data sets whose results at the head no lock file is of."""
        locked = {one.dataset for one in self.freshness}
        return [one.name for one in self.datasets if one.committed and one.name not in locked]


def compare(base: Snapshot, head: Snapshot, resamples: int, seed: int) -> list[DatasetReview]:
    """Compare the results of every data set that one of two revisions has, by name.

    Args:
        base: the revision that was.
        head: the revision that is reviewed.
        resamples: how many resamples the intervals of the differences are made of.
        seed: of these resamples.
    """
    names = sorted(base.results.keys() | head.results.keys())
    return [_dataset(name, base.of(name), head.of(name), head.models, resamples, seed) for name in names]


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
        verdicts(base.predictions, head.predictions, unreadable, models, resamples, seed),
        max((moved(base.predictions[model], head.predictions[model]) for model in both), default=0.0),
        data_change(base, head),
        {file: side_by_side(base.metrics.get(file, {}), head.metrics.get(file, {})) for file in files},
        head.guards,
        [change.name for change in changed(base.files, head.files)],
        _unguarded(f"plots/{name}/checks.csv", base, head),
        [*base.unreadable.values(), *head.unreadable.values()],
        committed=bool(head.files),
    )


def _unguarded(path: str, base: Results, head: Results) -> str:
    if path in head.unreadable:
        return head.unreadable[path]
    if not head.guards and (base.guards or path in base.unreadable):
        return f"{path} tells of no guard, and did at the base: run `dvc repro`, and commit it"
    return ""


_FEW = 5  # so many files are named in a reason

REASONS = ("worse", "stale", "guards")
"""For what a review fails if it is asked to."""


def failures(review: Review, min_accuracy: float, asked: Sequence[str]) -> list[str]:
    """Say why the check fails; nothing where it passes.

    Args:
        review: what was found.
        min_accuracy: below it no model's accuracy may lie with the lower end of its 95 % Wilson interval.
        asked: those of `REASONS` for which it fails too.
    """
    why = []
    for one in review.datasets:
        for verdict in one.verdicts:
            which = f"{verdict.model} on {one.name}"
            if verdict.interval and verdict.interval[0] < min_accuracy:
                low = beside(verdict.interval[0], min_accuracy)
                why.append(
                    f"{which}: the lower end of its accuracy's interval is {low}, below {min_accuracy} "
                    "(review.min_accuracy in params.yaml)"
                )
            if verdict.interval is None and verdict.judgement is Judgement.UNCOMPARABLE:
                why.append(f"{which}: its predictions can't be read")
            if "worse" in asked and verdict.judgement is Judgement.WORSE:
                why.append(f"{which} got worse")
        if "guards" in asked:
            why += [f"{one.name}: a guard fails: {guard.what}" for guard in one.guards if not guard.holds]
            if one.unguarded:
                why.append(f"{one.name}: nothing says whether the guards hold: {one.unguarded}")
    if "stale" in asked:
        why += [reason for one in review.freshness for reason in _not_current(one)]
        if not review.freshness:
            why.append("there is no dvc.lock, so nothing says what the results were made of")
        elif review.untraced:
            why.append(
                f"no lock file is of the results of {listed(review.untraced)}, so nothing says what they were made of: "
                "commit the dvc.lock of their run, or delete them"
            )
    return why


def _not_current(one: Freshness) -> list[str]:
    what, why = f"the committed results of {one.dataset or one.lock}", []
    if one.failure:
        why.append(f"DVC can't tell whether {what} are those of this code ({one.lock}): {one.failure}")
    if one.stale:
        why.append(f"{what} are not those of this code ({one.lock}): {one.remedy}")
    if one.lost:
        why.append(
            f"of {what} ({one.lock}) these are not there: {named(one.lost, _FEW)}: "
            f"bring them back from the base, or {one.remedy}"
        )
    return why
