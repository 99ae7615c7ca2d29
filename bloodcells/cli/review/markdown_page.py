"""The review as GitHub's Markdown, which also reads well in a terminal."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bloodcells.cli.external_tests import ExternalScores
from bloodcells.cli.git import Revision
from bloodcells.cli.review.changes import ABSENT, WHOLE, Change, CodeChange, DataChange
from bloodcells.cli.review.escape import counted, figure, folded, named, points, probability, value
from bloodcells.cli.review.findings import DatasetReview, ExternalChange, Review
from bloodcells.cli.review.lock_status import LockStatus, Stale
from bloodcells.cli.review.snapshot import LabelChange
from bloodcells.cli.review.summary import summary
from bloodcells.cli.review.verdicts import SIGNS, Flip, Judgment, Verdict
from bloodcells.datasets.corrections import UNSURE
from bloodcells.evaluation.paired_tests import LEVEL
from bloodcells.reporting.markdown import code, interval, item, join, paragraph, plain, table

_FEW = 12  # rows of a table that are shown; with more, it is collapsed
_MOST = 50  # images named together, and rows of a table at most
_EXTERNAL = ("accuracy", "mean sensitivity", "coverage", "error rate of answers")
_COMMENT = 60_000  # bytes: GitHub allows 65,536 characters, and the workflow adds a few


def markdown(review: Review) -> str:
    """Return the page, its sections always in this order. Nothing in it depends on the machine or the time."""
    sections = {
        "Better or worse": (_verdicts(review.datasets), "No result changed."),
        "Parameters": (_parameters(review.parameters), "No change."),
        "Data": (_data(review), "No change."),
        "Metrics": (_metrics(review.datasets), "No change."),
        "External tests": (_external(review.external), ""),
        "Code": (_code(review.code), "No change."),
        "Do the committed results belong to this code?": (
            _locks(review.locks, review.without_lock),
            "There is no `dvc.lock`: it is unknown what made the results.",
        ),
        "Checks": (_checks(review.datasets), "No run has left a table of checks."),
        "Pictures": (_pictures(review.datasets), "None."),
    }
    blocks = [
        f"# Review: {_revision(review.head)} against {_revision(review.base)}",
        "\n".join(map(item, summary(review))),
    ]
    for title, (content, otherwise) in sections.items():
        if content or otherwise:
            blocks += [f"## {title}", *(content or [otherwise])]
    return "\n\n".join(blocks) + "\n"


def comment(page: str) -> str:
    """Return a page without its pictures, cut to the size of a comment on GitHub."""
    lines = [line for line in page.splitlines(keepends=True) if not line.startswith("![")]
    text = "".join(lines)
    if len(text.encode()) <= _COMMENT:
        return text
    kept, size = "", 0
    for line in lines:
        size += len(line.encode())
        if size > _COMMENT:
            break
        kept += line
    if kept.count("<details>") > kept.count("</details>"):
        kept += "\n</details>\n"
    return kept + "\n**Cut here**, because a comment can't be longer: the page of the run has the whole review.\n"


def _revision(which: Revision) -> str:
    if which.edited:
        return f"{which.name} on {code(which.short)}"
    named = not which.commit.startswith(which.name)
    name = which.name if " " in which.name else code(which.name)
    return code(which.short) + (f" ({name})" if named else "")


# ---- the sections: each returns its blocks, which an empty line separates


def _verdicts(datasets: Sequence[DatasetReview]) -> list[str]:
    blocks = []
    for one in datasets:
        if not one.changed:
            continue
        cells = sorted({verdict.compared.cells for verdict in one.verdicts if verdict.compared})
        many = " to ".join(map(str, cells[:1] + cells[1:][-1:]))
        blocks.append(f"**{plain(one.name)}**" + (f", on the {many} cells that both predicted:" if cells else ":"))
        if one.verdicts:
            blocks.append(_verdict_table(one.verdicts))
        blocks += [paragraph(note) for note in _notes(one)]
        blocks += _on_relabeled(one.verdicts)
        blocks += [_flips(one.name, verdict) for verdict in one.verdicts if verdict.fixed or verdict.broken]
        if one.files:
            differ = f"{counted(len(one.files), 'file')} of results {'differs' if len(one.files) == 1 else 'differ'}"
            blocks.append(folded(f"{one.name}: {differ}", paragraph(_images(one.files))))
    if tested := [verdict.compared for one in datasets for verdict in one.verdicts if _is_tested(verdict)]:
        tests = " or ".join(sorted({compared.test for compared in tested if compared}))
        blocks.append(
            paragraph(
                "Points: accuracy of the head minus that of the base on those cells, in percentage points, with the "
                f"bootstrap interval. p: {tests}, after Holm's correction for the models whose predictions "
                f"changed; below {LEVEL} is better or worse. Flipped: cells now correct (+), now wrong (−)."
            )
        )
    return blocks


def _is_tested(verdict: Verdict) -> bool:
    return verdict.compared is not None and verdict.judgment is not Judgment.SAME


def _verdict_table(verdicts: Sequence[Verdict]) -> str:
    head, rows = (
        ["model", "verdict"],
        [[plain(one.model), f"{SIGNS[one.judgment]} {one.judgment}"] for one in verdicts],
    )
    if any(map(_is_tested, verdicts)):
        head += ["points (95 % interval)", "p", "flipped"]
        rows = [row + _compared(verdict) for row, verdict in zip(rows, verdicts, strict=True)]
    return table(head, rows, names=2)


def _compared(verdict: Verdict) -> list[str]:
    one = verdict.compared
    if one is None or verdict.judgment is Judgment.SAME:
        return ["", "", ""]
    difference = f"{points(one.difference)} ({points(one.low)} to {points(one.high)})"
    return [difference, probability(one.p), f"+{one.only_second} −{one.only_first}"]


def _notes(one: DatasetReview) -> list[str]:
    notes = []
    compared = [verdict for verdict in one.verdicts if verdict.compared]
    if len({(verdict.added, verdict.removed) for verdict in compared}) > 1:  # otherwise the section on data has it
        notes += [
            f"**{plain(verdict.model)}** is tested on other cells than at the base: {verdict.added} more and "
            f"{verdict.removed} fewer."
            for verdict in compared
            if verdict.added or verdict.removed
        ]
    if one.moved and all(verdict.judgment is Judgment.SAME for verdict in one.verdicts):
        notes.append(f"No prediction changed; probabilities changed by at most {one.moved:.4f}.")
    return notes + [plain(why) for why in one.unreadable]


def _on_relabeled(verdicts: Sequence[Verdict]) -> list[str]:
    """Return what new labels did to each model: a comparison of models is on the cells whose label is the same."""
    changed = [verdict for verdict in verdicts if verdict.relabeled]
    if not changed:
        return []
    rows, gains, rises = [], [], False
    for one in changed:
        old, new, head = one.relabeled_correct
        rows.append([plain(one.model), *(f"{correct} of {one.relabeled}" for correct in (old, new, head))])
        cells = one.relabeled + (one.compared.cells if one.compared else 0)
        rises = rises or new > old
        gains.append(f"{plain(one.model)} {points((new - old) / cells)}")
    most = max(one.relabeled for one in changed)
    return [
        paragraph(f"Left out above: {counted(most, 'cell')} with another label than at the base. Correct among these:"),
        table(["model", "base, old labels", "base, new labels", "head, new labels"], rows),
        paragraph(
            f"With the new labels alone, the base's accuracy on the cells of both changes by {join(gains)} points."
            + (" If only labels that models contradict were read again, it rises by construction." if rises else "")
        ),
    ]


def _flips(dataset: str, verdict: Verdict) -> str:
    lines = _kinds("now correct", verdict.fixed, "before", lambda flip: flip.before)
    lines += _kinds("now wrong", verdict.broken, "now", lambda flip: flip.after)
    title = f"{verdict.model} on {dataset}: {len(verdict.fixed)} now correct, {len(verdict.broken)} now wrong"
    return folded(title, "\n".join(map(item, lines)))


def _kinds(what: str, flips: Sequence[Flip], when: str, wrong: Callable[[Flip], str]) -> list[str]:
    """Return the cells that flipped, grouped by confusion, the most frequent one first."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for flip in flips:
        kinds.setdefault((flip.label, wrong(flip)), []).append(flip.image)
    return [
        f"**{what}** ({len(images)}), {label} predicted as {other} {when}: {_images(images)}"
        for (label, other), images in sorted(kinds.items(), key=lambda kind: (-len(kind[1]), kind[0]))
    ]


