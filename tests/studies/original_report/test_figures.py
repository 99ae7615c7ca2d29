"""Figures of predictions that are made by hand, so that each is known beforehand."""

import math

import numpy as np
import pandas as pd
import pytest

from bloodcells.evaluation.intervals import wilson
from studies.original_report.figures import ORIGINAL, PROPOSED, Figure, figures
from tests.support.smallset import CLASSES

Cells = list[tuple[str, str, bool]]
"""Image, class, and whether it is predicted correctly."""

LEAKED = pd.DataFrame(
    [("grouped", 1, 0, 347), ("ungrouped", 1, 31, 347), ("ungrouped", 2, 27, 347), ("ungrouped", 3, 41, 347)],
    columns=["folds", "seed", "n_leaked", "n_cells"],
)

TEST: Cells = [(f"n{i}.jpg", "neutrophil", i < 30) for i in range(60)] + [
    (f"e{i}.jpg", "eosinophil", i < 18) for i in range(20)
]
"""Half of the neutrophils and nine in ten eosinophils are correct: 48 of 80."""

COPIES: Cells = [(f"n{i}.jpg", "neutrophil", i < 24) for i in range(30)] + [("e0.jpg", "eosinophil", True)] * 30
"""Four in five neutrophils, and one eosinophil thirty times: 54 of 60."""


def other(label: str) -> str:
    return CLASSES[(CLASSES.index(label) + 1) % len(CLASSES)]


def part(protocol: str, name: str, cells: Cells, in_training: bool = False) -> pd.DataFrame:
    """Make the predictions of a part, the same for unchanged and perturbed images."""
    predicted = [label if correct else other(label) for _, label, correct in cells]
    return pd.DataFrame(
        {
            "protocol": protocol,
            "fold": 0,
            "part": name,
            "image": [image for image, *_ in cells],
            "in_training": in_training,
            "actual": [label for _, label, _ in cells],
            "unchanged": predicted,
            "tta": predicted,
            "perturbed": [label[0] * 4 for label in predicted],
        }
    )


PARTS = {
    (ORIGINAL, "validation"): part(ORIGINAL, "validation", COPIES, in_training=True),
    (ORIGINAL, "test"): part(ORIGINAL, "test", TEST),
    (PROPOSED, "validation"): part(PROPOSED, "validation", TEST[10:50]),
    (PROPOSED, "test"): part(PROPOSED, "test", TEST[::-1]),
}


def of(*instead: pd.DataFrame) -> dict[str, Figure]:
    """Compute the figures, with other predictions in place of those of the same part."""
    parts = PARTS | {(table["protocol"].iloc[0], table["part"].iloc[0]): table for table in instead}
    return {figure.figure: figure for figure in figures(pd.concat(parts.values()), LEAKED, 2000, seed=1)}


def width(figure: Figure) -> float:
    assert figure.low is not None
    assert figure.high is not None
    return figure.high - figure.low


def test_optimism_is_validation_minus_test_also_at_the_same_class_proportions() -> None:
    expected = {
        "original: validation accuracy, perturbed once": 54 / 60,
        "original: validation accuracy": 54 / 60,
        "original: test accuracy": 48 / 80,
        "original: optimism, perturbed once": 0.9 - 0.6,
        "original: optimism": 0.9 - 0.6,
        "original: test accuracy, reweighted": 0.5 * 0.5 + 0.5 * 0.9,
        "original: optimism from copies": 0.9 - 0.7,
        "proposed: validation accuracy": 20 / 40,
        "proposed: test accuracy": 48 / 80,
        "proposed: optimism": 0.5 - 0.6,
        "excess optimism": 0.2 + 0.1,
        "original: validation rows in training": 1,
        "proposed: validation rows in training": 0,
        "proposed - original: test accuracy": 0,
        "proposed - original: p": 1,
    }
    found = of()
    assert {name: found[name].value for name in expected} == pytest.approx(expected)


def test_each_figure_has_the_interval_that_suits_it() -> None:
    found = of()
    kinds = {
        "original: optimism": "bootstrap",
        "original: test accuracy": "Wilson",
        "prediction instability": "Wilson",
        "printed - sensitivity: neutrophil": "Newcombe",
        "near-duplicates in training, ungrouped folds": "range",
    }
    assert {name: found[name].interval for name in kinds} == kinds
    assert found["original: test accuracy"][2:4] == pytest.approx(wilson(48, 80), abs=1e-4)
    assert found["original: test accuracy"].n == 80
    for figure in found.values():
        if figure.interval:
            assert figure.low is not None
            assert figure.high is not None
            assert figure.value is not None
            assert figure.low <= figure.value <= figure.high
        assert not any(isinstance(value, float) and not math.isfinite(value) for value in figure)


