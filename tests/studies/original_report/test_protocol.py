"""The faulty split has the faults it is named for, and ours, on the same cells, has none of them."""

from collections import Counter

import numpy as np
import pytest

from bloodcells.core.classes import CLASSES
from bloodcells.splits import folds
from studies.original_report.protocol import LEFT_OUT, PRINTED, FaultySplit, faulty_split, ordinary_folds, with_twin

LABELS = [label for label, count in zip(CLASSES, (40, 20, 15, 100), strict=True) for _ in range(count)]
GROUPS = np.arange(len(LABELS)) // np.where(np.array(LABELS) == "neutrophil", 1, 2)  # pairs, but for neutrophils
OVERSAMPLE = {"eosinophil": 0.8, "lymphocyte": 0.8, "monocyte": 0.8}
FOLDS = folds.assign_folds(LABELS, GROUPS, 5, seed=1)


def faulty(test_fold: int = 0, seed: int = 1, dealt: np.ndarray = FOLDS) -> FaultySplit:
    return faulty_split(LABELS, dealt, test_fold, validation=0.125, oversample=OVERSAMPLE, seed=seed)


def ours(test_fold: int = 0) -> folds.Split:
    return folds.split(
        LABELS, GROUPS, FOLDS, test_fold, validation=0.125, downsample=LEFT_OUT, oversample=OVERSAMPLE, seed=1
    )


def test_copies_of_one_cell_stand_on_both_sides_and_in_ours_on_one() -> None:
    split = faulty()
    both = np.intersect1d(split.train, split.validation)
    assert len(both) > 10
    assert max(Counter(split.validation.tolist()).values()) > 1
    assert not len(np.intersect1d(ours().balanced, ours().validation))
    assert max(Counter(ours().validation.tolist()).values()) == 1


def test_near_duplicates_stand_on_both_sides_and_in_ours_on_one() -> None:
    split = faulty()
    alone = split.validation[~np.isin(split.validation, split.train)]
    assert with_twin(GROUPS, split.train, alone) > 0
    assert with_twin(GROUPS, ours().balanced, ours().validation) == 0


def test_the_parts_are_dealt_from_the_copies_of_what_is_left_of_the_neutrophils() -> None:
    split = faulty()
    outside = Counter(label for label, fold in zip(LABELS, FOLDS, strict=True) if fold != 0)
    dealt = np.concatenate([split.train, split.validation])
    assert len(split.validation) == round(0.125 * len(dealt))
    counts = Counter(LABELS[cell] for cell in dealt)
    kept = round(0.8 * outside["neutrophil"])
    assert counts == {"neutrophil": kept} | dict.fromkeys(OVERSAMPLE, round(0.8 * kept))
    assert len({cell for cell in dealt.tolist() if LABELS[cell] == "neutrophil"}) == kept  # none of them twice
    assert not set(dealt.tolist()) & set(split.test.tolist())


def test_the_test_cells_are_those_of_our_fold() -> None:
    for fold in range(5):
        assert faulty(fold).test.tolist() == ours(fold).test.tolist()


def test_validation_is_dealt_blind_to_the_classes() -> None:
    shares = [np.mean([LABELS[cell] == "monocyte" for cell in faulty(seed=seed).validation]) for seed in range(40)]
    assert np.std(shares) > 0.03  # stratified, rounding alone would be left of it


def test_a_split_is_decided_by_its_seed_and_its_fold() -> None:
    assert faulty().validation.tolist() == faulty().validation.tolist()
    assert faulty().validation.tolist() != faulty(seed=2).validation.tolist()
    other = np.where(FOLDS == 0, 1, np.where(FOLDS == 1, 0, FOLDS))  # the same cells tested, under another number
    assert faulty().validation.tolist() != faulty(1, dealt=other).validation.tolist()


def test_ordinary_folds_are_stratified_and_part_twins() -> None:
    dealt = ordinary_folds(LABELS, 5, seed=1)
    for label in CLASSES:
        counts = np.bincount(dealt[np.array(LABELS) == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    parted = {
        fold: with_twin(GROUPS, *(np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold))) for fold in range(5)
    }
    assert sum(parted.values()) > 30
    assert with_twin(GROUPS, np.flatnonzero(FOLDS != 0), np.flatnonzero(FOLDS == 0)) == 0


def test_twins_are_counted_cell_by_cell() -> None:
    groups = np.array([0, 0, 1, 1, 1, 2, 3])
    assert with_twin(groups, train=np.array([0, 2, 6]), test=np.array([1, 3, 4, 5])) == 3
    assert with_twin(groups, train=np.array([0, 1]), test=np.array([2, 5])) == 0


@pytest.mark.parametrize(
    ("printed", "truly"),
    [
        ("lymphocyte", "neutrophil"),
        ("neutrophil", "eosinophil"),
        ("eosinophil", "lymphocyte"),
        ("monocyte", "monocyte"),
    ],
)
def test_the_names_are_permuted_as_in_the_report(printed: str, truly: str) -> None:
    """Its table: "Lymphocyte" is right in 16 of 23, and 23 of its 35 images are neutrophils."""
    assert PRINTED.index(printed) == CLASSES.index(truly)
