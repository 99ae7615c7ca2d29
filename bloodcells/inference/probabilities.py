"""Class probabilities of a trained network, with test-time augmentation."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import normalize


def views(images: Tensor) -> Iterator[Tensor]:
    """Yield the eight rotations and mirror images of a batch (n, channels, side, side): the dihedral group D4."""
    for quarter in range(4):
        rotated = torch.rot90(images, quarter, (2, 3))
        yield rotated
        yield rotated.flip(3)


@torch.inference_mode()
def predict(
    network: nn.Module, pixels: NDArray[np.uint8], checkpoint: Checkpoint, tta: int = 1, batch: int = 64
) -> NDArray[np.float64]:
    """Return the probability of each class for each image.

    Args:
        network: of the checkpoint, in evaluation mode, on any device.
        pixels: (n, side, side, 3) uint8.
        checkpoint: holds the normalization of the input.
        tta: 1 for the image as it is, 8 for the mean over `views`.
        batch: images at a time.

    Returns:
        (n, classes), each row summing to 1.
    """
    device = next(network.parameters()).device
    rows = []
    for start in range(0, len(pixels), batch):
        images = torch.from_numpy(pixels[start : start + batch]).to(device).permute(0, 3, 1, 2)
        images = normalize(images, checkpoint.mean, checkpoint.std)
        shown = views(images) if tta == 8 else iter([images])
        mean = torch.stack([torch.softmax(network(view).double(), dim=1) for view in shown]).mean(dim=0)
        rows.append(mean.cpu().numpy())
    return np.concatenate(rows)