def test_copies_of_an_image_are_resampled_together() -> None:
    """Ten images with ten copies each tell no more than ten images."""
    few: Cells = [(f"n{i}.jpg", "neutrophil", i % 2 == 0) for i in range(10)]
    many: Cells = [(f"m{i}.jpg", "neutrophil", i % 2 == 0) for i in range(100)]
    copied, single = (
        width(of(part(ORIGINAL, "validation", cells))["original: validation accuracy"]) for cells in (few * 10, many)
    )
    assert copied == pytest.approx(math.sqrt(10) * single, rel=0.15)


def test_validation_and_test_are_resampled_together() -> None:
    found = of(part(ORIGINAL, "validation", TEST * 2))["original: optimism"]
    assert (found.value, found.low, found.high) == (0, 0, 0)  # the same images: resampled apart, it would vary


def test_the_protocols_are_compared_cell_by_cell_whatever_the_order() -> None:
    better = [(image, label, correct or i % 3 == 0) for i, (image, label, correct) in enumerate(TEST)]
    found = of(part(PROPOSED, "test", better[::-1]))
    gained = sum(correct for *_, correct in better) - 48
    assert found["proposed - original: test accuracy"].value == pytest.approx(gained / 80)
    assert found["proposed - original: p"].value == pytest.approx(2 * 0.5**gained, rel=0.01)


def test_noise_and_instability_are_those_of_the_perturbed_predictions() -> None:
    """The first of four draws misclassifies eight of 80 cells, the second four of them."""
    test = PARTS[PROPOSED, "test"].copy()
    correct = [label[0] * 4 for label in test["actual"]]
    wrong = [other(label)[0] for label in test["actual"]]
    test["perturbed"] = [
        (wrong[i] if i < 8 else draws[0]) + (wrong[i] if i < 4 else draws[1]) + draws[2:]
        for i, draws in enumerate(correct)
    ]
    found = of(test)
    assert found["test accuracy, perturbed"][1:4] == pytest.approx((1 - 12 / 320, 0.9, 1), abs=1e-4)
    assert found["prediction instability"].value == 0.1
    expected = np.std([0.9, 0.95, 1, 1], ddof=1)
    assert found["test accuracy, perturbed: standard deviation"].value == pytest.approx(expected, abs=1e-4)
    assert found["perturbed - no augmentation"].value == pytest.approx(1 - 12 / 320 - 0.6, abs=1e-4)


def test_sensitivities_are_printed_under_the_report_s_names() -> None:
    found = of()
    assert found["sensitivity: neutrophil"].value == 0.5
    assert found["printed sensitivity: neutrophil"].value == 0.9
    assert found["printed - sensitivity: neutrophil"].value == 0.4
    assert found["printed sensitivity: lymphocyte"].value == 0.5
    assert found["sensitivity: lymphocyte"].value is None  # none was tested
    assert found["printed - sensitivity: lymphocyte"].value is None
    assert found["printed - sensitivity: monocyte"].value == 0


def test_the_report_s_own_rows_follow_from_its_confusion_matrix() -> None:
    """Its ResNet: 6 of 6 eosinophils, 3 of 3 lymphocytes, 3 of 3 monocytes, 16 of 23 neutrophils."""
    counts = {"eosinophil": (6, 6), "lymphocyte": (3, 3), "monocyte": (3, 3), "neutrophil": (16, 23)}
    cells = [(f"{label}{i}", label, i < correct) for label, (correct, n) in counts.items() for i in range(n)]
    found = of(part(PROPOSED, "test", cells), part(ORIGINAL, "test", cells))
    printed = {"neutrophil": 1.0, "eosinophil": 1.0, "monocyte": 1.0, "lymphocyte": 0.696}
    assert {name: round(found[f"printed sensitivity: {name}"].value or 0, 3) for name in printed} == printed
    assert round(found["proposed: test accuracy"].value or 0, 3) == 0.8


def test_near_duplicates_are_those_of_the_first_seed_with_the_range_of_all() -> None:
    found = of()
    assert found["near-duplicates in training, ungrouped folds"][1:] == (31, 27, 41, "range", 347)
    assert found["near-duplicates in training, grouped folds"][1:] == (0, None, None, "", 347)


def test_initials_tell_the_classes_apart() -> None:
    assert len({label[0] for label in CLASSES}) == len(CLASSES)


def test_the_same_predictions_give_the_same_figures() -> None:
    assert of() == of()