def _parameters(by_file: Mapping[str, Sequence[Change]]) -> list[str]:
    blocks: list[str] = []
    shown: list[Sequence[Change]] = []
    for file, changes in by_file.items():
        if changes and changes[0].name == WHOLE:
            blocks.append(f"{code(file)} is {'new' if changes[0].before is ABSENT else 'removed'}.")
        elif changes and changes in shown:
            blocks.append(f"The same in {code(file)}.")
        elif changes:
            blocks += [f"{code(file)}:", _changes("parameter", changes)]
            shown.append(changes)
    return blocks


def _data(review: Review) -> list[str]:
    blocks: list[str] = []
    for file, pinned in review.pins.items():
        blocks += [f"The pin in {code(file)} changed:", _changes("pin", pinned)]
    for one in review.datasets:
        changes = _of_data(one.data)
        blocks += [f"**{plain(one.name)}**:", *changes] if changes else []
    return blocks


def _of_data(data: DataChange) -> list[str]:
    blocks = []
    if data.classes:
        before, after = (join([*map(plain, names)]) for names in (data.classes.before, data.classes.after))
        blocks.append(paragraph(f"The classes were {before}, and are now {after}: the models can't be compared."))
    if data.counts:
        blocks.append(
            _long(f"{counted(len(data.counts), 'count')} changed", _changes("cells", data.counts), data.counts)
        )
    for what, images in (("tested now and not before", data.added), ("no longer tested", data.removed)):
        if images:
            blocks.append(folded(f"{counted(len(images), 'cell')} {what}", paragraph(_images(images))))
    for what, rows in (("dropped now and not before", data.dropped), ("no longer dropped", data.kept)):
        if rows:
            cells = [[code(image), plain(labels), plain(reason)] for image, labels, reason in rows]
            block = _first(["image", "labels", "reason"], cells, names=3)
            blocks.append(folded(f"{counted(len(rows), 'row')} {what}", block))
    for title, corrections in (("corrected", data.corrections), ("no longer corrected", data.withdrawn)):
        blocks += _corrections(title, corrections)
    corrected = {one.image for one in (*data.corrections, *data.withdrawn)}
    if others := [one for one in data.relabeled if one.name not in corrected]:
        title = f"{counted(len(others), 'cell')} with another label"
        blocks += [f"{title}:", _long(title, _changes("image", others), others)]
    if data.moved:
        blocks.append(f"{counted(data.moved, 'cell')} tested in another fold.")
    return blocks


