"""The first lines of the page: what a reviewer reads in ten seconds."""

from collections.abc import Mapping, Sequence

from bloodcells.cli.review.changes import ABSENT, WHOLE, Change, CodeChange, DataChange
from bloodcells.cli.review.escape import code, counted, named, plain, points, value
from bloodcells.cli.review.findings import DatasetReview, Review
from bloodcells.cli.review.lock_status import Freshness
from bloodcells.cli.review.verdicts import SIGNS, Judgement, Verdict
from bloodcells.reporting.markdown import listed

_STRONG = (Judgement.WORSE, Judgement.BETTER)
_FEW = 3


def summary(review: Review) -> list[str]:
    """Give the lines: the verdicts of each data set, what was changed, what is wrong."""
    lines = [f"**{plain(one.name)}**: {_verdicts(one)}." for one in review.datasets]
    if not lines:
        lines = ["No results are committed: there is nothing under `metrics/`."]
    what = [*_parameters(review.parameters), *_data(review), *_code(review.code)]
    lines.append(f"**Changed**: {'; '.join(what) or 'no parameter, no data, no code'}.")
    lines += _freshness(review.freshness, review.untraced)
    for one in review.datasets:
        if one.unguarded:
            lines.append(f"**Guards**: nothing says whether they hold on {plain(one.name)}.")
        failing = sum(not guard.holds for guard in one.guards)
        if failing:
            lines.append(f"**Guards**: {failing} of {len(one.guards)} fail on {plain(one.name)}.")
    return lines + [f"**Fails**: {plain(why)}." for why in review.failures]


def _freshness(freshness: Sequence[Freshness], untraced: Sequence[str]) -> list[str]:
    def of(which: Sequence[Freshness]) -> str:
        return f"the committed results of {listed(list(dict.fromkeys(code(one.dataset or one.lock) for one in which)))}"

    lines = []
    if stale := [one for one in freshness if one.stale]:
        lines.append(f"**Stale**: {of(stale)} are not those of this code.")
    if untold := [one for one in freshness if one.failure]:
        lines.append(f"**Unknown**: DVC can't tell whether {of(untold)} are those of this code.")
    if lost := [one for one in freshness if one.lost]:
        paths = [code(path) for one in lost for path in one.lost]
        lines.append(f"**Lost**: of {of(lost)} these are not there: {named(paths, _FEW)}.")
    if freshness and untraced:
        lines.append(f"**Untraced**: no lock file is of the results of {listed([*map(code, untraced)])}.")
    if freshness and not lines:
        lines.append("**Up to date**: the committed results are those of this code.")
    return lines


def _verdicts(one: DatasetReview) -> str:
    """Tell the judgements of all models, those that matter most first."""
    if not one.changed:
        return "no result changed"
    models: dict[Judgement, list[str]] = {}
    for verdict in one.verdicts:
        models.setdefault(verdict.judgement, []).append(_model(verdict))
    order = sorted(models, key=[*_STRONG, *(other for other in Judgement if other not in _STRONG)].index)
    return "; ".join(f"{listed(models[judgement])} {_judgement(judgement)}" for judgement in order) or "no predictions"


def _model(verdict: Verdict) -> str:
    if verdict.compared and verdict.judgement in _STRONG:
        return f"{plain(verdict.model)} ({points(verdict.compared.difference)} points)"
    return plain(verdict.model)


def _judgement(judgement: Judgement) -> str:
    text = f"{SIGNS[judgement]} {judgement}"
    return f"**{text}**" if judgement in _STRONG else text


def _parameters(by_file: Mapping[str, Sequence[Change]]) -> list[str]:
    """Tell those in the root one by one if they are few, and of each kept run how many."""
    told: list[str] = []
    for file, changes in by_file.items():
        if changes and changes[0].name == WHOLE:
            told.append(f"{code(file)} is {'new' if changes[0].before is ABSENT else 'gone'}")
        elif changes and file != "params.yaml":
            told.append(f"{counted(len(changes), 'parameter')} of {code(file)}")
        elif len(changes) > _FEW:
            told.append(counted(len(changes), "parameter"))
        else:
            told += [f"{code(one.name)} {value(one.before)} → {value(one.after)}" for one in changes]
    return told


def _data(review: Review) -> list[str]:
    told = ["the pin of the real data"] if review.pin else []
    for one in review.datasets:
        parts = [
            f"{does} {listed(amounts)}"
            for does, figures in _of_data(one.data).items()
            if (amounts := [f"{counted(number, what)} {how}" for number, what, how in figures if number])
        ]
        told += [f"{plain(one.name)} {listed(parts)}"] if parts else []
    return told


def _of_data(data: DataChange) -> dict[str, list[tuple[int, str, str]]]:
    """Give what is said of a data set, each with how many of what it is true; of none nothing is said."""
    return {
        "is tested on": [(len(data.came), "cell", "more"), (len(data.went), "cell", "fewer")],
        "has": [
            (len(data.relabelled), "cell", "relabelled"),
            (data.moved, "cell", "in another fold"),
            (len(data.counts), "count", "changed"),
        ],
        "drops": [(len(data.dropped), "row", "more"), (len(data.kept), "row", "fewer")],
    }


def _code(changes: Sequence[CodeChange]) -> list[str]:
    if not changes:
        return []
    touched = list(dict.fromkeys(name for one in changes for name in one.stages))
    return [
        f"{counted(len(changes), 'file')} of code" + (f", used by {listed([*map(plain, touched)])}" if touched else "")
    ]
