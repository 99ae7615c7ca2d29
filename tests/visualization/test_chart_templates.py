"""The chart templates in .dvc/plots, filled by DVC's own renderer from tables of the pipeline, and drawn by Vega."""

import csv
import io
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import vl_convert
from dvc_render.vega import VegaRenderer

from bloodcells.evaluation.calibration import BINS
from bloodcells.evaluation.comparison import accuracy_table, compare, difference_table, pairs, resample
from bloodcells.evaluation.intervals import wilson
from bloodcells.evaluation.metrics import class_scores, roc_curves
from bloodcells.evaluation.pointing_game import PointingResult, pointing_table
from bloodcells.evaluation.selective_prediction import SelectiveResult, examine, reliability_table, risk_coverage_table
from bloodcells.inference.predictions import Predictions
from bloodcells.visualization.style import CLASS_COLORS, class_colors
from bloodcells.visualization.vega import VERSION, hide_single_revision
from tests.support.project import ROOT
from tests.support.smallset import CLASSES

TEMPLATES = ROOT / ".dvc" / "plots"
TITLE = "Confusion: resnet"
ONE, TWO = ("workspace",), ("workspace", "main")
MODELS = ("resnet", "efficientnet", "alexnet")
OTHER_MODELS = ("vgg", "alexnet", "convnext", "resnet")
MODEL_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
TWO_CLASSES = ("malignant", "benign")
TWELVE_CLASSES = tuple(f"cell type {letter}" for letter in "gfedcbalkjih")
Rows = list[dict[str, str]]
Models = dict[str, Predictions]


def predictions(seed: int, classes: tuple[str, ...] = CLASSES) -> Predictions:
    random, k = np.random.default_rng(seed), len(classes)
    actual = np.repeat(np.arange(4), (8, 4, 3, 15)) if k == 4 else np.arange(30) % k
    probabilities = random.dirichlet(np.ones(k), 30) + 0.5 * np.eye(k)[actual]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Predictions.from_probabilities([f"{i}.jpg" for i in range(30)], np.zeros(30), actual, probabilities, classes)


def table(
    template: str, seed: int, names: tuple[str, ...] = MODELS, classes: tuple[str, ...] = CLASSES
) -> pd.DataFrame:
    """A table that a template draws, as the pipeline writes it."""
    return TABLES[template]({name: predictions(seed + place, classes) for place, name in enumerate(names)}, seed)


def classes_of(models: Models) -> tuple[str, ...]:
    return next(iter(models.values())).classes


def _by_model(scores: Callable[[Predictions], pd.DataFrame], models: Models) -> pd.DataFrame:
    return pd.concat([scores(p).assign(model=name) for name, p in models.items()])


def _examined(models: Models) -> dict[str, SelectiveResult]:
    return {name: examine(p, p, np.ones(30), target_error=0.2, resamples=10, seed=1) for name, p in models.items()}


def _confusion(models: Models, seed: int) -> pd.DataFrame:
    p = models["resnet"]
    return pd.DataFrame({"actual": np.array(p.classes)[p.actual], "predicted": np.array(p.classes)[p.predicted]})


def _counts(models: Models, seed: int) -> pd.DataFrame:
    steps = {"labeled": 90, "kept": 80, "fold 0 train": 70, "fold 0 test": 60, "fold 1 train": 50}
    rows = [(label, step, n + seed) for step, n in steps.items() for label in classes_of(models)]
    return pd.DataFrame(rows, columns=["class", "step", "count"])


def _distribution(models: Models, seed: int) -> pd.DataFrame:
    rows = [(label, c, v, v / 10 + seed) for label in classes_of(models) for c in ("red", "blue") for v in (0, 128)]
    return pd.DataFrame(rows, columns=["class", "channel", "value", "percent"])


def _curves(models: Models, seed: int) -> pd.DataFrame:
    parts = [(model, fold, split) for model in models for fold in (0, 1) for split in ("train", "validation")]
    rows = [(*part, epoch, 1 / epoch + part[1] / 10 + seed, 0.5 + epoch / 10) for part in parts for epoch in (1, 2, 3)]
    return pd.DataFrame(rows, columns=["model", "fold", "split", "epoch", "loss", "accuracy"])


