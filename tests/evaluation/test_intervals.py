import pytest

from bloodcells.evaluation.intervals import newcombe, wilson


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        (32, 35, 0.776, 0.970),  # these three: the table of the original report
        (28, 35, 0.641, 0.900),
        (6, 35, 0.081, 0.327),
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3, and these
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_the_published_ones(successes: int, total: int, low: float, high: float) -> None:
    digits = 3 if total == 35 else 4
    assert tuple(round(bound, digits) for bound in wilson(successes, total)) == (low, high)


def test_wilson_intervals_stay_within_0_and_1_and_are_symmetric() -> None:
    assert wilson(20, 20)[1] == 1
    assert wilson(0, 20)[0] == 0
    low, high = wilson(3, 20)
    assert wilson(17, 20) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_refused(successes: int, total: int) -> None:
    with pytest.raises(ValueError):
        wilson(successes, total)


@pytest.mark.parametrize(
    ("first", "other", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombe_intervals_are_the_published_ones(
    first: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    assert newcombe(*first, *other) == pytest.approx((low, high), abs=5e-5)
    assert newcombe(*other, *first) == pytest.approx((-high, -low), abs=5e-5)


def test_a_difference_needs_observations_of_both_proportions() -> None:
    with pytest.raises(ValueError, match="both proportions"):
        newcombe(1, 2, 0, 0)
