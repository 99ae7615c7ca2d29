"""Pictures of two revisions side by side: the verdicts, the learning curves, the confusion matrices."""

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from PIL import Image

from bloodcells.cli.review.findings import DatasetReview, Picture
from bloodcells.cli.review.snapshot import Results
from bloodcells.cli.review.verdicts import SIGNS, Judgement, Verdict
from bloodcells.evaluation.intervals import wilson
from bloodcells.evaluation.metrics import confusion
from bloodcells.inference.predictions import Predictions
from bloodcells.reporting.style import FAINT, INK, model_color, write_png

SIDES = ("base", "head")

_WIDTH, _DPI = 8.0, 120
_styled = rc_context(
    {"font.size": 9.5, "axes.titlesize": 10, "figure.titlesize": 13, "text.color": INK, "text.parse_math": False}
)
_BLUES = LinearSegmentedColormap.from_list("share", ["#F2F6FA", "#08306B"])  # as the plot template's


def draw(page: Path, one: DatasetReview, base: Results, head: Results) -> list[Picture]:
    """Draw what changed in one data set, each picture a file beside the page.

    Args:
        page: the file of the page, whose name begins those of the pictures.
        one: what was found about the data set.
        base: its results at the base.
        head: those at the head.
    """
    pictures: list[Picture] = []

    def add(what: str, title: str) -> tuple[Path, str]:
        name = f"{page.stem}-{one.name}-{what}.png"
        pictures.append(Picture(quote(name), f"{title} on {one.name}, base and head"))
        return page.with_name(name), f"{title} on {one.name}"

    told = bool(base.predictions or head.predictions)  # of models whose tables can't be read there are none
    if told and any(verdict.judgement is not Judgement.SAME for verdict in one.verdicts):
        models = [verdict.model for verdict in one.verdicts]
        verdict_chart(*add("accuracy", "Accuracy"), one.verdicts, base.predictions, head.predictions)
        confusion_chart(*add("confusion", "Confusion"), models, base.predictions, head.predictions)
    if base.curves != head.curves:
        curves_chart(*add("curves", "Learning curves"), base.curves, head.curves)
    return pictures


