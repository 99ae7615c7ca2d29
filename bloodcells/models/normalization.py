"""The scale of a network's input."""

import torch
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's channels, as fractions of 255: published weights expect them."""


def normalize(images: Tensor, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD) -> Tensor:
    """Scale images (n, 3, height, width) in 0 to 255 to the network's input, channels last in memory."""
    shape = (1, 3, 1, 1)
    scale = 1 / (torch.tensor(std, device=images.device).view(shape) * 255)
    shift = -255 * scale * torch.tensor(mean, device=images.device).view(shape)
    return torch.addcmul(shift, images.float(), scale).contiguous(memory_format=torch.channels_last)
