"""Figures of answers that are made by hand, so that each is known beforehand."""

import math

import numpy as np
import pytest

from bloodcells.core.classes import CLASSES
from bloodcells.evaluation.intervals import wilson
from studies.original_report.optimism import BOOTSTRAP, NEWCOMBE, RANGE, WILSON, Deal, Figure, figures, newcombe
from studies.original_report.predictions import FAULTY, OURS, TEST, VALIDATION, Answers, together

EOSINOPHIL, LYMPHOCYTE, MONOCYTE, NEUTROPHIL = range(4)
ORDINARY = [Deal(1, 31, 347), Deal(2, 27, 347), Deal(3, 41, 347)]


def part(protocol: str, name: str, cells: list[tuple[str, int, bool]], trained_on: bool = False) -> Answers:
    """Make answers of a part from image, class and whether it is right, in whichever way it is seen."""
    actual = np.array([label for _, label, _ in cells])
    said = np.where([right for *_, right in cells], actual, (actual + 1) % 4)
    return Answers(
        protocol=np.full(len(cells), protocol),
        fold=np.zeros(len(cells), np.int64),
        part=np.full(len(cells), name),
        image=np.array([image for image, *_ in cells]),
        in_training=np.full(len(cells), trained_on),
        actual=actual,
        as_it_is=said,
        views=said,
        draws=np.repeat(said[:, None], 4, axis=1),
    )


TESTED = [(f"n{i}.jpg", NEUTROPHIL, i < 30) for i in range(60)] + [(f"e{i}.jpg", EOSINOPHIL, i < 18) for i in range(20)]
"""Half of the neutrophils and nine in ten eosinophils are right: 48 of 80."""

COPIED = [(f"n{i}.jpg", NEUTROPHIL, i < 24) for i in range(30)] + [("e0.jpg", EOSINOPHIL, True)] * 30
"""Four in five neutrophils, and one eosinophil thirty times: 54 of 60."""

ANSWERS = together(
    [
        part(FAULTY, VALIDATION, COPIED, trained_on=True),
        part(FAULTY, TEST, TESTED),
        part(OURS, VALIDATION, TESTED[10:50]),
        part(OURS, TEST, TESTED[::-1]),
    ]
)

_REST = ((FAULTY, TEST), (OURS, VALIDATION), (OURS, TEST))


def of(answers: Answers = ANSWERS, resamples: int = 2000) -> dict[str, Figure]:
    return figures(answers, ORDINARY, Deal(1, 0, 347), resamples, seed=1)


def changed(answers: Answers, **columns: np.ndarray) -> Answers:
    return Answers(**{**vars(answers), **columns})


def test_a_claim_is_held_against_the_test_and_against_the_test_at_its_mix_of_classes() -> None:
    found = of()
    expected = {
        "claim": 54 / 60,
        "claim, unchanged": 54 / 60,
        "truth": 48 / 80,
        "flattery": 0.9 - 0.6,
        "truth, mixed": 0.5 * 0.5 + 0.5 * 0.9,
        "flattery of copies": 0.9 - 0.7,
        "our claim": 20 / 40,
        "our truth": 48 / 80,
        "our flattery": 0.5 - 0.6,
        "excess flattery": 0.2 + 0.1,
        "trained on": 1,
        "our trained on": 0,
        "ours - original": 0,
        "ours - original, p": 1,
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)


def test_figures_bear_the_interval_that_suits_them() -> None:
    found = of()
    kinds = {"flattery": BOOTSTRAP, "claim": BOOTSTRAP, "truth": WILSON, "fickle": WILSON, "twins": RANGE}
    assert {name: found[name].interval for name in kinds} == kinds
    assert (found["truth"].low, found["truth"].high) == pytest.approx(wilson(48, 80), abs=1e-4)
    for figure in found.values():
        if figure.interval:
            assert figure.low is not None
            assert figure.high is not None
            assert figure.value is not None
            assert figure.low <= figure.value <= figure.high
        assert not any(isinstance(value, float) and not math.isfinite(value) for value in figure)


def test_copies_of_one_image_are_drawn_together() -> None:
    """One image decides half of the claim, so that the claim is surer than that of thirty images by no means."""
    wrong_or_right = [(f"n{i}.jpg", NEUTROPHIL, i % 2 == 0) for i in range(10)]
    single = [(f"m{i}.jpg", NEUTROPHIL, i % 2 == 0) for i in range(100)]
    width = {}
    for name, rows in (("copied", wrong_or_right * 10), ("single", single)):
        answers = together([part(FAULTY, VALIDATION, rows), *(ANSWERS.of(*key) for key in _REST)])
        claim = of(answers)["claim"].estimate
        width[name] = claim.high - claim.low
    assert width["copied"] == pytest.approx(math.sqrt(10) * width["single"], rel=0.15)


