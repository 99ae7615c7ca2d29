from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from bloodcells.core.errors import InputError
from bloodcells.splits.folds import Split, assign_folds, split
from bloodcells.splits.resampling import balance

PUBLISHED = {"neutrophil": 206, "eosinophil": 88, "lymphocyte": 33, "monocyte": 20}
DOWN = {"neutrophil": 0.1}
UP = {"eosinophil": 0.5, "lymphocyte": 0.5, "monocyte": 0.5}


def cells(counts: dict[str, int], seed: int = 0) -> list[str]:
    labels = [label for label, count in counts.items() for _ in range(count)]
    np.random.default_rng(seed).shuffle(labels)
    return labels


def alone(labels: list[str]) -> NDArray[np.int64]:
    return np.arange(len(labels))


def part(labels: list[str], groups: NDArray[np.int64], fold: int = 0, folds: int = 5, seed: int = 1) -> Split:
    dealt = assign_folds(labels, groups, folds, seed)
    return split(labels, groups, dealt, fold, validation=0.125, downsample=DOWN, oversample=UP, seed=seed)


def faults(parts: Split, groups: NDArray[np.int64]) -> list[str]:
    """Say what is wrong with a split: groups on two sides, cells that are lost, copies where none may be."""
    sides = {"train": parts.balanced, "validation": parts.validation, "test": parts.test}
    found = []
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if set(groups[sides[one]].tolist()) & set(groups[sides[other]].tolist()):
            found.append(f"a group stands in {one} and in {other}")
    found += [f"copies in {name}" for name in ("validation", "test") if max(Counter(sides[name].tolist()).values()) > 1]
    if not set(parts.balanced.tolist()) <= set(parts.train.tolist()):
        found.append("balanced training holds what training does not")
    if sorted(np.concatenate([parts.train, parts.validation, parts.test])) != list(range(len(groups))):
        found.append("each cell must stand in one part")
    return found


@pytest.mark.parametrize("seed", range(4))
def test_no_group_stands_on_two_sides_of_a_split(seed: int) -> None:
    labels = cells(PUBLISHED, seed)
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 200, len(labels))  # many share one, across classes too
    for fold in range(5):
        assert faults(part(labels, groups, fold, seed=seed), groups) == []


def test_oversampling_before_splitting_would_be_noticed() -> None:
    """The fault that the original notebook has: copies are made first, then dealt, so that they are tested on."""
    labels = cells(PUBLISHED)
    origin = balance(labels, DOWN, UP, seed=1)
    copies = [labels[i] for i in origin]
    leaky = part(copies, alone(copies))
    wrong = Split(*(origin[indices] for indices in (leaky.train, leaky.balanced, leaky.validation, leaky.test)))
    assert {"a group stands in train and in test", "copies in test"} <= set(faults(wrong, alone(labels)))
    assert faults(part(labels, alone(labels)), alone(labels)) == []


def test_forgotten_groups_would_be_noticed() -> None:
    labels = cells(PUBLISHED)
    pairs = alone(labels) // 2
    assert faults(part(labels, alone(labels)), pairs)
    assert not faults(part(labels, pairs), pairs)


@pytest.mark.parametrize("counts", [PUBLISHED, {"eosinophil": 5, "monocyte": 6, "neutrophil": 11}])
def test_each_fold_has_its_share_of_each_class(counts: dict[str, int]) -> None:
    labels = cells(counts)
    folds = assign_folds(labels, alone(labels), 5, seed=1)
    for label, count in counts.items():
        in_fold = [np.count_nonzero((np.array(labels) == label) & (folds == fold)) for fold in range(5)]
        assert all(abs(number - count / 5) < 1 for number in in_fold), (label, in_fold)


def test_the_same_seed_deals_alike_and_another_otherwise() -> None:
    labels = cells(PUBLISHED)
    first, again, other = (part(labels, alone(labels), seed=seed) for seed in (1, 1, 2))
    for name in ("train", "balanced", "validation", "test"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


def test_validation_is_a_share_of_what_is_not_tested_and_holds_every_class() -> None:
    labels = cells(PUBLISHED)
    parts = part(labels, alone(labels))
    assert abs(len(parts.validation) - (347 - len(parts.test)) / 8) < 4
    assert {labels[i] for i in parts.validation} == set(PUBLISHED)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("validation", [0.5, 0.125, 0.001])
@pytest.mark.parametrize("count", [5, 6, 9])
def test_few_cells_are_parted_without_a_warning(count: int, validation: float) -> None:
    """A share of 1/1000 means 1000 parts, more than there are cells: as many parts as can be are dealt instead."""
    labels = cells(dict.fromkeys(PUBLISHED, count))
    folds = assign_folds(labels, alone(labels), 5, seed=1)
    parts = split(labels, alone(labels), folds, 0, validation=validation, downsample={}, oversample={}, seed=1)
    assert faults(parts, alone(labels)) == []
    assert len(parts.validation) > 0
    assert {labels[i] for i in parts.train} == set(PUBLISHED)


def test_a_class_with_fewer_cells_than_folds_is_named() -> None:
    labels = cells({"neutrophil": 20, "monocyte": 4})
    with pytest.raises(InputError, match=r"5 folds \(clean\.folds\): monocyte has 4; lower clean\.folds or add cells"):
        assign_folds(labels, alone(labels), 5, seed=1)


def test_near_duplicates_count_once_among_the_cells_of_a_class() -> None:
    labels = cells({"neutrophil": 20, "monocyte": 6})
    groups = alone(labels)
    groups[[i for i, label in enumerate(labels) if label == "monocyte"][:3]] = 0
    with pytest.raises(InputError, match="monocyte has 4"):
        assign_folds(labels, groups, 5, seed=1)


def test_a_class_that_can_t_stand_in_training_and_validation_is_named() -> None:
    labels = cells({"neutrophil": 20, "monocyte": 2})
    with pytest.raises(InputError, match=r"outside fold \d: monocyte has 1; add cells"):
        for fold in range(2):
            part(labels, alone(labels), fold, folds=2)


def test_balancing_leaves_out_and_repeats_as_it_is_told() -> None:
    labels = cells({"neutrophil": 100, "eosinophil": 60, "lymphocyte": 20, "monocyte": 10})
    chosen = balance(labels, {"neutrophil": 0.1}, {"lymphocyte": 0.5, "monocyte": 1.0}, seed=1)
    assert Counter(labels[i] for i in chosen) == {
        "neutrophil": 90,
        "eosinophil": 60,
        "lymphocyte": 45,
        "monocyte": 90,
    }
    times = Counter(chosen.tolist())
    assert all(times[i] == 1 for i, label in enumerate(labels) if label == "eosinophil")
    assert all(times[i] <= 1 for i, label in enumerate(labels) if label == "neutrophil")
    assert all(times[i] >= 1 for i, label in enumerate(labels) if label in ("lymphocyte", "monocyte"))
    assert (np.diff(chosen) >= 0).all()


def test_no_rate_changes_nothing_and_a_full_one_leaves_a_cell() -> None:
    labels = cells({"neutrophil": 9, "monocyte": 4})
    assert balance(labels, {}, {}, seed=1).tolist() == list(range(13))
    kept = balance(labels, {"neutrophil": 1.0}, {"lymphocyte": 1.0}, seed=1)
    assert Counter(labels[i] for i in kept) == {"neutrophil": 1, "monocyte": 4}
