from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bloodcells.evaluation.bootstrap import Estimate
from bloodcells.evaluation.comparison import ORIGINAL_REPORT, Entry, Pair
from bloodcells.evaluation.paired_tests import Paired
from bloodcells.reporting import charts
from bloodcells.reporting.style import ALARM, CLASS_COLORS, FAINT, MAX_BYTES, MODEL_COLORS

ENTRIES = [
    Entry("resnet", 90, 100, 0.9, 0.97, "model"),
    Entry("alexnet", 50, 100, 0.5, 0.8, "model"),
    Entry("largest class", 60, 100, 0.25, 0.75, "baseline"),
    *ORIGINAL_REPORT,
]


def drawn(path: Path) -> NDArray[np.uint8]:
    assert path.stat().st_size < MAX_BYTES
    with Image.open(path) as image:
        assert 900 <= image.width <= 1000  # readable at 800
        return np.asarray(image.convert("RGB"))


def mask(pixels: NDArray[np.uint8], color: str) -> NDArray[np.bool_]:
    rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return np.asarray((pixels == rgb).all(axis=-1))


def extent(marks: NDArray[np.bool_], axis: int) -> tuple[int, int]:
    at = np.flatnonzero(marks.any(axis=1 - axis))
    return int(at[0]), int(at[-1])


