"""Pictures drawn from numbers: the pixels' distribution, the counts of the classes, the comparison of the models."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from PIL import Image

from bloodcells.comparison import Entry
from bloodcells.figures import CLASS_COLOURS, FAINT, INK, model_colour, write_png

_DPI, _WIDTH = 120, 8.0  # 960 pixels wide; text of 9 points stays readable at 800
_styled = rc_context(
    {
        "font.size": 9.5,
        "axes.titlesize": 10,
        "figure.titlesize": 13,
        "text.color": INK,
        "figure.constrained_layout.w_pad": 0.12,
        "figure.constrained_layout.h_pad": 0.1,
    }
)
_BIN = 4


@_styled
def distribution(path: Path, title: str, histograms: Mapping[str, Mapping[str, NDArray[np.int64]]]) -> None:
    """Write how the pixels' values are distributed, for each class and channel.

    Args:
        path: where to write the PNG.
        title: what the images are of.
        histograms: for each kind of image ("whole smear", say) and class the counts (3, 256) of the values
            of red, green and blue.
    """
    figure = _figure(1.0 + 2.6 * len(histograms), title)
    grid = figure.subplots(len(histograms), 3, sharex=True, sharey="row", squeeze=False)
    for axes, (kind, by_class) in zip(grid, histograms.items(), strict=True):
        for channel, name in enumerate(("red", "green", "blue")):
            axis = axes[channel]
            for label, counts in by_class.items():
                binned = counts[channel].reshape(-1, _BIN).sum(axis=1)
                share = 100 * binned / (max(1, binned.sum()) * _BIN)
                edges = np.arange(0, 257, _BIN)
                axis.stairs(share, edges, color=CLASS_COLOURS[label], linewidth=1.6, label=label)
            axis.set_title(f"{kind}: {name}")
            axis.set_xlim(0, 256)
            axis.set_xticks([0, 64, 128, 192, 255])
            axis.grid(alpha=0.25)
    for axis in grid[-1]:
        axis.set_xlabel("value (0 dark to 255 bright)")
    for axis in grid[:, 0]:
        axis.set_ylabel("% of the pixels per value")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    _write(path, figure)


@_styled
def counts(path: Path, title: str, rows: Sequence[tuple[str, str, int]]) -> None:
    """Write the counts of the classes before and after cleaning, and the parts of the first fold.

    Args:
        path: where to write the PNG.
        title: what is counted.
        rows: class, step and count, the steps as the stage `clean` names them: published, kept, and
            `fold K train`, `fold K train balanced`, `fold K validation`, `fold K test`.
    """
    number = {(name, step): count for name, step, count in rows}
    steps = list(dict.fromkeys(step for _, step, _ in rows))
    folds = [step.split()[1] for step in steps if step.startswith("fold ")]
    parts = [step for step in steps if folds and step.startswith(f"fold {folds[0]} ")]
    panels: list[tuple[str, Sequence[str]]] = [
        ("rows of the label table", [step for step in ("published", "kept") if step in steps])
    ]
    if parts:
        panels.append((f"cells of fold {folds[0]}", parts))

    figure = _figure(5.2, title)
    for axis, (what, shown) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        names = list(dict.fromkeys(name for name, step, _ in rows if step in shown))
        names.sort(key=lambda name: list(CLASS_COLOURS).index(name) if name in CLASS_COLOURS else len(CLASS_COLOURS))
        _bars(axis, names, shown, number)
        axis.set_xlabel(f"{what}, count")
    _write(path, figure)


def _bars(axis: Axes, names: Sequence[str], steps: Sequence[str], number: Mapping[tuple[str, str], int]) -> None:
    """Draw a group of bars for each class, one bar a step, its count at its end."""
    looks = [_look(step) for step in steps]
    thick = 0.8 / len(steps)
    longest = max(number.get((name, step), 0) for name in names for step in steps)
    for place, name in enumerate(names):
        colour = CLASS_COLOURS.get(name, "#BBBBBB")
        for order, (step, (alpha, hatch)) in enumerate(zip(steps, looks, strict=True)):
            count = number.get((name, step), 0)
            at = place + (order - (len(steps) - 1) / 2) * thick
            fill = (colour, alpha)
            axis.barh(at, count, thick * 0.9, facecolor=fill, edgecolor=colour, hatch=hatch, linewidth=0.8)
            axis.text(count + longest * 0.015, at, str(count), va="center", fontsize="small")
    axis.set_yticks(range(len(names)), names)
    axis.set_xlim(0, longest * 1.14)
    axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)
    plain = [step.split(maxsplit=2)[2] if step.startswith("fold ") else step for step in steps]
    patches = [
        Patch(facecolor=("#555555", alpha), edgecolor="#555555", hatch=hatch, label=label)
        for label, (alpha, hatch) in zip(plain, looks, strict=True)
    ]
    axis.legend(handles=patches, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)


def _look(step: str) -> tuple[float, str | None]:
    """Give a step's strength and hatching: pale before, full after, hatched and empty for what is held out."""
    if step.endswith("validation"):
        return 0.0, "////"
    if step.endswith("test"):
        return 0.0, None
    return (0.3 if step == "published" or step.endswith("train") else 1.0), None


@_styled
def comparison(path: Path, title: str, entries: Sequence[Entry]) -> None:
    """Write the accuracies with their 95 % Wilson intervals: models full, baseline dashed, the report's hollow."""
    groups = [[entry for entry in entries if entry.kind == kind] for kind in ("model", "baseline", "report")]
    models = [entry.name for entry in groups[0]]
    figure = _figure(1.7 + 0.42 * (len(entries) + 1), title)
    axis = figure.subplots()
    names: dict[float, str] = {}
    place = 0.0
    for group in groups:
        for entry in group:
            names[place] = entry.name
            _interval(axis, place, entry, model_colour(entry.name, models) if entry.kind == "model" else FAINT)
            place += 1
        place += 0.5
    for entry in groups[1]:
        axis.axvline(entry.accuracy, color=FAINT, linestyle="--", linewidth=1, zorder=0)
    axis.set_yticks(list(names), list(names.values()))
    axis.set_ylim(place - 0.8, -0.7)
    axis.set_xlim(0, 1)
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.set_xlabel("accuracy: share of the tested cells that are right, with its 95 % Wilson interval")
    axis.grid(axis="x", alpha=0.25)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    _write(path, figure)


def _interval(axis: Axes, place: float, entry: Entry, colour: str) -> None:
    low, high = entry.interval
    model = entry.kind == "model"
    axis.plot([low, high], [place, place], color=colour, linewidth=3 if model else 1.5, solid_capstyle="butt")
    axis.plot(
        entry.accuracy,
        place,
        marker="D" if entry.kind == "report" else "o",
        markersize=9 if model else 7,
        color=colour,
        markerfacecolor=colour if model else "white",
        markeredgewidth=1.5,
        clip_on=False,
    )
    for left, text in ((1.02, f"{entry.accuracy:.1%}"), (1.18, f"{entry.right} of {entry.cells}")):
        axis.text(
            left,
            place,
            text,
            transform=axis.get_yaxis_transform(),
            va="center",
            color=INK if model else FAINT,
            fontweight="bold" if model else "normal",
        )


def _figure(height: float, title: str) -> Figure:
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
    figure.suptitle(title, x=0.02, ha="left")
    return figure


def _write(path: Path, figure: Figure) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_png(path, Image.open(buffer).convert("RGB"))