def test_a_claim_on_the_tested_images_themselves_differs_from_the_truth_by_nothing_for_sure() -> None:
    answers = together([part(FAULTY, VALIDATION, TESTED * 2), *(ANSWERS.of(*key) for key in _REST)])
    flattery = of(answers)["flattery"].estimate
    assert (flattery.value, flattery.low, flattery.high) == (0, 0, 0)  # were they drawn apart, it would vary


def test_the_networks_are_compared_cell_by_cell_whatever_the_order() -> None:
    better = [(image, label, right or i % 3 == 0) for i, (image, label, right) in enumerate(TESTED)]
    kept = [ANSWERS.of(*key) for key in ((FAULTY, VALIDATION), (FAULTY, TEST), (OURS, VALIDATION))]
    answers = together([*kept, part(OURS, TEST, better[::-1])])
    found = of(answers)
    gained = sum(right for *_, right in better) - 48
    assert found["ours - original"].value == pytest.approx(gained / 80)
    assert found["ours - original, p"].value == pytest.approx(2 * 0.5**gained, rel=0.01)


def test_random_change_is_measured_over_the_draws() -> None:
    tested = ANSWERS.of(OURS, TEST)
    right = tested.actual
    draws = np.repeat(right[:, None], 4, axis=1)
    draws[:8, 0] = (right[:8] + 1) % 4  # the first draw has eight of 80 wrong, the second four of them
    draws[:4, 1] = (right[:4] + 1) % 4
    answers = together(
        [
            ANSWERS.of(FAULTY, VALIDATION),
            ANSWERS.of(FAULTY, TEST),
            ANSWERS.of(OURS, VALIDATION),
            changed(tested, draws=draws),
        ]
    )
    found = of(answers)
    mean = found["changed, mean of draws"].estimate
    assert (mean.value, mean.low, mean.high) == pytest.approx((1 - 12 / 320, 0.9, 1), abs=1e-4)
    assert found["fickle"].value == 0.1
    assert found["changed, deviation"].value == pytest.approx(np.std([0.9, 0.95, 1, 1], ddof=1), abs=1e-4)
    assert found["changed - as it is"].value == pytest.approx(1 - 12 / 320 - 0.6, abs=1e-4)


def test_names_are_printed_as_in_the_report() -> None:
    found = of()
    assert found["sensitivity: neutrophil"].value == 0.5
    assert found["printed: neutrophil"].value == 0.9
    assert found["misnamed: neutrophil"].estimate.value == 0.4
    assert found["misnamed: neutrophil"].interval == NEWCOMBE
    assert found["printed: lymphocyte"].value == 0.5
    assert found["sensitivity: lymphocyte"].value is None  # none was tested
    assert found["misnamed: lymphocyte"].value is None
    assert (found["misnamed: monocyte"].value, found["misnamed: monocyte"].interval) == (0, "")
    assert {f"printed: {name}" for name in CLASSES} <= set(found)


def test_the_report_s_own_rows_come_out_of_its_matrix() -> None:
    """Its ResNet: 6 of 6 eosinophils, 3 of 3 lymphocytes, 3 of 3 monocytes, 16 of 23 neutrophils."""
    cells = [
        (f"{label}{i}.jpg", label, i < right)
        for label, right, count in ((EOSINOPHIL, 6, 6), (LYMPHOCYTE, 3, 3), (MONOCYTE, 3, 3), (NEUTROPHIL, 16, 23))
        for i in range(count)
    ]
    answers = together([part(protocol, name, cells) for protocol in (FAULTY, OURS) for name in (VALIDATION, TEST)])
    found = of(answers)
    printed = {"neutrophil": 1.0, "eosinophil": 1.0, "monocyte": 1.0, "lymphocyte": 0.696}
    assert {name: round(found[f"printed: {name}"].value or 0, 3) for name in printed} == printed
    assert round(found["truth"].value or 0, 3) == 0.8


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombe_gives_the_published_intervals(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    assert newcombe(*first, *second) == pytest.approx((low, high), abs=5e-5)


def test_twins_are_those_of_our_seed_with_the_range_of_all() -> None:
    found = of()
    assert found["twins"][1:4] == (31, 27, 41)
    assert found["our twins"].value == 0


def test_the_same_answers_give_the_same_figures() -> None:
    assert of() == of()


def test_a_figure_without_an_interval_has_no_estimate() -> None:
    with pytest.raises(ValueError, match="our twins has no interval"):
        _ = of()["our twins"].estimate
