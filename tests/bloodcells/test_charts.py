from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bloodcells import charts
from bloodcells.comparison import ORIGINAL_REPORT, Entry
from bloodcells.figures import CLASS_COLOURS, MAX_BYTES, MODEL_COLOURS

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


def mask(pixels: NDArray[np.uint8], colour: str) -> NDArray[np.bool_]:
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.asarray((pixels == rgb).all(axis=-1))


def extent(marks: NDArray[np.bool_], axis: int) -> tuple[int, int]:
    at = np.flatnonzero(marks.any(axis=1 - axis))
    return int(at[0]), int(at[-1])


def peak(pixels: NDArray[np.uint8], colour: str, left: int, right: int) -> int:
    """The column of a curve's highest point between two columns."""
    rows, columns = np.nonzero(mask(pixels, colour)[: pixels.shape[0] * 3 // 4, left:right])
    return int(columns[rows.argmin()]) + left


def test_distribution_draws_each_class_where_its_pixels_are(tmp_path: Path) -> None:
    dark, bright = np.zeros((3, 256), np.int64), np.zeros((3, 256), np.int64)
    dark[:, 30:40], bright[:, 200:210] = 5, 7
    charts.distribution(tmp_path / "d.png", "Pixels", {"smear": {"monocyte": dark, "neutrophil": bright}})
    pixels = drawn(tmp_path / "d.png")
    third = pixels.shape[1] // 3
    left = peak(pixels, CLASS_COLOURS["neutrophil"], 0, third)
    right = peak(pixels, CLASS_COLOURS["neutrophil"], 2 * third, pixels.shape[1])
    assert left > third / 2  # bright values stand right in the panel of red, and in that of blue
    assert right > 2.5 * third
    charts.distribution(tmp_path / "e.png", "Pixels", {"smear": {"neutrophil": dark}})
    assert peak(drawn(tmp_path / "e.png"), CLASS_COLOURS["neutrophil"], 0, third) < third / 2


def test_counts_draw_bars_as_long_as_the_counts(tmp_path: Path) -> None:
    rows = [("eosinophil", "published", 100), ("double", "published", 30), ("neutrophil", "published", 50)]
    rows += [("eosinophil", "kept", 100), ("neutrophil", "kept", 50)]
    charts.counts(tmp_path / "c.png", "Counts", rows)
    pixels = drawn(tmp_path / "c.png")
    long, short = (extent(mask(pixels, CLASS_COLOURS[name]), 1) for name in ("eosinophil", "neutrophil"))
    assert short[1] - short[0] == pytest.approx((long[1] - long[0]) / 2, abs=3)


def test_counts_draw_the_parts_of_the_first_fold_beside(tmp_path: Path) -> None:
    rows = [("monocyte", "published", 20), ("eosinophil", "published", 40), ("eosinophil", "kept", 40)]
    parts = {"train": 30, "train balanced": 25, "validation": 4, "test": 6}
    rows += [("eosinophil", f"fold 3 {part}", count) for part, count in parts.items()]
    charts.counts(tmp_path / "c.png", "Counts", rows)
    _, right = extent(mask(drawn(tmp_path / "c.png"), CLASS_COLOURS["eosinophil"]), 1)
    assert right > 700


def test_comparison_draws_models_in_their_colours_from_left_to_right_by_accuracy(tmp_path: Path) -> None:
    charts.comparison(tmp_path / "c.png", "Accuracy", ENTRIES)
    pixels = drawn(tmp_path / "c.png")
    better, worse = (mask(pixels, MODEL_COLOURS[name]) for name in ("resnet", "alexnet"))
    assert extent(worse, 1)[1] < extent(better, 1)[0]  # their intervals don't meet
    assert extent(better, 0)[1] < extent(worse, 0)[0]  # in the order given
    wide = [np.ptp(extent(marks, 1)) for marks in (worse, better)]
    assert wide[0] > wide[1]  # an interval is wider at a half


def test_comparison_without_baseline_and_report(tmp_path: Path) -> None:
    charts.comparison(tmp_path / "c.png", "Accuracy", [Entry("vgg", 5, 5, 1.0, 1.0, "model")])
    drawn(tmp_path / "c.png")