TABLES: dict[str, Callable[[Models, int], pd.DataFrame]] = {
    "accuracy": lambda models, seed: accuracy_table(compare(models, classes_of(models)[-1])),
    "class_scores": lambda models, seed: _by_model(class_scores, models),
    "confusion": _confusion,
    "counts": _counts,
    "curves": _curves,
    "differences": lambda models, seed: difference_table(pairs(models, resample(models, resamples=100, seed=1))),
    "distribution": _distribution,
    "dropped": lambda models, seed: pd.DataFrame({"line": [1, 2, 3], "reason": ["double", "null: no label", "double"]}),
    "label_changes": lambda models, seed: pd.DataFrame({"image": list("abc"), "old": list("mmn"), "new": list("nnm")}),
    "pointing_game": lambda models, seed: pointing_table(
        {name: PointingResult(20 + place + seed, 30, 0.4, 0.9) for place, name in enumerate(models)}
    ),
    "reliability": lambda models, seed: reliability_table(_examined(models)),
    "risk_coverage": lambda models, seed: risk_coverage_table(_examined(models), 0.2),
    "roc": lambda models, seed: _by_model(roc_curves, models),
}


NAMES = sorted(path.stem for path in TEMPLATES.glob("*.json"))


@cache
def drawn(
    template: str,
    revisions: tuple[str, ...] = ONE,
    names: tuple[str, ...] = MODELS,
    classes: tuple[str, ...] = CLASSES,
) -> str:
    """Draw a template from tables that differ by revision."""
    rows = [
        row | {"rev": revision}
        for seed, revision in enumerate(revisions)
        for row in as_text(table(template, seed, names, classes))
    ]
    return draw(template, rows)


def as_text(frame: pd.DataFrame) -> Rows:
    """Read the rows as DVC reads them from a CSV: all text."""
    return list(csv.DictReader(io.StringIO(frame.to_csv(index=False))))


def draw(template: str, rows: Rows) -> str:
    """Give the SVG of a template that DVC has filled, with what the page does about revisions."""
    filled: Any = VegaRenderer(
        rows, template, template=str(TEMPLATES / f"{template}.json"), title=TITLE
    ).get_filled_template()
    assert "DVC_METRIC" not in json.dumps(filled)
    return str(vl_convert.vegalite_to_svg(json.dumps(hide_single_revision(filled)), vl_version=VERSION))


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


def colors(svg: str) -> set[str]:
    return {color.upper() for color in re.findall(r"#[0-9a-fA-F]{6}\b", svg)}


def marks(svg: str, role: str) -> int:
    return len(re.findall(f'aria-roledescription="{role}"', svg))


@pytest.mark.parametrize("template", NAMES)
def test_a_chart_has_a_title_and_names_revisions_only_if_there_are_several(template: str) -> None:
    one, two = texts(drawn(template, ONE)), texts(drawn(template, TWO))
    title = json.loads((TEMPLATES / f"{template}.json").read_text())["title"]["text"]
    assert title.replace("<DVC_METRIC_TITLE>", TITLE) in one
    assert not {"workspace", "revision"} & {*one}
    assert {*TWO} <= {*two}
    assert "NaN" not in drawn(template, TWO)


def has_color(svg: str, word: str, color: str) -> bool:
    return bool(re.search(rf'aria-label="[^"]*{word}[^"]*"[^>]*(fill|stroke)="{color}"', svg, re.IGNORECASE))


@pytest.mark.parametrize("names", [MODELS, OTHER_MODELS])
@pytest.mark.parametrize("template", ["accuracy", "curves", "pointing_game", "risk_coverage"])
def test_each_model_has_a_color_in_their_order(template: str, names: tuple[str, ...]) -> None:
    svg = drawn(template, names=names)
    assert all(has_color(svg, model, color) for model, color in zip(names, MODEL_COLORS, strict=False))
    assert not any(has_color(svg, names[0], color) for color in MODEL_COLORS[1:])


@pytest.mark.parametrize("classes", [TWO_CLASSES, CLASSES, TWELVE_CLASSES])
@pytest.mark.parametrize("template", ["class_scores", "roc", "distribution"])
def test_each_class_has_its_color_and_is_named_in_order(template: str, classes: tuple[str, ...]) -> None:
    svg = drawn(template, classes=classes)
    assert all(has_color(svg, label, color) for label, color in class_colors(classes).items())
    assert [word for word in texts(svg) if word in classes] == [*classes]