def _corrections(title: str, found: Sequence[LabelChange]) -> list[str]:
    """Return the labels that readers changed, and the cells that they are unsure about, which keep their label."""
    blocks = []
    certain = [one for one in found if one.new != UNSURE]
    unsure = [code(one.image) for one in found if one.new == UNSURE]
    if certain:
        title = f"{counted(len(certain), 'label')} {title}"
        rows = [[code(one.image), *map(plain, (one.old, one.new, one.reader, one.note))] for one in certain]
        head = ["image", "old", "new", "reader", "note"]
        blocks += [f"{title}:", _long(title, _first(head, rows, names=5), rows)]
    if unsure:
        blocks.append(paragraph(f"Readers are unsure about {counted(len(unsure), 'cell')}: {named(unsure, _MOST)}."))
    return blocks


def _metrics(datasets: Sequence[DatasetReview]) -> list[str]:
    blocks = []
    for one in datasets:
        rows = {name: _figures(figures) for name, figures in one.metrics.items()}
        tables = [table([plain(name), "base", "head", "Δ"], changed) for name, changed in rows.items() if changed]
        blocks += [f"**{plain(one.name)}**:", *tables] if tables else []
    return blocks


def _figures(figures: Sequence[Change]) -> list[list[str]]:
    """Return a row per metric that differs, with its interval if it has one (its name with _low and _high)."""
    base = {one.name: one.before for one in figures}
    head = {one.name: one.after for one in figures}
    bounds = {f"{name}_{end}" for name in head for end in ("low", "high")}
    rows = [
        [plain(name.replace("_", " ")), _figure(base, name), _figure(head, name), _delta(base[name], head[name])]
        for name in head
        if name not in bounds
    ]
    return [row for row in rows if row[1] != row[2] or row[3].strip("+−0.")]


def _figure(figures: Mapping[str, Any], name: str) -> str:
    low, high = (figures.get(f"{name}_{end}", ABSENT) for end in ("low", "high"))
    return figure(figures[name]) if ABSENT in (low, high, figures[name]) else interval(figures[name], low, high)


def _delta(before: Any, after: Any) -> str:
    if ABSENT in (before, after):
        return ""
    return f"{after - before:+.4f}".replace("-", "−")


