import math
from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score

from bloodcells.core.errors import InputError
from bloodcells.datasets.corrections import Correction
from bloodcells.evaluation.agreement import agreement
from bloodcells.evaluation.intervals import wilson


def readings(names: str, reader: str = "AB", start: int = 0) -> list[Correction]:
    """Return what a reader says about the cells from `start` on."""
    return [
        Correction(f"{place}.jpg", "monocyte", name, reader, "", "", Path(f"{reader}.csv"), place + 2)
        for place, name in enumerate(names.split(), start)
    ]


def test_kappa_with_the_interval_of_fleiss_cohen_and_everitt() -> None:
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: kappa 0.4; standard error worked out from the paper's formula
    first = readings("yes " * 25 + "no " * 25)
    second = readings("yes " * 20 + "no " * 5 + "yes " * 10 + "No " * 15, "CD")
    found = agreement(first, second)
    assert found.proportion == (35 / 50, *wilson(35, 50))
    assert [len(found.agreed), len(found.disagreed), len(found.unsure), found.both] == [35, 15, 0, 50]
    observed, expected = 0.7, 0.5
    diagonal = sum(p * (1 - (row + column) * 0.6) ** 2 for p, row, column in ((0.4, 0.5, 0.6), (0.3, 0.5, 0.4)))
    other = 0.6**2 * (0.1 * (0.6 + 0.5) ** 2 + 0.2 * (0.5 + 0.4) ** 2)
    error = math.sqrt((diagonal + other - (0.4 - expected * 0.6) ** 2) / 50) / (1 - expected)
    assert found.kappa == pytest.approx((0.4, 0.4 - 1.96 * error, 0.4 + 1.96 * error), abs=1e-4)
    assert observed - expected == pytest.approx(found.kappa[0] * (1 - expected))


def test_several_classes_as_scikit_learn_has_it() -> None:
    first, second = "a b c drop a b c a a b", "a b b drop a c c a b b"
    found = agreement(readings(first), readings(second, "CD"))
    assert found.kappa[0] == pytest.approx(cohen_kappa_score(first.split(), second.split()))
    assert [(a.image, a.new, b.new) for a, b in found.disagreed] == [
        ("2.jpg", "c", "b"),
        ("5.jpg", "b", "c"),
        ("8.jpg", "a", "b"),
    ]


def test_only_cells_on_which_both_decided_count() -> None:
    found = agreement(readings("a unsure b a"), readings("Unsure b c b", "CD", start=1))
    assert found.both == 3
    assert [pair[0].image for pair in found.unsure] == ["1.jpg"]
    assert [pair[0].image for pair in found.agreed] == ["2.jpg"]
    assert [pair[0].image for pair in found.disagreed] == ["3.jpg"]


@pytest.mark.parametrize(
    ("first", "second", "kappa"), [("a b a", "a b a", 1.0), ("a a a", "a b a", 0.0), ("a a a", "a a a", math.nan)]
)
def test_where_an_interval_would_be_a_point_there_is_none(first: str, second: str, kappa: float) -> None:
    found = agreement(readings(first), readings(second, "CD"))
    assert found.kappa == pytest.approx((kappa, math.nan, math.nan), nan_ok=True)


def test_without_a_common_cell_there_is_no_agreement() -> None:
    with pytest.raises(InputError, match=r"AB\.csv and CD\.csv have no cell on which both"):
        agreement(readings("a unsure"), readings("a b", "CD", start=1))