def test_all_templates_have_the_same_twenty_colors_of_classes() -> None:
    assert len({*CLASS_COLORS}) == 20
    for template in ("class_scores", "roc", "distribution"):
        content = (TEMPLATES / f"{template}.json").read_text()
        assert tuple(re.findall(r"#[0-9A-F]{6}", content.split('"range": [')[1].split("]")[0])) == CLASS_COLORS


@pytest.mark.parametrize("names", [MODELS, OTHER_MODELS])
@pytest.mark.parametrize("template", ["roc", "class_scores", "reliability"])
def test_a_panel_per_model_in_their_order(template: str, names: tuple[str, ...]) -> None:
    assert [word for word in texts(drawn(template, names=names)) if word in names] == [*names]


def test_curves_have_thin_lines_for_folds_and_thick_ones_for_their_mean() -> None:
    lines = re.findall(r'<path[^>]*d="M[^"]*L[^"]*"[^>]*stroke-width="(0\.8|2\.2)"[^>]*>', drawn("curves", TWO))
    panels = 2 * 2  # loss and accuracy of training and validation
    assert lines.count("2.2") == len(MODELS) * panels * len(TWO)
    assert lines.count("0.8") == len(MODELS) * panels * len(TWO) * 2
    assert "stroke-dasharray" in drawn("curves", TWO)


def test_the_loss_is_on_a_logarithmic_axis_and_a_loss_rounded_to_nothing_is_drawn() -> None:
    values = (0.001, 0.1, 10.0)
    rows = [
        {"model": "resnet", "fold": "0", "split": "train", "epoch": str(n), "loss": str(loss), "accuracy": "0.5"}
        for n, loss in enumerate(values)
    ]
    revision = {"rev": "main"}
    line = re.search(r'<path[^>]*d="M([^"]*)"[^>]*stroke-width="2.2"', draw("curves", [r | revision for r in rows]))
    assert line
    heights = [float(point.split(",")[1]) for point in line[1].split("L")]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.1)
    assert heights[0] - heights[1] > 50
    rows[0]["loss"] = "0.0"
    assert not re.search("NaN|Infinity", draw("curves", [r | revision for r in rows]))


def test_classes_without_cells_are_left_out() -> None:
    p = predictions(0)
    without = as_text(class_scores(p.select(p.actual != 1)).assign(model="resnet"))
    svg = draw("class_scores", [row | {"rev": "main"} for row in without])
    assert "monocyte" in texts(svg)
    assert "lymphocyte" not in texts(svg)
    assert "NaN" not in svg


def test_an_accuracy_is_drawn_within_its_wilson_interval() -> None:
    svg = drawn("accuracy")
    p = predictions(0)
    low, high = wilson(int(p.correct.sum()), 30)
    interval = re.search(r'<line [^>]*translate\(([\d.]+),[^>]*x2="([\d.]+)"[^>]*stroke-width="2.5"', svg)
    assert interval
    assert [float(number) / 520 for number in interval.groups()] == pytest.approx([low, high - low], abs=1e-4)
    assert f"{p.correct.mean():.1%}" in texts(svg)
    assert marks(svg, "point") == len(MODELS) + 1  # and the baseline
    assert marks(drawn("accuracy", TWO), "point") == 2 * (len(MODELS) + 1)


@pytest.mark.parametrize("classes", [TWO_CLASSES, CLASSES, TWELVE_CLASSES])
def test_confusion_counts_every_pair_of_classes(classes: tuple[str, ...]) -> None:
    p, labels = predictions(0, classes), range(len(classes))
    counts = [int(((p.actual == row) & (p.predicted == column)).sum()) for row in labels for column in labels]
    assert 0 in counts or len(classes) == 2  # or this shows nothing about pairs that the table does not name
    said = texts(drawn("confusion", classes=classes))
    assert sorted(int(word) for word in said if word.isdigit()) == sorted(counts)
    assert [word for word in said if word in classes] == 2 * sorted(classes)


def test_confusion_has_a_row_and_a_column_for_a_class_that_is_only_predicted_or_only_actual() -> None:
    rows = [{"actual": "blast", "predicted": other, "rev": rev} for rev, other in zip(TWO, "ab", strict=True)]
    said = texts(draw("confusion", rows))
    assert [said.count(name) for name in ("blast", "a", "b")] == [3, 3, 3]  # twice below, once beside
    assert sorted(word for word in said if word.isdigit()) == ["0"] * 16 + ["1"] * 2


