"""The original report's protocol: oversampling before the split, ungrouped folds, random perturbation at test."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from torch import nn

from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import normalize
from bloodcells.splits.resampling import most_frequent, resample
from bloodcells.training.augmentation import Augmentation, augment

Indices = NDArray[np.int64]

DOWNSAMPLE = 0.2
"""Fraction of the most frequent class that the report's code left out; its text says a tenth."""

CLASSES = ("eosinophil", "lymphocyte", "monocyte", "neutrophil")
"""The classes of the report, in the order of its logits."""

PRINTED = ("neutrophil", "eosinophil", "monocyte", "lymphocyte")
"""The class labels that the report printed, in the order of its logits: the figures under
the first label are those of the eosinophils."""


def original_split(
    labels: Sequence[str],
    folds: Indices,
    test_fold: int,
    *,
    validation: float,
    oversample: float,
    seed: int,
) -> dict[str, Indices]:
    """Split the cells for one test fold as the report did: oversample first, then assign the copies at random.

    Unlike the report, the split is seeded. The test part is that of the proposed protocol.

    Args:
        labels: of the n cells.
        folds: (n,) the fold in which each cell is tested.
        test_fold: the fold to test.
        validation: fraction of the copies that validate.
        oversample: fraction of the largest class up to which the others are repeated.
        seed: of what is left out, repeated and assigned.

    Returns:
        Indices of the cells of train, validation and test; those of the first two repeat and overlap.
    """
    rest = np.flatnonzero(folds != test_fold)
    chosen = [labels[cell] for cell in rest.tolist()]
    copies = rest[resample(chosen, most_frequent(labels), DOWNSAMPLE, oversample, seed + test_fold)]
    shuffled = np.random.default_rng([seed, test_fold]).permutation(len(copies))
    held_out = max(1, round(validation * len(copies)))
    return {
        "train": copies[np.sort(shuffled[held_out:])],
        "validation": copies[np.sort(shuffled[:held_out])],
        "test": np.flatnonzero(folds == test_fold),
    }


def ungrouped_folds(labels: Sequence[str], n_splits: int, seed: int) -> Indices:
    """Assign the cells to folds, stratified by class, regardless of near-duplicates, as is common: (n,)."""
    result = np.empty(len(labels), dtype=np.int64)
    splitter = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(splitter.split(np.zeros(len(labels)), labels)):
        result[test] = fold
    return result


def count_leaked(groups: Indices, train: Indices, test: Indices) -> int:
    """Count the test cells with a near-duplicate in training.

    Args:
        groups: (n,) the near-duplicate group of each cell.
        train, test: indices of the cells.
    """
    return int(np.isin(groups[test], groups[train]).sum())


@torch.inference_mode()
def predict_perturbed(
    network: nn.Module,
    pixels: NDArray[np.uint8],
    checkpoint: Checkpoint,
    strength: Augmentation,
    seed: Sequence[int],
    batch: int = 64,
) -> Indices:
    """Predict the class of each image, perturbed at random as in training.

    Args:
        network: of the checkpoint, in evaluation mode, on any device.
        pixels: (n, side, side, 3) uint8.
        checkpoint: holds the normalization of the input.
        strength: limits of the perturbation.
        seed: numbers that identify the draw.
        batch: images at a time.

    Returns:
        (n,) indices of classes.
    """
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    predicted = []
    for start in range(0, len(pixels), batch):
        images = torch.from_numpy(pixels[start : start + batch]).to(device)
        images = normalize(augment(images, strength, generator), checkpoint.mean, checkpoint.std)
        predicted.append(network(images).argmax(dim=1).cpu().numpy())
    return np.concatenate(predicted)
