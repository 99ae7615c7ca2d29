"""Pictures drawn from numbers: the pixels' distribution, the counts of the classes, the models beside each other."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter
from numpy.typing import NDArray
from PIL import Image

from bloodcells.evaluation.bootstrap import Estimate
from bloodcells.evaluation.comparison import Entry, Pair, said_p
from bloodcells.reporting.style import ALARM, CLASS_COLORS, FAINT, INK, PAPER, model_color, write_png

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
                axis.stairs(share, edges, color=CLASS_COLORS[label], linewidth=1.6, label=label)
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
        names.sort(key=lambda name: list(CLASS_COLORS).index(name) if name in CLASS_COLORS else len(CLASS_COLORS))
        _bars(axis, names, shown, number)
        axis.set_xlabel(f"{what}, count")
    _write(path, figure)


def _bars(axis: Axes, names: Sequence[str], steps: Sequence[str], number: Mapping[tuple[str, str], int]) -> None:
    """Draw a group of bars for each class, one bar a step, its count at its end."""
    looks = [_look(step) for step in steps]
    thick = 0.8 / len(steps)
    longest = max(number.get((name, step), 0) for name in names for step in steps)
    for place, name in enumerate(names):
        color = CLASS_COLORS.get(name, "#BBBBBB")
        for order, (step, (alpha, hatch)) in enumerate(zip(steps, looks, strict=True)):
            count = number.get((name, step), 0)
            at = place + (order - (len(steps) - 1) / 2) * thick
            fill = (color, alpha)
            axis.barh(at, count, thick * 0.9, facecolor=fill, edgecolor=color, hatch=hatch, linewidth=0.8)
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
            _interval(axis, place, entry, model_color(entry.name, models) if entry.kind == "model" else FAINT)
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


def _interval(axis: Axes, place: float, entry: Entry, color: str) -> None:
    low, high = entry.interval
    model = entry.kind == "model"
    axis.plot([low, high], [place, place], color=color, linewidth=3 if model else 1.5, solid_capstyle="butt")
    axis.plot(
        entry.accuracy,
        place,
        marker="D" if entry.kind == "report" else "o",
        markersize=9 if model else 7,
        color=color,
        markerfacecolor=color if model else "white",
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


@_styled
def differences(path: Path, title: str, pairs: Sequence[Pair], models: Sequence[str]) -> None:
    """Write by how much the second model of each pair is above the first, with 95 % bootstrap intervals.

    The difference of accuracies, which is tested, is thick, and in the better model's color where one is shown to
    be better. The axis reaches equally far to both sides of 0, which means no difference.

    Args:
        path: where to write the PNG.
        title: what was tested.
        pairs: the pairs of models, from top to bottom.
        models: all models, for their colours.
    """
    rows = sum(len(pair.differences) + 1.6 for pair in pairs)
    figure = _figure(1.5 + 0.27 * max(rows, 2), title)
    axis = figure.subplots()
    axis.axvline(0, color=INK, linewidth=1, zorder=0)
    names: dict[float, str] = {}
    place, reach = 0.0, 0.01
    for pair in pairs:
        color = FAINT if pair.better is None else model_color(pair.better, models)
        axis.text(
            0,
            place,
            f"{pair.second} minus {pair.first}: {pair.verdict}, {said_p(pair.p_holm)}",
            transform=axis.get_yaxis_transform(),
            va="center",
            fontweight="bold" if pair.better else "normal",
            bbox={"color": "white", "pad": 1},  # over the line of 0
        )
        for score, of in pair.differences.items():
            place += 1
            names[place] = score
            tested = score == "accuracy"
            _difference(axis, place, of, color if tested else FAINT, 3 if tested else 1.5)
            reach = max(reach, -of.low, of.high)
        place += 1.6
    if not pairs:
        axis.text(0, 0, "one model alone: nothing to compare", ha="center", backgroundcolor="white")
    axis.set_yticks(list(names), list(names.values()))
    axis.set_ylim(max(place, 2) - 0.8, -0.9)
    axis.set_xlim(-reach * 1.05, reach * 1.05)
    axis.xaxis.set_major_formatter("{x:+.3g}")
    axis.set_xlabel("difference, with its 95 % bootstrap interval; p: exact McNemar test of accuracy, after Holm")
    axis.grid(axis="x", alpha=0.25)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    _write(path, figure)


def _difference(axis: Axes, place: float, of: Estimate, color: str, width: float) -> None:
    axis.plot([of.low, of.high], [place, place], color=color, linewidth=width, solid_capstyle="butt")
    axis.plot(of.value, place, marker="o", markersize=6 + width, color=color, markeredgewidth=0)
    axis.text(
        1.02,
        place,
        f"{of.value:+.3f}  ({of.low:+.3f} to {of.high:+.3f})",
        transform=axis.get_yaxis_transform(),
        va="center",
    )


@_styled
def reliability_diagrams(
    path: Path, title: str, models: Mapping[str, Mapping[str, Sequence[tuple[float, float, float, float]]]]
) -> None:
    """Write a reliability diagram of each model: share right over confidence; on the diagonal they agree.

    Args:
        path: where to write the PNG.
        title: of which cells.
        models: for each model its settings, the last one drawn full and in the model's color, those before hollow;
            for each setting the bins: mean confidence, share right, and the two ends of its interval.
    """
    columns = min(3, len(models))
    rows = -(-len(models) // columns)
    figure = _figure(0.9 + 2.7 * rows, title)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    least = min(min(row[0], row[2]) for settings in models.values() for bins in settings.values() for row in bins)
    start = max(0.0, np.floor(least * 10 - 0.2) / 10)
    for axis, (name, settings) in zip(grid.flat, models.items(), strict=False):
        axis.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1, zorder=0)
        for kind, bins in settings.items():
            last = kind == list(settings)[-1]
            color = model_color(name, list(models)) if last else FAINT
            confidence, share, low, high = np.array(bins).T
            reach = np.clip([share - low, high - share], 0, None)
            axis.errorbar(
                confidence,
                share,
                yerr=reach,
                color=color,
                marker="o" if last else "s",
                markerfacecolor=color if last else PAPER,
                markersize=5,
                linestyle="none",
                elinewidth=1.6 if last else 1,
            )
        axis.set_title(name)
        axis.set_xlabel("mean confidence")
        axis.set_xlim(start, 1.02)
        axis.set_ylim(start, 1.02)
        axis.set_aspect("equal")
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_locator(MultipleLocator(0.2))
            side.set_major_formatter(PercentFormatter(1))
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in grid[:, 0]:
        axis.set_ylabel("share right of each tenth of\nthe cells, 95 % Wilson interval")
    for axis in grid.flat[len(models) :]:
        axis.set_visible(False)
    kinds = list(next(iter(models.values())))
    marks = [
        Line2D([], [], linestyle="none", label=kind, marker="o", color=INK)
        if kind == kinds[-1]
        else Line2D([], [], linestyle="none", label=kind, marker="s", color=FAINT, markerfacecolor=PAPER)
        for kind in kinds
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False)
    _write(path, figure)


@_styled
def risk_coverage_curves(
    path: Path,
    title: str,
    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    chosen: Mapping[str, tuple[float, float, float, float]],
    target: float,
) -> None:
    """Write for each model the share of wrong answers over the share of cells answered.

    Args:
        path: where to write the PNG.
        title: of which cells.
        curves: for each model coverage and risk, both (m,), from the fewest answers to all.
        chosen: for each model what its threshold gives: coverage, risk, and the two ends of the risk's interval;
            a model that answers nothing is left out.
        target: the risk that was asked for.
    """
    figure = _figure(4.6, title)
    axis = figure.subplots()
    axis.axhline(target, color=FAINT, linestyle="--", linewidth=1, zorder=0)
    axis.text(0, target, f" asked for: {target:.1%}", color=FAINT, va="bottom")
    for name, (coverage, risk) in curves.items():
        color = model_color(name, list(curves))
        axis.plot(coverage, risk, color=color, linewidth=1.8, drawstyle="steps-post", label=name)
        if name in chosen:
            at, value, low, high = chosen[name]
            reach = [[value - low], [high - value]]
            axis.errorbar(at, value, reach, fmt="o", color=color, markersize=8, markeredgecolor=PAPER, elinewidth=1.2)
    axis.set_xlim(0, 1.01)
    axis.set_ylim(bottom=0)
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.set_xlabel("coverage: share of the cells that are answered, the most confident first")
    axis.set_ylabel("risk: share of the answers that are wrong")
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="upper left", frameon=False)
    _write(path, figure)


@_styled
def claims(path: Path, title: str, rows: Sequence[tuple[str, Estimate, Estimate, Estimate]]) -> None:
    """Write what protocols claim on validation (hollow) beside what their networks reach on test (full).

    Args:
        path: where to write the PNG.
        title: of which cells.
        rows: for each protocol, from top to bottom, its name, the accuracy claimed, the one reached, and the
            difference in share of the cells, all with their 95 % intervals.
    """
    figure = _figure(1.5 + 0.75 * len(rows), title)
    axis = figure.subplots()
    for place, (_, claimed, true, difference) in enumerate(rows):
        for of, at, color, fill in ((claimed, place - 0.14, ALARM, PAPER), (true, place + 0.14, INK, INK)):
            axis.plot([of.low, of.high], [at, at], color=color, linewidth=2, solid_capstyle="butt")
            axis.plot(of.value, at, "o", markersize=8, color=color, markerfacecolor=fill, markeredgewidth=1.6)
        axis.text(
            1.02,
            place,
            f"{100 * difference.value:+.1f} points\n({100 * difference.low:+.1f} to {100 * difference.high:+.1f})",
            transform=axis.get_yaxis_transform(),
            va="center",
            fontweight="bold" if difference.low > 0 else "normal",
        )
    axis.plot([], [], "o", color=ALARM, markerfacecolor=PAPER, markeredgewidth=1.6, label="claimed on validation")
    axis.plot([], [], "o", color=INK, label="reached on test")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0.2)
    axis.set_yticks(range(len(rows)), [row[0] for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.set_xlabel("accuracy, with its 95 % interval; to the right: by how much the claim flatters")
    axis.grid(axis="x", alpha=0.25)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    _write(path, figure)


def _figure(height: float, title: str) -> Figure:
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
    figure.suptitle(title, x=0.02, ha="left")
    return figure


def _write(path: Path, figure: Figure) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_png(path, Image.open(buffer).convert("RGB"))