def test_counts_are_those_of_each_step_and_of_the_first_fold() -> None:
    said = texts(drawn("counts", TWO))
    for number in (90, 91, 80, 81, 70, 71, 60, 61):
        assert said.count(str(number)) >= len(CLASSES)
    assert "fold 1 train" not in said


def test_dropped_rows_are_counted_by_reason() -> None:
    svg = drawn("dropped")
    assert re.search(r'aria-label="rows: 2; reason: double', svg)
    assert re.search(r'aria-label="rows: 1; reason: null: no label', svg)


def test_changed_labels_are_counted_by_old_and_new_label() -> None:
    svg = drawn("label_changes")
    assert {"m → n", "n → m"} <= {*texts(svg)}
    assert marks(svg, "bar") == 2


def test_differences_have_a_panel_per_pair_with_a_row_per_score_and_the_test_of_accuracy() -> None:
    svg, rows = drawn("differences"), table("differences", 0)
    said = texts(svg)
    assert [word for word in said if " \N{MINUS SIGN} " in word] == [
        "efficientnet \N{MINUS SIGN} resnet",
        "alexnet \N{MINUS SIGN} resnet",
        "alexnet \N{MINUS SIGN} efficientnet",
    ]
    assert marks(svg, "point") == len(rows) == 3 * 4
    shown = [f"{value:+.3f}".replace("-", "\N{MINUS SIGN}") for value in rows["difference"]]
    assert sorted(shown) == sorted(word for word in said if re.fullmatch(r".0\.\d{3}", word))
    assert sum(word.startswith(("noise", "better", "worse")) or ", p " in word for word in said) == 3


def test_a_difference_is_drawn_within_its_interval_and_zero_is_on_the_axis() -> None:
    row = {"first": "a", "second": "b", "score": "accuracy", "difference": "0.1", "low": "0.05", "high": "0.2"}
    svg = draw("differences", [row | {"p_holm": "0.04", "verdict": "better", "rev": "main"}])
    interval = re.search(r'<line [^>]*translate\(([\d.]+),[^>]*x2="([\d.]+)"[^>]*stroke-width="2.5"', svg)
    point = re.search(r'aria-roledescription="point" transform="translate\(([\d.]+),', svg)
    assert interval
    assert point
    low, length = float(interval[1]), float(interval[2])
    assert float(point[1]) == pytest.approx(low + length / 3, abs=0.1)
    zero = low - length / 3
    assert any(float(x) == pytest.approx(zero, abs=0.1) for x in re.findall(r"translate\(([\d.]+),0\)", svg))
    assert "0" in texts(svg)
    assert "better, p = 0.04" in texts(svg)


def test_reliability_has_a_point_and_an_interval_per_bin() -> None:
    svg, rows = drawn("reliability"), table("reliability", 0)
    assert len(rows) <= len(MODELS) * 2 * BINS
    assert {"raw", "temperature-scaled"} <= {*texts(svg)}
    assert marks(svg, "point") == marks(svg, "rule mark") == len(rows)


def test_risk_coverage_has_a_curve_per_model_and_a_point_for_its_threshold() -> None:
    svg, rows = drawn("risk_coverage"), table("risk_coverage", 0)
    thresholds = rows[rows["point"] == "threshold"]
    assert 0 < marks(svg, "point") <= len(thresholds) == len(MODELS)
    assert marks(svg, "line mark") == len(MODELS)


def test_the_pointing_game_shows_chance_and_center_and_leaves_out_a_model_without_cells() -> None:
    rows = as_text(pointing_table({"a": PointingResult(6, 10, 0.25, 1.0), "b": None}))
    svg = draw("pointing_game", [row | {"rev": "main"} for row in rows])
    assert {"60.0%", "6 of 10"} <= {*texts(svg)}
    assert "b" not in texts(svg)
    chance = re.search(r'aria-roledescription="tick" d="M([\d.]+),', svg)
    points = re.findall(r'aria-roledescription="point" transform="translate\(([\d.]+),', svg)
    assert chance
    assert float(chance[1]) + 1 == pytest.approx(0.25 * 520)  # its left edge, and half its width
    assert [float(place) for place in points] == pytest.approx([520, 0.6 * 520])