def peak(pixels: NDArray[np.uint8], color: str, left: int, right: int) -> int:
    """The column of a curve's highest point between two columns."""
    rows, columns = np.nonzero(mask(pixels, color)[: pixels.shape[0] * 3 // 4, left:right])
    return int(columns[rows.argmin()]) + left


def test_distribution_draws_each_class_where_its_pixels_are(tmp_path: Path) -> None:
    dark, bright = np.zeros((3, 256), np.int64), np.zeros((3, 256), np.int64)
    dark[:, 30:40], bright[:, 200:210] = 5, 7
    charts.distribution(tmp_path / "d.png", "Pixels", {"smear": {"monocyte": dark, "neutrophil": bright}})
    pixels = drawn(tmp_path / "d.png")
    third = pixels.shape[1] // 3
    left = peak(pixels, CLASS_COLORS["neutrophil"], 0, third)
    right = peak(pixels, CLASS_COLORS["neutrophil"], 2 * third, pixels.shape[1])
    assert left > third / 2  # bright values stand right in the panel of red, and in that of blue
    assert right > 2.5 * third
    charts.distribution(tmp_path / "e.png", "Pixels", {"smear": {"neutrophil": dark}})
    assert peak(drawn(tmp_path / "e.png"), CLASS_COLORS["neutrophil"], 0, third) < third / 2


def test_counts_draw_bars_as_long_as_the_counts(tmp_path: Path) -> None:
    rows = [("eosinophil", "published", 100), ("double", "published", 30), ("neutrophil", "published", 50)]
    rows += [("eosinophil", "kept", 100), ("neutrophil", "kept", 50)]
    charts.counts(tmp_path / "c.png", "Counts", rows)
    pixels = drawn(tmp_path / "c.png")
    long, short = (extent(mask(pixels, CLASS_COLORS[name]), 1) for name in ("eosinophil", "neutrophil"))
    assert short[1] - short[0] == pytest.approx((long[1] - long[0]) / 2, abs=3)


def test_counts_draw_the_parts_of_the_first_fold_beside(tmp_path: Path) -> None:
    rows = [("monocyte", "published", 20), ("eosinophil", "published", 40), ("eosinophil", "kept", 40)]
    parts = {"train": 30, "train balanced": 25, "validation": 4, "test": 6}
    rows += [("eosinophil", f"fold 3 {part}", count) for part, count in parts.items()]
    charts.counts(tmp_path / "c.png", "Counts", rows)
    _, right = extent(mask(drawn(tmp_path / "c.png"), CLASS_COLORS["eosinophil"]), 1)
    assert right > 700


def test_comparison_draws_models_in_their_colours_from_left_to_right_by_accuracy(tmp_path: Path) -> None:
    charts.comparison(tmp_path / "c.png", "Accuracy", ENTRIES)
    pixels = drawn(tmp_path / "c.png")
    better, worse = (mask(pixels, MODEL_COLORS[name]) for name in ("resnet", "alexnet"))
    assert extent(worse, 1)[1] < extent(better, 1)[0]  # their intervals don't meet
    assert extent(better, 0)[1] < extent(worse, 0)[0]  # in the order given
    wide = [np.ptp(extent(marks, 1)) for marks in (worse, better)]
    assert wide[0] > wide[1]  # an interval is wider at a half


def test_comparison_without_baseline_and_report(tmp_path: Path) -> None:
    charts.comparison(tmp_path / "c.png", "Accuracy", [Entry("vgg", 5, 5, 1.0, 1.0, "model")])
    drawn(tmp_path / "c.png")


def pair(difference: float, p_holm: float) -> Pair:
    """AlexNet less ResNet: the accuracies' difference, to either side 0.05, and that of another score, about 0."""
    ahead = (0, 10) if difference > 0 else (10, 0)
    accuracy = Estimate(difference, difference - 0.05, difference + 0.05)
    result = Paired(*ahead, 100, accuracy.value, accuracy.low, accuracy.high, p_holm)
    other = Estimate(0.0, -0.02, 0.02)
    return Pair("resnet", "alexnet", result, p_holm, 1, {"accuracy": accuracy, "macro F1": other})


def zero(pixels: NDArray[np.uint8]) -> int:
    """The column of the line of no difference: the one with the most ink, or nearly ink."""
    return int((pixels.max(axis=-1) < 120).sum(axis=0).argmax())


def test_differences_draw_the_tested_one_in_the_better_model_s_colour_to_its_side_of_0(tmp_path: Path) -> None:
    models = ["resnet", "alexnet"]
    charts.differences(tmp_path / "d.png", "Differences", [pair(-0.1, 0.01), pair(0.1, 0.01)], models)
    pixels = drawn(tmp_path / "d.png")
    minus, plus = (mask(pixels, MODEL_COLORS[name]) for name in models)
    middle = zero(pixels)
    left, right = extent(minus, 1), extent(plus, 1)
    assert left[1] < middle < right[0]
    assert sum(left) / 2 + sum(right) / 2 == pytest.approx(2 * middle, abs=3)
    assert right[1] - right[0] == pytest.approx(2 * (right[0] - middle), abs=3)  # from 0.05 to 0.15
    assert extent(minus, 0)[1] < extent(plus, 0)[0]  # in the order given


def test_differences_that_are_not_shown_have_no_model_s_colour(tmp_path: Path) -> None:
    charts.differences(tmp_path / "d.png", "Differences", [pair(-0.1, 0.2)], ["resnet", "alexnet"])
    pixels = drawn(tmp_path / "d.png")
    assert not any(mask(pixels, color).any() for color in MODEL_COLORS.values())
    left, right = extent(mask(pixels, FAINT), 1)
    assert left < zero(pixels) < right


def test_differences_of_one_model_alone(tmp_path: Path) -> None:
    charts.differences(tmp_path / "d.png", "Differences", [], ["resnet"])
    drawn(tmp_path / "d.png")


def test_a_reliability_diagram_lies_on_its_diagonal_where_the_confidence_is_right(tmp_path: Path) -> None:
    def drawn_at(shift: float) -> list[tuple[int, int]]:
        bins = [(c, c + shift, c + shift - 0.01, c + shift + 0.01) for c in (0.5, 0.8)]
        charts.reliability_diagrams(tmp_path / "r.png", "Reliability", {"alexnet": {"as it is": bins, "temperature_scaled": bins}})
        marks = mask(drawn(tmp_path / "r.png"), MODEL_COLORS["alexnet"])
        return [extent(marks, axis) for axis in (1, 0)]

    (left, right), (top, bottom) = drawn_at(0.0)
    assert right - left == pytest.approx(bottom - top, abs=4)  # 0.3 to the right is 0.3 up
    moved = drawn_at(0.1)
    assert moved[0] == pytest.approx((left, right), abs=1)
    assert moved[1][0] == pytest.approx(top - (right - left) / 3, abs=4)


def test_reliability_diagrams_of_more_models_than_fit_beside_each_other(tmp_path: Path) -> None:
    bins = [(0.6, 0.5, 0.3, 0.7), (0.9, 0.8, 0.7, 0.95)]
    names = ["resnet", "efficientnet", "alexnet", "vgg"]
    charts.reliability_diagrams(tmp_path / "r.png", "Reliability", {name: {"temperature_scaled": bins} for name in names})
    pixels = drawn(tmp_path / "r.png")
    assert all(mask(pixels, color).sum() > 50 for color in MODEL_COLORS.values())
    assert extent(mask(pixels, "#CC79A7"), 0)[0] > extent(mask(pixels, MODEL_COLORS["resnet"]), 0)[1]  # below


def test_risk_over_coverage_marks_what_the_threshold_gives(tmp_path: Path) -> None:
    curve = np.array([0.1, 0.5, 1.0]), np.array([0.0, 0.1, 0.2])

    def at(coverage: float) -> tuple[int, int]:
        chosen = {"alexnet": (coverage, 0.18, 0.05, 0.25)}
        charts.risk_coverage_curves(tmp_path / "a.png", "Abstaining", {"alexnet": curve}, chosen, 0.05)
        marks = mask(drawn(tmp_path / "a.png"), MODEL_COLORS["alexnet"])
        return extent(marks[: marks.shape[0] // 4], 1)  # the upper part, the legend in it

    assert at(0.9)[1] > at(0.4)[1] + 300
    charts.risk_coverage_curves(tmp_path / "a.png", "Abstaining", {"alexnet": curve}, {}, 0.05)
    drawn(tmp_path / "a.png")


def test_claims_stand_to_the_right_of_the_truth_where_they_flatter(tmp_path: Path) -> None:
    high, low, gap = Estimate(0.9, 0.85, 0.95), Estimate(0.3, 0.2, 0.4), Estimate(0.6, 0.5, 0.7)
    charts.claims(tmp_path / "flattered.png", "Claims", [("theirs", high, low, gap)])
    charts.claims(tmp_path / "modest.png", "Claims", [("theirs", low, high, gap)])
    below = 100  # the legend, which bears the colours too
    marks = {name: mask(drawn(tmp_path / f"{name}.png")[below:], ALARM) for name in ("flattered", "modest")}
    assert extent(marks["flattered"], 1)[0] > extent(marks["modest"], 1)[1]
    charts.claims(tmp_path / "two.png", "Claims", [("theirs", high, low, gap), ("ours", low, low, gap)])
    assert drawn(tmp_path / "two.png").shape[0] > drawn(tmp_path / "modest.png").shape[0]
