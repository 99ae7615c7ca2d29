"""The original protocol has the faults that it is studied for, and the proposed one, on the same cells, has none."""

from collections import Counter

import numpy as np
import pytest

from bloodcells.inference.probabilities import predict
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.splits.folds import Split, assign_folds, split_cells
from bloodcells.training.augmentation import Augmentation
from studies.original_report.protocol import (
    DOWNSAMPLE,
    PRINTED,
    count_leaked,
    original_split,
    predict_perturbed,
    ungrouped_folds,
)
from tests.support.smallset import CLASSES

LABELS = [label for label, count in zip(CLASSES, (40, 20, 15, 100), strict=True) for _ in range(count)]
GROUPS = np.arange(len(LABELS)) // np.where(np.array(LABELS) == "neutrophil", 1, 2)  # pairs, but for neutrophils
NAMES = [str(group) for group in GROUPS]
OVERSAMPLE = 0.8
FOLDS = assign_folds(LABELS, NAMES, 5, seed=1)


def original(test_fold: int = 0, seed: int = 1, folds: np.ndarray = FOLDS) -> dict[str, np.ndarray]:
    return original_split(LABELS, folds, test_fold, validation=0.125, oversample=OVERSAMPLE, seed=seed)


def proposed(test_fold: int = 0) -> Split:
    return split_cells(
        LABELS, NAMES, FOLDS, test_fold, validation=0.125, downsample=DOWNSAMPLE, oversample=OVERSAMPLE, seed=1
    )


def test_copies_of_a_cell_are_in_training_and_validation_but_not_in_the_proposed_split() -> None:
    split = original()
    assert len(np.intersect1d(split["train"], split["validation"])) > 10
    assert max(Counter(split["validation"].tolist()).values()) > 1
    assert not len(np.intersect1d(proposed().resampled, proposed().validation))
    assert max(Counter(proposed().validation.tolist()).values()) == 1


def test_near_duplicates_are_in_training_and_validation_but_not_in_the_proposed_split() -> None:
    split = original()
    alone = split["validation"][~np.isin(split["validation"], split["train"])]
    assert count_leaked(GROUPS, split["train"], alone) > 0
    assert count_leaked(GROUPS, proposed().resampled, proposed().validation) == 0


def test_a_fifth_of_the_neutrophils_is_left_out_before_the_split() -> None:
    split = original()
    outside = Counter(label for label, fold in zip(LABELS, FOLDS, strict=True) if fold != 0)
    copies = np.concatenate([split["train"], split["validation"]])
    assert len(split["validation"]) == round(0.125 * len(copies))
    kept = round(0.8 * outside["neutrophil"])
    assert Counter(LABELS[cell] for cell in copies) == {"neutrophil": kept} | dict.fromkeys(
        ("eosinophil", "lymphocyte", "monocyte"), round(0.8 * kept)
    )
    assert len({cell for cell in copies.tolist() if LABELS[cell] == "neutrophil"}) == kept  # none of them twice
    assert not set(copies.tolist()) & set(split["test"].tolist())


def test_both_protocols_test_the_same_cells() -> None:
    for fold in range(5):
        assert original(fold)["test"].tolist() == proposed(fold).test.tolist()


def test_validation_is_not_stratified() -> None:
    rates = [np.mean([LABELS[cell] == "monocyte" for cell in original(seed=seed)["validation"]]) for seed in range(40)]
    assert np.std(rates) > 0.03  # of a stratified one only rounding would remain


def test_seed_and_fold_decide_the_split() -> None:
    assert original()["validation"].tolist() == original()["validation"].tolist()
    assert original()["validation"].tolist() != original(seed=2)["validation"].tolist()
    renumbered = np.where(FOLDS == 0, 1, np.where(FOLDS == 1, 0, FOLDS))  # the same cells tested, as another fold
    assert original()["validation"].tolist() != original(1, folds=renumbered)["validation"].tolist()


def test_ungrouped_folds_are_stratified_and_separate_near_duplicates() -> None:
    folds = ungrouped_folds(LABELS, 5, seed=1)
    for label in CLASSES:
        counts = np.bincount(folds[np.array(LABELS) == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    leaked = {
        name: sum(count_leaked(GROUPS, np.flatnonzero(of != k), np.flatnonzero(of == k)) for k in range(5))
        for name, of in (("ungrouped", folds), ("grouped", FOLDS))
    }
    assert leaked["ungrouped"] > 30
    assert leaked["grouped"] == 0


def test_leaked_test_cells_are_counted_not_their_near_duplicates() -> None:
    groups = np.array([0, 0, 1, 1, 1, 2, 3])
    assert count_leaked(groups, train=np.array([0, 2, 6]), test=np.array([1, 3, 4, 5])) == 3
    assert count_leaked(groups, train=np.array([0, 1]), test=np.array([2, 5])) == 0


@pytest.mark.parametrize(
    ("printed", "actual"),
    [
        ("lymphocyte", "neutrophil"),
        ("neutrophil", "eosinophil"),
        ("eosinophil", "lymphocyte"),
        ("monocyte", "monocyte"),
    ],
)
def test_class_labels_are_permuted_as_in_the_report(printed: str, actual: str) -> None:
    """In its table, "Lymphocyte" is correct in 16 of 23, and 23 of its 35 images are neutrophils."""
    assert PRINTED.index(printed) == CLASSES.index(actual)


# ---- random perturbation

UNCHANGED = Augmentation(rotate=0, zoom=0, shift=0, color=0)
STRONG = Augmentation(rotate=180, zoom=0.15, shift=0.3, color=0.5)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    state = dict(build("squeezenet1_1", 4, 64, seed=1).state_dict())
    return Checkpoint("squeezenet1_1", CLASSES, "crop", 64, 64, (0.5,) * 3, (0.2,) * 3, 1, state)


def test_a_seed_identifies_a_draw_and_images_stay_unchanged(checkpoint: Checkpoint) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, 64, 64, 3), dtype=np.uint8)
    before, network = pixels.copy(), checkpoint.network()
    first, again, other = (predict_perturbed(network, pixels, checkpoint, STRONG, [1, draw]) for draw in (0, 0, 1))
    assert first.shape == (70,)
    assert (first == again).all()
    assert (first != other).any()
    assert (pixels == before).all()
    assert predict_perturbed(network, pixels, checkpoint, STRONG, [1], batch=32).shape == (70,)


def test_without_strength_the_prediction_is_that_of_the_unchanged_image(checkpoint: Checkpoint) -> None:
    """The images are their own mirror images, since half of the draws mirror whatever the strength."""
    half = np.random.default_rng(0).integers(0, 256, (20, 64, 32, 3), dtype=np.uint8)
    pixels = np.concatenate([half, half[:, :, ::-1]], axis=2)
    network = checkpoint.network()
    expected = predict(network, pixels, checkpoint).argmax(axis=1)
    assert (predict_perturbed(network, pixels, checkpoint, UNCHANGED, [1]) == expected).all()
