"""The report of an import, for a person: what was found, what is left out, what to look at."""

import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from bloodcells.cli.importing.planning import Plan
from bloodcells.cli.importing.scanning import ImageFile, Scan

WIDTH = 96
_SHOWN = 3


def format_report(scan: Scan, plan: Plan) -> str:
    """Return the report, in sections of lines."""
    sections = {
        "Images": _images(scan, plan),
        "Labels": [(key, text) for key, _, text in (fact.partition(": ") for fact in plan.facts)],
        "Cells": _cells(plan),
        "Parameters": [(key, f"{value}  {plan.reasons[key]}") for key, value in plan.record["parameters"].items()],
    }
    others = len(scan.tables) + len(scan.annotations) + len(scan.others)
    lines = [f"{scan.folder}: {len(scan.images)} images, {others} other file{'s' * (others != 1)}", ""]
    for title, entries in sections.items():
        listed = list(entries)
        width = max((len(key) for key, _ in listed), default=0)
        if listed:
            lines += [title, *(line for key, text in listed for line in _wrap(f"  {key:{width}}  ", text)), ""]
    if plan.remarks:
        lines += ["Please look at", *(line for remark in plan.remarks for line in _wrap("  - ", remark)), ""]
    return "\n".join(lines)


def _wrap(start: str, text: str) -> list[str]:
    """Break a text into lines that begin below one another."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,
        break_long_words=False,
    )


def _images(scan: Scan, plan: Plan) -> Iterator[tuple[str, str]]:
    folder = plan.record["images"]["folder"]
    kinds = Counter(image.suffix[1:].upper() for image in plan.images)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    yield "used", f"{listed}; {_sizes(plan.images)}" + ("" if folder == "." else f"; in {folder}")
    if plan.record["images"].get("range"):
        yield (
            "16 bits",
            f"values from {plan.record['images']['range'][0]} to {plan.record['images']['range'][1]} are used",
        )
    if plan.masks:
        yield "masks", f"{len(plan.masks)} left out, such as {plan.masks[0].name}: few colors"
    if plan.unlabeled:
        yield "without label", f"{len(plan.unlabeled)} left out: {_some(plan.unlabeled)}"
    problems = defaultdict(list)
    for image in plan.broken:
        problems[image.problem].append(image.name)
    for problem, names in problems.items():
        yield "not usable", f"{len(names)} left out: {_some(names)} {problem}"
    others = [name for name in (*scan.tables, *scan.annotations, *scan.others) if name not in plan.files]
    if others:
        yield "other files", f"{len(others)} left out: {_some(others)}"
    for reason, names in scan.skipped.items():
        yield "skipped", f"{_some(names)}: {reason}"


def _cells(plan: Plan) -> Iterator[tuple[str, str]]:
    kept = sum(plan.counts.values())
    width = len(str(kept))
    for name, count in plan.counts.items():
        labels = [label for label, target in plan.record.get("label_map", {}).items() if target == name]
        yield name, f"{count:{width}}" + (f"  labeled {', '.join(labels)}" if labels else "")
    for label, count in plan.dropped.items():
        yield label, f"{count:{width}}  dropped" + (f": {plan.reasons[label]}" if label in plan.reasons else "")
    yield "in all", f"{kept:{width}}  kept of {kept + sum(plan.dropped.values())}"


def _sizes(images: Sequence[ImageFile]) -> str:
    sizes = Counter(image.size for image in images)
    if len(sizes) == 1:
        (size,) = sizes
        return f"{size[0]}×{size[1]} pixels"
    (least, most), (low, high) = ((min(sides), max(sides)) for sides in zip(*sizes, strict=True))
    return f"{least} to {most} pixels wide and {low} to {high} high"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
