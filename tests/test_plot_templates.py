"""The templates in `.dvc/plots`, filled by DVC's own renderer and drawn by Vega-Lite itself."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vl_convert
from dvc_render.vega import VegaRenderer

from bloodcells.core.classes import CLASSES
from bloodcells.evaluation import pointing_game as pointing
from bloodcells.evaluation.comparison import (
    COLUMNS,
    DIFFERENCE_COLUMNS,
    compare,
    difference_table,
    pairs,
    resample,
    table,
)
from bloodcells.evaluation.confidence import RELIABILITY_COLUMNS, examine, reliability_table
from bloodcells.evaluation.intervals import wilson
from bloodcells.evaluation.metrics import CLASS_COLUMNS, ROC_COLUMNS, class_table, roc_table
from bloodcells.inference.predictions import predictions
from bloodcells.reporting.style import CLASS_COLORS, MODEL_COLORS

TEMPLATES = Path(__file__).parents[1] / ".dvc" / "plots"
REVISIONS = ("workspace", "main")
AXES = {
    "curves": ("epoch", "loss", "epoch", "loss (nats)"),
    "losses": ("epoch", "loss", "epoch", "loss (nats)"),
    "classes": ("sensitivity", "class", "sensitivity (share)", "class"),
    "roc": ("fpr", "tpr", "false positive rate", "true positive rate"),
    "comparison": ("accuracy", "model", "accuracy (share)", "model"),
    "differences": ("difference", "second", "difference (share)", "pair"),
    "reliability": ("confidence", "right", "mean confidence", "share right"),
    "pointing": ("share", "model", "maps on the cell", "model"),
    "confusion": ("predicted", "actual", "predicted class", "actual class"),
    "counts": ("count", "class", "cells", "class"),
    "tally": ("line", "reason", "rows of the label table", "reason"),
}
ROWS_NAME_THEMSELVES = ("classes", "comparison", "differences", "pointing", "counts", "tally")


def made_up(seed: int) -> Any:
    random = np.random.default_rng(seed)
    actual = np.repeat(np.arange(4), (8, 4, 3, 15))
    chances = random.dirichlet(np.ones(4), 30) + 0.5 * np.eye(4)[actual]
    chances /= chances.sum(axis=1, keepdims=True)
    return predictions([f"{i}.jpg" for i in range(30)], np.zeros(30), actual, chances)


def rows_of(template: str, seed: int) -> list[dict[str, str]]:
    """Rows as DVC reads them from a CSV: all text."""
    p = made_up(seed)
    if template == "roc":
        rows = [dict(zip(ROC_COLUMNS, row, strict=True)) for row in roc_table(p)]
    elif template == "classes":
        rows = [dict(zip(CLASS_COLUMNS, row, strict=True)) for row in class_table(p)]
    elif template == "comparison":
        entries = compare(dict.fromkeys(MODEL_COLORS, p), "neutrophil")
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in table(entries)]
    elif template == "differences":
        models = {name: made_up(seed + place) for place, name in enumerate(MODEL_COLORS)}
        tested = pairs(models, resample(models, resamples=100, seed=1))
        rows = [dict(zip(DIFFERENCE_COLUMNS, row, strict=True)) for row in difference_table(tested)]
    elif template == "reliability":
        found = examine(p, p, np.ones(30), risk=0.05, resamples=10, seed=1)
        table_rows = reliability_table({"resnet": found, "alexnet": found})
        rows = [dict(zip(RELIABILITY_COLUMNS, row, strict=True)) for row in table_rows]
    elif template == "pointing":
        games = [pointing.row(m, pointing.Game(20 + n + seed, 30, 0.4, 0.9)) for n, m in enumerate(MODEL_COLORS)]
        rows = [dict(zip(pointing.COLUMNS, row, strict=True)) for row in games]
    elif template == "confusion":
        rows = [{"actual": CLASSES[a], "predicted": CLASSES[b]} for a, b in zip(p.actual, p.predicted, strict=True)]
    elif template == "counts":
        steps = {"published": 90, "kept": 80, "fold 0 train": 70, "fold 0 test": 60, "fold 1 train": 50}
        rows = [{"class": label, "step": step, "count": n + seed} for step, n in steps.items() for label in CLASSES]
    elif template == "tally":
        rows = [{"line": line, "reason": reason} for line, reason in enumerate(["double", "null: no label", "double"])]
    else:
        rows = [
            {"model": model, "fold": fold, "split": split, "epoch": epoch, "loss": 1 / epoch + fold / 10 + seed}
            for model in MODEL_COLORS
            for fold in (0, 1)
            for epoch in (1, 2, 3)
            for split in ("train", "validation")
        ]
    return [{key: str(value) for key, value in row.items()} for row in rows]


@cache
def drawn(template: str, revisions: tuple[str, ...]) -> tuple[str, str]:
    """Give the filled template as JSON and the SVG that is drawn from it."""
    return draw(template, [row | {"rev": rev} for seed, rev in enumerate(revisions) for row in rows_of(template, seed)])


def draw(template: str, points: list[dict[str, str]]) -> tuple[str, str]:
    x, y, x_label, y_label = AXES[template]
    renderer = VegaRenderer(
        points,
        template,
        template=str(TEMPLATES / f"{template}.json"),
        x=x,
        y=y,
        x_label=x_label,
        y_label=y_label,
        title="What is plotted",
    )
    filled = json.dumps(renderer.get_filled_template())
    return filled, vl_convert.vegalite_to_svg(filled, vl_version="5.8")


def words(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


def drawn_colours(svg: str) -> set[str]:
    return {color.upper() for color in re.findall(r"#[0-9a-fA-F]{6}\b", svg)}


def test_each_template_is_tried() -> None:
    assert {path.stem for path in TEMPLATES.glob("*.json")} == set(AXES)


@pytest.mark.parametrize("template", AXES)
@pytest.mark.parametrize("revisions", [REVISIONS[:1], REVISIONS])
def test_a_template_draws_title_axes_and_revisions(template: str, revisions: tuple[str, ...]) -> None:
    filled, svg = drawn(template, revisions)
    assert "DVC_METRIC" not in filled
    said = words(svg)
    assert "What is plotted" in said
    labels = AXES[template][2:3] if template in ROWS_NAME_THEMSELVES else AXES[template][2:]
    assert not {*labels, *revisions} - {*said}


@pytest.mark.parametrize("template", ["curves", "comparison", "pointing"])
def test_models_have_their_fixed_colours(template: str) -> None:
    _, svg = drawn(template, REVISIONS)
    assert {color.upper() for color in MODEL_COLORS.values()} <= drawn_colours(svg)
    assert set(MODEL_COLORS) <= set(words(svg))


@pytest.mark.parametrize("template", ["curves", "comparison", "pointing"])
def test_each_model_has_its_own_of_the_colours(template: str) -> None:
    _, svg = drawn(template, REVISIONS[:1])
    for model, color in MODEL_COLORS.items():
        assert re.search(rf'aria-label="[^"]*{model}[^"]*"[^>]*(fill|stroke)="{color}"', svg, re.IGNORECASE)


@pytest.mark.parametrize("template", ["curves", "losses"])
def test_curves_are_solid_and_dashed_by_revision_and_thin_by_fold(template: str) -> None:
    _, svg = drawn(template, REVISIONS)
    lines = re.findall(r'<path[^>]*d="M[^"]*L[^"]*"[^>]*stroke-width="(0\.8|2\.2)"[^>]*>', svg)
    assert lines.count("2.2") == 3 * 2 * 2  # models, panels, revisions
    assert lines.count("0.8") == 3 * 2 * 2 * 2  # and folds
    assert "stroke-dasharray" in svg


def test_losses_are_the_curves_on_a_logarithmic_axis() -> None:
    values = (0.001, 0.1, 10.0)
    rows = [{"model": "resnet", "fold": "0", "split": "train", "rev": "main"}] * len(values)
    points = [row | {"epoch": str(n), "loss": str(values[n])} for n, row in enumerate(rows)]
    line = re.search(r'<path[^>]*d="M([^"]*)"[^>]*stroke-width="2.2"', draw("losses", points)[1])
    assert line
    heights = [float(point.split(",")[1]) for point in line[1].split("L")]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.1)
    assert heights[0] - heights[1] > 50

    nothing = [row | {"loss": "0.0"} for row in points[:1]]  # as the table rounds it
    assert not {"NaN", "Infinity"} & set(re.findall("NaN|Infinity", draw("losses", [*nothing, *points[1:]])[1]))


def test_the_classes_have_wilson_intervals_and_those_without_cells_none() -> None:
    rows = [
        {"class": "monocyte", "sensitivity": "0.8", "support": "20", "rev": "main"},
        {"class": "lymphocyte", "sensitivity": "", "support": "0", "rev": "main"},
    ]
    _, svg = draw("classes", rows)
    low, high = wilson(16, 20)
    interval = re.search(r'<line [^>]*translate\(([\d.]+),[^>]*x2="([\d.]+)"[^>]*stroke-width="2.5"', svg)
    assert interval
    assert [float(number) / 240 for number in interval.groups()] == pytest.approx([low, high - low], abs=1e-4)
    assert {"80.0%", "of 20", "monocyte"} <= set(words(svg))
    assert "lymphocyte" not in words(svg)
    assert "NaN" not in svg


@pytest.mark.parametrize("template", ["classes", "roc"])
def test_classes_have_their_fixed_colours(template: str) -> None:
    _, svg = drawn(template, REVISIONS)
    assert {CLASS_COLORS[label].upper() for label in CLASSES} <= drawn_colours(svg)


def test_confusion_counts_every_pair_of_classes() -> None:
    _, svg = drawn("confusion", REVISIONS[:1])
    p = made_up(0)
    pairs = [int(((p.actual == row) & (p.predicted == column)).sum()) for row in range(4) for column in range(4)]
    assert 0 in pairs  # or this shows nothing about cells that the table does not name
    counts = [int(word) for word in words(svg) if word.isdigit()]
    assert sorted(counts) == sorted(pairs)


def test_confusion_has_a_row_and_a_column_for_a_class_without_cells() -> None:
    pairs = [("eosinophil", "neutrophil"), ("neutrophil", "neutrophil")]
    _, svg = draw("confusion", [{"actual": actual, "predicted": said, "rev": "main"} for actual, said in pairs])
    assert sorted(word for word in words(svg) if word.isdigit()) == ["0"] * 14 + ["1"] * 2
    assert words(svg).count("monocyte") == 2


def test_counts_stand_at_the_bars_of_the_table_and_of_the_first_fold() -> None:
    _, svg = drawn("counts", REVISIONS)
    said = words(svg)
    for number in (90, 91, 80, 81, 70, 71, 60, 61):
        assert said.count(str(number)) >= len(CLASSES)
    assert "fold 1 train" not in said


def test_the_tally_counts_rows() -> None:
    _, svg = drawn("tally", REVISIONS[:1])
    assert re.search(r'aria-label="rows of the label table: 2; reason: double', svg)
    assert re.search(r'aria-label="rows of the label table: 1; reason: null: no label', svg)


def test_the_comparison_draws_a_point_per_row_and_revision() -> None:
    _, svg = drawn("comparison", REVISIONS)
    rows = len(rows_of("comparison", 0))
    assert len(re.findall(r'aria-roledescription="point"', svg)) == rows * len(REVISIONS)
    shown = [word for word in words(svg) if re.fullmatch(r"\d+\.\d%", word)]
    assert len(shown) == rows * len(REVISIONS)


def test_the_differences_draw_each_score_of_each_pair_and_revision_in_their_order() -> None:
    _, svg = drawn("differences", REVISIONS)
    rows = [row for seed in range(len(REVISIONS)) for row in rows_of("differences", seed)]
    assert len(rows) == 3 * 4 * 2  # pairs, scores, revisions
    assert len(re.findall(r'aria-roledescription="point"', svg)) == len(rows)
    said = words(svg)
    pairs_said = ["efficientnet minus resnet", "alexnet minus resnet", "alexnet minus efficientnet"]
    assert [word for word in said if " minus " in word] == pairs_said
    assert said.count("macro F1") == 3
    shown = [f"{float(row['difference']):+.3f}".replace("-", "\N{MINUS SIGN}") for row in rows]
    assert sorted(shown) == sorted(word for word in said if re.fullmatch(r".0\.\d{3}", word))


def test_a_difference_is_drawn_within_its_interval_and_beside_the_line_of_no_difference() -> None:
    row = {"first": "a", "second": "b", "score": "accuracy", "difference": "0.1", "low": "0.05", "high": "0.2"}
    _, svg = draw("differences", [row | {"rev": "main"}])
    interval = re.search(r'interval from: [^>]*translate\(([\d.]+),[^>]*x2="([\d.]+)"', svg)
    point = re.search(r'aria-roledescription="point" transform="translate\(([\d.]+),', svg)
    zero = re.search(r'layer_3_marks[^>]*><line transform="translate\(([\d.]+),0\)" x2="0"', svg)
    assert interval
    assert point
    assert zero
    low, length = float(interval[1]), float(interval[2])
    assert float(point[1]) == pytest.approx(low + length / 3, abs=0.1)
    assert float(zero[1]) == pytest.approx(low - length / 3, abs=0.1)


def test_reliability_draws_a_panel_per_model_and_a_point_per_bin_setting_and_revision() -> None:
    _, svg = drawn("reliability", REVISIONS)
    assert {"resnet", "alexnet", "as it is", "with temperature"} <= {*words(svg)}
    rows = len(rows_of("reliability", 0)) + len(rows_of("reliability", 1))
    assert len(re.findall(r'aria-roledescription="point"', svg)) == rows
    assert len(re.findall(r'aria-roledescription="rule mark"', svg)) == rows


def test_the_pointing_game_stands_beside_chance_and_the_middle_and_an_unplayed_one_is_left_out() -> None:
    row = dict(zip(pointing.COLUMNS, ("a", 6, 10, 0.6, 0.4, 0.8, 0.25, 1.0), strict=True))
    empty = dict(zip(pointing.COLUMNS, ("b", 0, 0, "", "", "", "", ""), strict=True))
    rows = [{key: str(value) for key, value in one.items()} | {"rev": "main"} for one in (row, empty)]
    _, svg = draw("pointing", rows)
    assert "60.0%" in words(svg)
    assert "b" not in words(svg)
    chance = re.search(r'aria-roledescription="tick" d="M([\d.]+),', svg)
    points = re.findall(r'aria-roledescription="point" transform="translate\(([\d.]+),', svg)
    assert chance
    assert float(chance[1]) + 1 == pytest.approx(0.25 * 520)  # its left edge, and half its width
    assert [float(place) for place in points] == pytest.approx([520, 0.6 * 520])  # the middle, and the share
    for said in ("a random point: 0.250", "the middle: 1.000", "hits: 6 of 10"):
        assert said in svg
