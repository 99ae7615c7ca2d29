"""The templates in `.dvc/plots`, filled by DVC's own renderer and drawn by Vega-Lite itself."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vl_convert
from dvc_render.vega import VegaRenderer  # type: ignore[import-untyped]

from bloodcells.comparison import COLUMNS, compare, table
from bloodcells.figures import CLASS_COLOURS, MODEL_COLOURS
from bloodcells.labels import CLASSES
from bloodcells.scores import ROC_COLUMNS, predictions, roc_table

TEMPLATES = Path(__file__).parents[1] / ".dvc" / "plots"
REVISIONS = ("workspace", "main")
AXES = {
    "curves": ("epoch", "loss", "epoch", "loss (nats)"),
    "roc": ("fpr", "tpr", "false positive rate", "true positive rate"),
    "comparison": ("accuracy", "model", "accuracy (share)", "model"),
    "confusion": ("predicted", "actual", "predicted class", "actual class"),
}


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
    elif template == "comparison":
        entries = compare(dict.fromkeys(MODEL_COLOURS, p), "neutrophil")
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in table(entries)]
    elif template == "confusion":
        rows = [{"actual": CLASSES[a], "predicted": CLASSES[b]} for a, b in zip(p.actual, p.predicted, strict=True)]
    else:
        rows = [
            {"model": model, "fold": fold, "split": split, "epoch": epoch, "loss": 1 / epoch + fold / 10 + seed}
            for model in MODEL_COLOURS
            for fold in (0, 1)
            for epoch in (1, 2, 3)
            for split in ("train", "validation")
        ]
    return [{key: str(value) for key, value in row.items()} for row in rows]


@cache
def drawn(template: str, revisions: tuple[str, ...]) -> tuple[str, str]:
    """Give the filled template as JSON and the SVG that is drawn from it."""
    x, y, x_label, y_label = AXES[template]
    points = [row | {"rev": rev} for seed, rev in enumerate(revisions) for row in rows_of(template, seed)]
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
    return {colour.upper() for colour in re.findall(r"#[0-9a-fA-F]{6}\b", svg)}


def test_each_template_is_tried() -> None:
    assert {path.stem for path in TEMPLATES.glob("*.json")} == set(AXES)


@pytest.mark.parametrize("template", AXES)
@pytest.mark.parametrize("revisions", [REVISIONS[:1], REVISIONS])
def test_a_template_draws_title_axes_and_revisions(template: str, revisions: tuple[str, ...]) -> None:
    filled, svg = drawn(template, revisions)
    assert "DVC_METRIC" not in filled
    said = words(svg)
    assert "What is plotted" in said
    labels = [AXES[template][2]] if template == "comparison" else AXES[template][2:]  # there the rows name themselves
    assert not {*labels, *revisions} - {*said}


@pytest.mark.parametrize("template", ["curves", "comparison"])
def test_models_have_their_fixed_colours(template: str) -> None:
    _, svg = drawn(template, REVISIONS)
    assert {colour.upper() for colour in MODEL_COLOURS.values()} <= drawn_colours(svg)
    assert set(MODEL_COLOURS) <= set(words(svg))


def test_each_model_has_its_own_of_the_colours() -> None:
    _, svg = drawn("comparison", REVISIONS[:1])
    for model, colour in MODEL_COLOURS.items():
        assert re.search(rf'aria-label="[^"]*{model}[^"]*"[^>]*(fill|stroke)="{colour}"', svg, re.IGNORECASE)


def test_curves_are_solid_and_dashed_by_revision_and_thin_by_fold() -> None:
    _, svg = drawn("curves", REVISIONS)
    lines = re.findall(r'<path[^>]*d="M[^"]*L[^"]*"[^>]*stroke-width="(0\.8|2\.2)"[^>]*>', svg)
    assert lines.count("2.2") == 3 * 2 * 2  # models, panels, revisions
    assert lines.count("0.8") == 3 * 2 * 2 * 2  # and folds
    assert "stroke-dasharray" in svg


def test_classes_have_their_fixed_colours() -> None:
    _, svg = drawn("roc", REVISIONS)
    assert {CLASS_COLOURS[label].upper() for label in CLASSES} <= drawn_colours(svg)


def test_confusion_counts_every_pair_of_classes() -> None:
    _, svg = drawn("confusion", REVISIONS[:1])
    p = made_up(0)
    pairs = [int(((p.actual == row) & (p.predicted == column)).sum()) for row in range(4) for column in range(4)]
    assert 0 in pairs  # or this shows nothing about cells that the table does not name
    counts = [int(word) for word in words(svg) if word.isdigit()]
    assert sorted(counts) == sorted(pairs)


def test_the_comparison_draws_a_point_per_row_and_revision() -> None:
    _, svg = drawn("comparison", REVISIONS)
    rows = len(rows_of("comparison", 0))
    assert len(re.findall(r'aria-roledescription="point"', svg)) == rows * len(REVISIONS)
    shown = [word for word in words(svg) if re.fullmatch(r"\d+\.\d%", word)]
    assert len(shown) == rows * len(REVISIONS)