@_styled
def verdict_chart(
    path: Path,
    title: str,
    verdicts: Sequence[Verdict],
    base: Mapping[str, Predictions],
    head: Mapping[str, Predictions],
) -> None:
    """Write each model's accuracy at base (hollow) and head (full), and beside it the paired difference.

    Args:
        path: where to write the PNG.
        title: what the models were tested on.
        verdicts: those of all models, a row each.
        base: the predictions of each model at the base, on all cells that it was tested on.
        head: those at the head.
    """
    figure = Figure(figsize=(_WIDTH, 1.5 + 0.62 * len(verdicts)), dpi=_DPI, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left")
    left, right = figure.subplots(1, 2, sharey=True)
    models = [verdict.model for verdict in verdicts]
    for row, verdict in enumerate(verdicts):
        color = model_color(verdict.model, models)
        for at, p, fill in (
            (row - 0.17, base.get(verdict.model), "white"),
            (row + 0.17, head.get(verdict.model), color),
        ):
            if p is not None:
                hits, cells = int((p.predicted == p.actual).sum()), len(p.actual)
                _interval(left, at, hits / cells, wilson(hits, cells), color, fill)
        compared = verdict.compared
        if compared is not None and verdict.judgement is not Judgement.SAME:
            _interval(right, row, compared.difference, (compared.low, compared.high), color, color)
        right.text(
            1.03,
            row,
            f"{SIGNS[verdict.judgement]} {verdict.judgement}",
            transform=right.get_yaxis_transform(),
            va="center",
            fontweight="bold" if verdict.judgement in (Judgement.BETTER, Judgement.WORSE) else "normal",
        )
    left.set_yticks(range(len(models)), models)
    left.set_ylim(len(models) - 0.5, -0.5)
    left.set_xlabel("accuracy, with its 95 % Wilson interval")
    right.set_xlabel("difference, head less base: percentage points\nwith its 95 % bootstrap interval, on shared cells")
    left.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    right.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:+g}".replace("-", "−")))
    right.axvline(0, color=FAINT, linestyle="--", linewidth=1, zorder=0)
    reach = max(0.02, *(abs(end) for end in right.get_xlim()))
    right.set_xlim(-reach, reach)
    for axis in (left, right):
        axis.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.grid(axis="x", alpha=0.25)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    marks = [
        Line2D([], [], color=FAINT, marker="o", markersize=7, markerfacecolor=fill, linewidth=2, label=side)
        for side, fill in zip(SIDES, ("white", FAINT), strict=True)
    ]
    left.legend(handles=marks, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    _write(path, figure)


def _interval(axis: Axes, at: float, value: float, ends: tuple[float, float], color: str, fill: str) -> None:
    axis.plot(ends, [at, at], color=color, linewidth=2.5, solid_capstyle="butt", zorder=2)
    axis.plot(value, at, marker="o", markersize=7, color=color, markerfacecolor=fill, markeredgewidth=1.5, zorder=3)


@_styled
def curves_chart(path: Path, title: str, base: Sequence[Mapping[str, str]], head: Sequence[Mapping[str, str]]) -> None:
    """Write the learning curves: a row of panels for training and one for validation, base left and head right.

    The loss stands on a logarithmic scale, the same in all panels. A thin line is a fold, the thick one their mean.

    Args:
        path: where to write the PNG.
        title: what was learned.
        base: rows with model, fold, split, epoch and loss; there may be none.
        head: the same of the head.
    """
    sides = [(side, rows) for side, rows in zip(SIDES, (base, head), strict=True) if rows]
    splits = list(dict.fromkeys(row["split"] for _, rows in sides for row in rows))
    models = list(dict.fromkeys(row["model"] for _, rows in reversed(sides) for row in rows))
    figure = Figure(figsize=(_WIDTH, 1.1 + 2.3 * len(splits)), dpi=_DPI, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left")
    grid = figure.subplots(len(splits), len(sides), sharex=True, sharey=True, squeeze=False)
    for axes, split in zip(grid, splits, strict=True):
        for axis, (side, rows) in zip(axes, sides, strict=True):
            _losses(axis, [row for row in rows if row["split"] == split], models)
            axis.set_title(f"{side}: {split}", loc="left")
            axis.grid(alpha=0.25)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0].set_ylabel("loss (nats, log scale)")
    for axis in grid[-1]:
        axis.set_xlabel("epoch")
    first = grid[0, 0]
    first.set_yscale("log")
    first.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    first.yaxis.set_minor_formatter(NullFormatter())
    lines = [Line2D([], [], color=model_color(model, models), linewidth=3, label=model) for model in models]
    figure.legend(handles=lines, loc="outside lower center", ncols=len(models), frameon=False)
    _write(path, figure)


def _losses(axis: Axes, rows: Sequence[Mapping[str, str]], models: Sequence[str]) -> None:
    for model in models:
        folds: dict[str, dict[int, float]] = defaultdict(dict)
        for row in rows:
            if row["model"] == model:
                folds[row["fold"]][int(row["epoch"])] = float(row["loss"])
        color = model_color(model, models)
        for curve in folds.values():
            axis.plot(list(curve), list(curve.values()), color=color, linewidth=0.7, alpha=0.35)
        epochs = sorted({epoch for curve in folds.values() for epoch in curve})
        means = [np.mean([curve[epoch] for curve in folds.values() if epoch in curve]) for epoch in epochs]
        axis.plot(epochs, means, color=color, linewidth=2)


@_styled
def confusion_chart(
    path: Path, title: str, models: Sequence[str], base: Mapping[str, Predictions], head: Mapping[str, Predictions]
) -> None:
    """Write the confusion matrices: a row of panels per model, base left and head right.

    Args:
        path: where to write the PNG.
        title: what the models were tested on.
        models: in the order of the rows.
        base: the predictions of each model at the base; there may be none.
        head: those at the head.
    """
    sides = [(side, tables) for side, tables in zip(SIDES, (base, head), strict=True) if tables]
    figure = Figure(figsize=(_WIDTH, 0.7 + 2.75 * len(models)), dpi=_DPI, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left")
    grid = figure.subplots(len(models), len(sides), squeeze=False)
    for axes, model in zip(grid, models, strict=True):
        for axis, (side, tables) in zip(axes, sides, strict=True):
            axis.set_title(f"{model}: {side}", loc="left")
            if model in tables:
                _matrix(axis, tables[model])
            else:
                axis.axis("off")
                axis.text(0, 0.5, "not there", transform=axis.transAxes, color=FAINT)
        axes[0].set_ylabel("actual class")
    for axis in grid[-1]:
        axis.set_xlabel("predicted class")
    _write(path, figure)


def _matrix(axis: Axes, p: Predictions) -> None:
    """Draw counts, and as color and percentage the share of the actual class."""
    matrix = confusion(p.actual, p.predicted, len(p.classes))
    share = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    axis.imshow(share, cmap=_BLUES, vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(matrix):
        text = f"{count}\n{share[row, column]:.0%}" if count else "0"
        axis.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize="small",
            color="white" if share[row, column] > 0.45 else INK,
        )
    axis.set_xticks(range(len(p.classes)), p.classes)
    axis.set_yticks(range(len(p.classes)), p.classes)
    axis.tick_params(length=0, labelsize="small")
    axis.spines[:].set_visible(False)
    axis.set_xticks(np.arange(0.5, len(p.classes) - 1), minor=True)
    axis.set_yticks(np.arange(0.5, len(p.classes) - 1), minor=True)
    axis.grid(which="minor", color="white", linewidth=2)
    axis.tick_params(which="minor", length=0)


def _write(path: Path, figure: Figure) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_png(path, Image.open(buffer).convert("RGB"))
