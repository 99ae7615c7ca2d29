from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from bloodcells.core.errors import InputError
from bloodcells.splits.folds import Split, assign_folds, split_cells
from bloodcells.splits.resampling import resample

PUBLISHED = {"neutrophil": 206, "eosinophil": 88, "lymphocyte": 33, "monocyte": 20}
DOWN = {"neutrophil": 0.1}
UP = {"eosinophil": 0.5, "lymphocyte": 0.5, "monocyte": 0.5}


def cells(counts: dict[str, int], seed: int = 0) -> list[str]:
    labels = [label for label, count in counts.items() for _ in range(count)]
    np.random.default_rng(seed).shuffle(labels)
    return labels


def ungrouped(labels: list[str]) -> NDArray[np.int64]:
    return np.arange(len(labels))


def make_split(labels: list[str], groups: NDArray[np.int64], fold: int = 0, n_splits: int = 5, seed: int = 1) -> Split:
    folds = assign_folds(labels, groups, n_splits, seed)
    return split_cells(labels, groups, folds, fold, validation=0.125, downsample=DOWN, oversample=UP, seed=seed)


def faults(split: Split, groups: NDArray[np.int64]) -> list[str]:
    """List what is wrong with a split: groups in two parts, lost cells, repetitions outside training."""
    parts = {"train": split.resampled, "validation": split.validation, "test": split.test}
    found = []
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if set(groups[parts[one]].tolist()) & set(groups[parts[other]].tolist()):
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
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 200, len(labels))  # many cells share a group, across classes too
    for fold in range(5):
        assert faults(make_split(labels, groups, fold, seed=seed), groups) == []


def test_resampling_before_splitting_would_be_detected() -> None:
    """The original notebook repeats cells first and splits them afterwards, so that it tests on copies."""
    labels = cells(PUBLISHED)
    origin = resample(labels, DOWN, UP, seed=1)
    copies = [labels[i] for i in origin]
    leaky = make_split(copies, ungrouped(copies))
    wrong = Split(*(origin[indices] for indices in (leaky.train, leaky.resampled, leaky.validation, leaky.test)))
    assert {"a group is in train and test", "copies in test"} <= set(faults(wrong, ungrouped(labels)))
    assert faults(make_split(labels, ungrouped(labels)), ungrouped(labels)) == []


def test_ignoring_groups_would_be_detected() -> None:
    labels = cells(PUBLISHED)
    pairs = ungrouped(labels) // 2
    assert faults(make_split(labels, ungrouped(labels)), pairs)
    assert not faults(make_split(labels, pairs), pairs)


@pytest.mark.parametrize("counts", [PUBLISHED, {"eosinophil": 5, "monocyte": 6, "neutrophil": 11}])
def test_folds_are_stratified_by_class(counts: dict[str, int]) -> None:
    labels = cells(counts)
    folds = assign_folds(labels, ungrouped(labels), 5, seed=1)
    for label, count in counts.items():
        in_fold = [np.count_nonzero((np.array(labels) == label) & (folds == fold)) for fold in range(5)]
        assert all(abs(number - count / 5) < 1 for number in in_fold), (label, in_fold)


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
    """A validation fraction of 1/1000 asks for more parts than there are cells: it is limited to their number."""
    labels = cells(dict.fromkeys(PUBLISHED, count))
    groups = ungrouped(labels)
    folds = assign_folds(labels, groups, 5, seed=1)
    split = split_cells(labels, groups, folds, 0, validation=validation, downsample={}, oversample={}, seed=1)
    assert faults(split, groups) == []
    assert len(split.validation) > 0
    assert {labels[i] for i in split.train} == set(PUBLISHED)


def test_a_class_with_fewer_cells_than_folds_is_an_error() -> None:
    labels = cells({"neutrophil": 20, "monocyte": 4})
    expected = r"5 folds \(clean\.n_splits\): monocyte has 4; lower clean\.n_splits or add cells"
    with pytest.raises(InputError, match=expected):
        assign_folds(labels, ungrouped(labels), 5, seed=1)


def test_near_duplicates_count_as_one_cell_of_a_class() -> None:
    labels = cells({"neutrophil": 20, "monocyte": 6})
    groups = ungrouped(labels)
    groups[[i for i, label in enumerate(labels) if label == "monocyte"][:3]] = 0
    with pytest.raises(InputError, match=r"monocyte has 4.*\(4 of 26 images count as near-duplicates"):
        assign_folds(labels, groups, 5, seed=1)


def test_a_class_too_small_for_training_and_validation_is_an_error() -> None:
    labels = cells({"neutrophil": 20, "monocyte": 2})
    with pytest.raises(InputError, match=r"outside fold \d: monocyte has 1; add cells"):
        for fold in range(2):
            make_split(labels, ungrouped(labels), fold, n_splits=2)


def test_resampling_leaves_out_and_repeats_cells_at_the_given_rates() -> None:
    labels = cells({"neutrophil": 100, "eosinophil": 60, "lymphocyte": 20, "monocyte": 10})
    chosen = resample(labels, {"neutrophil": 0.1}, {"lymphocyte": 0.5, "monocyte": 1.0}, seed=1)
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


def test_resampling_without_rates_changes_nothing_and_leaving_all_out_keeps_one() -> None:
    labels = cells({"neutrophil": 9, "monocyte": 4})
    assert resample(labels, {}, {}, seed=1).tolist() == list(range(13))
    kept = resample(labels, {"neutrophil": 1.0}, {"lymphocyte": 1.0}, seed=1)
    assert Counter(labels[i] for i in kept) == {"neutrophil": 1, "monocyte": 4}