def _external(changes: Sequence[ExternalChange]) -> list[str]:
    rows = []
    for one in changes:
        for number, score in enumerate(_EXTERNAL):
            both = [_external_score(side, score) for side in (one.before, one.after)]
            rows.append([code(one.folder) if not number else "", score, *both])
    return [table(["test", "score", "base", "head"], rows, names=2)] if rows else []


def _external_score(test: ExternalScores | None, score: str) -> str:
    """Return a score with its interval, and whether the target error rate is kept."""
    if test is None or score not in test.scores:
        return "none" if test is None else "unknown"
    kept = f", target: {plain(test.kept[score])}" if score in test.kept else ""
    return ("none" if math.isnan(test.scores[score][0]) else interval(*test.scores[score])) + kept


def _code(changes: Sequence[CodeChange]) -> list[str]:
    if not changes:
        return []
    rows = [
        [code(one.path), f"+{one.added} −{one.removed}", join([*map(plain, one.stages)]) or "none"] for one in changes
    ]
    return [_long(f"{len(rows)} files changed", _first(["file", "lines", "stages that use it"], rows, names=3), rows)]


def _locks(locks: Sequence[LockStatus], without_lock: Sequence[str]) -> list[str]:
    blocks = []
    for one in locks:
        name = f"**{plain(one.dataset or 'unknown')}** ({code(one.lock)})"
        if one.missing:
            blocks.append(paragraph(f"{name}: **missing**, although git should have them: {_images(one.missing)}"))
        elif one.failure:
            blocks.append(paragraph(f"{name}: DVC can't tell: {plain(one.failure)}"))
        elif one.kept and one.current:
            made_by = f"commit {code(one.made_by)}" if one.made_by else "an unknown commit"
            blocks.append(paragraph(f"{name}: a kept run, made by {made_by}. Its code may be older."))
        elif one.current:
            blocks.append(f"{name}: yes.")
        if one.stale:
            what = "Results of these stages were changed" if one.kept else "These stages would run again"
            blocks.append(paragraph(f"{name}: **no**. {what}:"))
            blocks.append("\n".join(map(item, _stale(one.stale))))
    if locks and without_lock:
        names = join([*map(plain, without_lock)])
        blocks.append(paragraph(f"No lock file belongs to {names}: it is unknown what made those results."))
    return blocks


def _stale(stages: Sequence[Stale]) -> list[str]:
    """Return the stages with what changed for them, those of one module with the same reasons together."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in stages:
        groups.setdefault((one.stage.partition("@")[0], one.reasons), []).append(one.stage)
    return [
        f"{join([*map(plain, names)]) if len(names) <= 3 else f'{plain(stage)} ({len(names)} stages)'}: "
        f"{', '.join(map(plain, reasons)) or 'because of those above'}"
        for (stage, reasons), names in groups.items()
    ]


def _checks(datasets: Sequence[DatasetReview]) -> list[str]:
    blocks = []
    for one in datasets:
        if one.unchecked:
            blocks.append(paragraph(f"**{plain(one.name)}**: {plain(one.unchecked)}"))
        failed = [check for check in one.checks if not check.passed]
        if failed:
            blocks.append(f"**{plain(one.name)}**: {len(failed)} of {len(one.checks)} **failed**:")
            blocks.append(
                "\n".join(
                    item(f"{plain(check.description)}: found {plain(check.value)}, allowed {plain(check.allowed)}")
                    for check in failed
                )
            )
        elif one.checks:
            rows = [[plain(check.description), plain(check.value), plain(check.allowed)] for check in one.checks]
            blocks.append(folded(f"{one.name}: all {len(rows)} passed", table(["check", "found", "allowed"], rows)))
    return blocks


def _pictures(datasets: Sequence[DatasetReview]) -> list[str]:
    return [f"![{plain(picture.text)}]({picture.link})" for one in datasets for picture in one.pictures]


# ---- parts of sections


def _changes(what: str, changes: Sequence[Change]) -> str:
    rows = [[code(one.name), value(one.before), value(one.after)] for one in changes]
    return _first([what, "base", "head"], rows, names=1)


def _first(head: Sequence[str], rows: Sequence[Sequence[str]], names: int) -> str:
    """Return a table of the first rows, and how many more there are."""
    shown = table(head, rows[:_MOST], names=names)
    return shown + (f"\n\nand {len(rows) - _MOST} more" if len(rows) > _MOST else "")


def _images(names: Sequence[str]) -> str:
    return named([*map(code, names)], _MOST)


def _long(title: str, block: str, rows: Sequence[object]) -> str:
    """Collapse a block that has many rows."""
    return folded(title, block) if len(rows) > _FEW else block
