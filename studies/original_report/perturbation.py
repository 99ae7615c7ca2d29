"""Predictions of randomly changed images, as the original report made them: another answer each time."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import normalize
from bloodcells.training.augmentation import Augmentation, augment


@torch.inference_mode()
def predict_changed(
    network: nn.Module,
    pixels: NDArray[np.uint8],
    checkpoint: Checkpoint,
    strength: Augmentation,
    seed: Sequence[int],
    batch: int = 64,
) -> NDArray[np.int64]:
    """Give the likeliest class of each image, changed at random as training images are.

    Args:
        network: of the checkpoint, in evaluation mode, on any device.
        pixels: (n, size, size, 3) uint8.
        checkpoint: says how the input is normalised.
        strength: how far an image may change.
        seed: numbers that name this draw; the same ones give the same changes.
        batch: images at a time.

    Returns:
        (n,) indices into the checkpoint's classes.
    """
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    said = []
    for start in range(0, len(pixels), batch):
        images = torch.from_numpy(pixels[start : start + batch]).to(device)
        images = normalize(augment(images, strength, generator), checkpoint.mean, checkpoint.deviation)
        said.append(network(images).argmax(dim=1).cpu().numpy())
    return np.concatenate(said)
