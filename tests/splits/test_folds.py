from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest

from bloodcells.core.errors import InputError
from bloodcells.splits.folds import Split, assign_folds, split_cells
from bloodcells.splits.resampling import resample

PUBLISHED = {"neutrophil": 206, "eosinophil": 88, "lymphocyte": 33, "monocyte": 20}
DOWN, UP = 0.1, 0.5


def cells(counts: dict[str, int], seed: int = 0) -> list[str]:
    labels = [label for label, count in counts.items() for _ in range(count)]
    np.random.default_rng(seed).shuffle(labels)
    return labels


def named(numbers: Iterable[int]) -> list[str]:
    return [f"image {number}.jpg" for number in numbers]


def ungrouped(labels: list[str]) -> list[str]:
    return named(range(len(labels)))


def make_split(labels: list[str], groups: list[str], fold: int = 0, n_splits: int = 5, seed: int = 1) -> Split:
    folds = assign_folds(labels, groups, n_splits, seed)
    return split_cells(labels, groups, folds, fold, validation=0.125, downsample=DOWN, oversample=UP, seed=seed)


def faults(split: Split, groups: list[str]) -> list[str]:
    """List what is wrong with a split: groups in two parts, lost cells, repetitions outside training."""
    parts = {"train": split.resampled, "validation": split.validation, "test": split.test}
    found = []
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if {groups[i] for i in parts[one]} & {groups[i] for i in parts[other]}:
            found.append(f"a group is in {one} and {other}")
    found += [f"copies in {name}" for name in ("validation", "test") if max(Counter(parts[name].tolist()).values()) > 1]
    if not set(split.resampled.tolist()) <= set(split.train.tolist()):
        found.append("resampled cells are not from training")
    if sorted(np.concatenate([split.train, split.validation, split.test])) != list(range(len(groups))):
        found.append("not every cell is in one part")
    return found


@pytest.mark.parametrize("seed", range(4))
def test_no_group_is_in_two_parts(seed: int) -> None:
    labels = cells(PUBLISHED, seed)
    groups = named(
        np.random.default_rng(seed).integers(0, 200, len(labels))
    )  # many cells share a group, across classes too
    for fold in range(5):
        assert faults(make_split(labels, groups, fold, seed=seed), groups) == []


def test_resampling_before_splitting_would_be_detected() -> None:
    """The original notebook repeats cells first and splits them afterwards, so that it tests on copies."""
    labels = cells(PUBLISHED)
    origin = resample(labels, "neutrophil", DOWN, UP, seed=1)
    copies = [labels[i] for i in origin]
    leaky = make_split(copies, ungrouped(copies))
    wrong = Split(*(origin[indices] for indices in (leaky.train, leaky.resampled, leaky.validation, leaky.test)))
    assert {"a group is in train and test", "copies in test"} <= set(faults(wrong, ungrouped(labels)))
    assert faults(make_split(labels, ungrouped(labels)), ungrouped(labels)) == []


