"""The first lines of the page: what a reviewer reads in ten seconds."""

from collections.abc import Mapping, Sequence

from bloodcells.cli.review.changes import ABSENT, WHOLE, Change, CodeChange, DataChange
from bloodcells.cli.review.escape import counted, named, points, value
from bloodcells.cli.review.findings import DatasetReview, ExternalChange, Review
from bloodcells.cli.review.lock_status import LockStatus
from bloodcells.cli.review.verdicts import SIGNS, Judgment, Verdict
from bloodcells.reporting.markdown import code, join, plain

_STRONG = (Judgment.WORSE, Judgment.BETTER)
_FEW = 3


def summary(review: Review) -> list[str]:
    """Return the lines: the verdicts by data set, what changed, and what is wrong."""
    lines = [f"**{plain(one.name)}**: {_verdicts(one)}." for one in review.datasets]
    if not lines:
        lines = ["There are no committed results under `metrics/`."]
    what = [*_parameters(review.parameters), *_data(review), *_code(review.code)]
    lines.append(f"**Changed**: {'; '.join(what) or 'no parameter, no data, no code'}.")
    if review.external:
        lines.append(f"**External tests**: {_external(review.external)}.")
    lines += [_retrained(one) for one in review.datasets if one.retraining.networks]
    lines += _locks(review.locks, review.without_lock)
    for one in review.datasets:
        if one.unchecked:
            lines.append(f"**Checks**: unknown for {plain(one.name)}.")
        failed = sum(not check.passed for check in one.checks)
        if failed:
            lines.append(f"**Checks**: {failed} of {len(one.checks)} failed on {plain(one.name)}.")
    return lines + [f"**Fails**: {plain(why)}." for why in review.failures]


def _external(changes: Sequence[ExternalChange]) -> str:
    counts = {
        "new": sum(one.before is None for one in changes),
        "removed": sum(one.after is None for one in changes),
        "changed": sum(one.before is not None and one.after is not None for one in changes),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _retrained(one: DatasetReview) -> str:
    """Return what was trained anew, and where: another machine changes results too, if parameters and code do not."""
    found = one.retraining
    text = f"**Retrained**: {counted(found.networks, 'network')} of {plain(one.name)}"
    if not found.machines:
        return f"{text}, on the same machine."
    which = "" if found.elsewhere == found.networks else f"{found.elsewhere} of them "
    return f"{text}, {which}on another machine ({plain(found.machines.before)} → {plain(found.machines.after)})."


def _locks(locks: Sequence[LockStatus], without_lock: Sequence[str]) -> list[str]:
    def of(which: Sequence[LockStatus]) -> str:
        return f"the committed results of {join(list(dict.fromkeys(code(one.dataset or one.lock) for one in which)))}"

    lines = []
    for origin in dict.fromkeys(one.origin for one in locks):
        if stale := [one for one in locks if one.stale and one.origin == origin]:
            lines.append(f"**Stale**: {of(stale)} don't belong to {origin}.")
    if unknown := [one for one in locks if one.failure]:
        lines.append(f"**Unknown**: DVC can't tell whether {of(unknown)} belong to this code.")
    if missing := [one for one in locks if one.missing]:
        paths = [code(path) for one in missing for path in one.missing]
        lines.append(f"**Missing**: of {of(missing)}: {named(paths, _FEW)}.")
    if locks and without_lock:
        lines.append(f"**No lock**: no lock file belongs to the results of {join([*map(code, without_lock)])}.")
    if locks and not lines:
        lines.append("**Up to date**: the committed results belong to this code.")
    for one in locks:
        if one.kept and one.current:
            lines.append(f"**Kept run**: {of([one])} were made by {_commit(one)}.")
    return lines


def _commit(one: LockStatus) -> str:
    return f"commit {code(one.made_by)}" if one.made_by else "an unknown commit"


def _verdicts(one: DatasetReview) -> str:
    """Return the judgments of all models, the most important ones first."""
    if not one.changed:
        return "no result changed"
    models: dict[Judgment, list[str]] = {}
    for verdict in one.verdicts:
        models.setdefault(verdict.judgment, []).append(_model(verdict))
    order = sorted(models, key=[*_STRONG, *(other for other in Judgment if other not in _STRONG)].index)
    return "; ".join(f"{join(models[judgment])} {_judgment(judgment)}" for judgment in order) or "no predictions"


def _model(verdict: Verdict) -> str:
    if verdict.compared and verdict.judgment in _STRONG:
        return f"{plain(verdict.model)} ({points(verdict.compared.difference)} points)"
    return plain(verdict.model)


def _judgment(judgment: Judgment) -> str:
    text = f"{SIGNS[judgment]} {judgment}"
    return f"**{text}**" if judgment in _STRONG else text


def _parameters(by_file: Mapping[str, Sequence[Change]]) -> list[str]:
    """Name parameters of the root one by one if they are few, and count those of kept runs."""
    texts: list[str] = []
    for file, changes in by_file.items():
        if changes and changes[0].name == WHOLE:
            texts.append(f"{code(file)} is {'new' if changes[0].before is ABSENT else 'removed'}")
        elif changes and file != "params.yaml":
            texts.append(f"{counted(len(changes), 'parameter')} of {code(file)}")
        elif len(changes) > _FEW:
            texts.append(counted(len(changes), "parameter"))
        else:
            texts += [f"{code(one.name)} {value(one.before)} → {value(one.after)}" for one in changes]
    return texts


def _data(review: Review) -> list[str]:
    texts = [f"the pin {code(file)}" for file in review.pins]
    for one in review.datasets:
        parts = [
            f"{does} {join(amounts)}"
            for does, figures in _of_data(one.data).items()
            if (amounts := [f"{counted(number, what)} {how}" for number, what, how in figures if number])
        ]
        texts += [f"{plain(one.name)} {join(parts)}"] if parts else []
    return texts


def _of_data(data: DataChange) -> dict[str, list[tuple[int, str, str]]]:
    """Return what changed in a data set, as numbers of things; zeros are left out later."""
    return {
        "is tested on": [(len(data.added), "cell", "more"), (len(data.removed), "cell", "fewer")],
        "has": [
            (len(data.new_labels), "cell", "relabeled"),
            (data.moved, "cell", "in another fold"),
            (len(data.counts), "count", "changed"),
        ],
        "drops": [(len(data.dropped), "row", "more"), (len(data.kept), "row", "fewer")],
    }


def _code(changes: Sequence[CodeChange]) -> list[str]:
    if not changes:
        return []
    touched = list(dict.fromkeys(name for one in changes for name in one.stages))
    return [f"{counted(len(changes), 'code file')}" + (f", used by {join([*map(plain, touched)])}" if touched else "")]