def test_ignoring_groups_would_be_detected() -> None:
    labels = cells(PUBLISHED)
    pairs = named(i // 2 for i in range(len(labels)))
    assert faults(make_split(labels, ungrouped(labels)), pairs)
    assert not faults(make_split(labels, pairs), pairs)


@pytest.mark.parametrize("counts", [PUBLISHED, {"eosinophil": 5, "monocyte": 6, "neutrophil": 11}])
def test_folds_are_stratified_by_class(counts: dict[str, int]) -> None:
    labels = cells(counts)
    folds = assign_folds(labels, ungrouped(labels), 5, seed=1)
    for label, count in counts.items():
        in_fold = [np.count_nonzero((np.array(labels) == label) & (folds == fold)) for fold in range(5)]
        assert all(abs(number - count / 5) < 1 for number in in_fold), (label, in_fold)


def test_a_new_cell_moves_few_between_any_parts() -> None:
    labels = cells(PUBLISHED)
    groups = ungrouped(labels)

    def parts(last: int, fold: int) -> dict[str, str]:
        split = make_split(labels[:last], groups[:last], fold)
        chosen = {"train": split.train, "validation": split.validation, "test": split.test}
        return {groups[i]: part for part, indices in chosen.items() for i in indices}

    for fold in range(5):
        before, after = parts(343, fold), parts(347, fold)
        assert sum(before[name] != after[name] for name in before) <= 12


def test_a_split_depends_on_the_seed_alone() -> None:
    labels = cells(PUBLISHED)
    first, again, other = (make_split(labels, ungrouped(labels), seed=seed) for seed in (1, 1, 2))
    for name in ("train", "resampled", "validation", "test"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


def test_validation_is_a_fraction_of_the_untested_cells_with_every_class() -> None:
    labels = cells(PUBLISHED)
    split = make_split(labels, ungrouped(labels))
    assert abs(len(split.validation) - (347 - len(split.test)) / 8) < 4
    assert {labels[i] for i in split.validation} == set(PUBLISHED)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("validation", [0.5, 0.125, 0.001])
@pytest.mark.parametrize("count", [5, 6, 9])
def test_few_cells_are_split_without_a_warning(count: int, validation: float) -> None:
    """A validation fraction of 1/1000 still holds out a cell of each class."""
    labels = cells(dict.fromkeys(PUBLISHED, count))
    groups = ungrouped(labels)
    folds = assign_folds(labels, groups, 5, seed=1)
    split = split_cells(labels, groups, folds, 0, validation=validation, downsample=0, oversample=0, seed=1)
    assert faults(split, groups) == []
    assert {labels[i] for i in split.validation} == set(PUBLISHED)
    assert {labels[i] for i in split.train} == set(PUBLISHED)


def test_a_class_with_fewer_cells_than_folds_is_an_error() -> None:
    labels = cells({"neutrophil": 20, "monocyte": 4})
    expected = r"5 folds \(clean\.n_splits\): monocyte has 4; lower clean\.n_splits"
    with pytest.raises(InputError, match=expected):
        assign_folds(labels, ungrouped(labels), 5, seed=1)


def test_a_group_counts_as_one_cell_of_a_class_and_is_named() -> None:
    labels = cells({"neutrophil": 20, "monocyte": 6})
    groups = ungrouped(labels)
    for i in [i for i, label in enumerate(labels) if label == "monocyte"][:3]:
        groups[i] = "group Smith"
    with pytest.raises(InputError, match=r"monocyte has 4; .*\(3 of 6 monocyte cells belong to one group, group Smith"):
        assign_folds(labels, groups, 5, seed=1)


def test_classes_that_groups_keep_from_being_in_every_fold_are_an_error() -> None:
    """Three patients, each pair of whom shares a class, do not fit into two folds."""
    labels, groups = [*"abbcca"], ["group 1", "group 1", "group 2", "group 2", "group 3", "group 3"]
    with pytest.raises(InputError, match=r"can't be in each of 2 folds .* lower clean\.n_splits"):
        assign_folds(labels, groups, 2, seed=1)


def test_training_without_a_class_is_an_error() -> None:
    """Of three patients, each pair of whom shares a class, training gets one or two."""
    labels, groups = [*"abbccaabc"], [f"group {number}" for number in (1, 1, 2, 2, 3, 3, 4, 4, 4)]
    folds, refused = np.repeat([0, 1], [6, 3]), 0
    for seed in range(20):
        try:
            split = split_cells(labels, groups, folds, 1, validation=0.5, downsample=0, oversample=0, seed=seed)
        except InputError as error:
            assert "is left for training when fold 1 is tested" in str(error)
            refused += 1
        else:
            assert {labels[i] for i in split.train} == {*"abc"}
    assert 0 < refused < 20


def test_a_class_too_small_for_training_and_validation_is_an_error() -> None:
    labels = cells({"neutrophil": 20, "monocyte": 2})
    with pytest.raises(InputError, match=r"outside fold \d: monocyte has 1; add cells"):
        for fold in range(2):
            make_split(labels, ungrouped(labels), fold, n_splits=2)
