"""Grad-CAM: which parts of an image contributed to a class."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from bloodcells.core.errors import InputError

_POOLING = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.AvgPool2d, nn.LPPool2d, nn.MaxPool2d)


class NoMapsError(InputError):
    """The network has no feature maps that Grad-CAM could weight."""


def grad_cam(network: nn.Module, images: Tensor, classes: Sequence[int], batch: int = 64) -> NDArray[np.float32]:
    """Map where each image contributed to a class: gradient-weighted class activation mapping.

    R. R. Selvaraju et al., Grad-CAM, ICCV 2017, equations 1 and 2: the last feature maps that keep positions of the
    image, each weighted by the mean of the class's gradient over it, are summed, and negative values are set to 0. If
    the network ends with a mean over positions and one linear layer, this is the class activation map of B. Zhou et
    al., CVPR 2016, apart from the clipping and the scale.

    The maps are those before the last pooling (AlexNet's last 3×3 maximum included), after their activation. They are
    found by the shape of what the modules return, not by names.

    Args:
        network: returns (n, k) logits; in evaluation mode, on any device. It is not changed.
        images: (n, 3, height, width), normalized, on the network's device; at least one.
        classes: n indices of logits.
        batch: images at a time.

    Returns:
        (n, height, width), interpolated bilinearly; the largest value of an image is 1, or 0 if nothing contributed to
        the class.

    Raises:
        NoMapsError: the network has no such maps; a vision transformer has none.
    """
    source = _last_maps(network, images[:1])
    chosen = torch.as_tensor(classes, device=images.device)
    parts = [
        _scaled(*_maps_and_gradients(network, source, images[start : start + batch], chosen[start : start + batch]))
        for start in range(0, len(images), batch)
    ]
    heat = torch.cat([F.interpolate(part, images.shape[2:], mode="bilinear", align_corners=False) for part in parts])
    peak = heat.amax(dim=(1, 2, 3), keepdim=True)
    result: NDArray[np.float32] = (heat / peak.clamp_min(torch.finfo(heat.dtype).tiny)).squeeze(1).float().cpu().numpy()
    return result


def _last_maps(network: nn.Module, image: Tensor) -> nn.Module:
    """Return the module with the last feature maps, found by passing one image (1, 3, height, width).

    They are the last output with four dimensions and more than one position that no pooling made. If they are split
    into a sequence of tokens later, attention mixes the positions, and the maps do not localize.
    """
    found: list[nn.Module] = []
    pooled: list[Tensor] = []  # kept, to recognize a container that passes one on

    def inspect(module: nn.Module, _: object, output: object) -> None:
        if not isinstance(output, Tensor):
            return
        if isinstance(module, _POOLING):
            pooled.append(output)
        elif output.ndim == 3 and output.shape[1] > 1:
            found.clear()
        elif output.ndim == 4 and output.shape[2:].numel() > 1 and not any(output is one for one in pooled):
            found[:] = [module]

    handles = [module.register_forward_hook(inspect) for module in network.modules()]
    try:
        with torch.no_grad():
            network(image)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise NoMapsError(
            f"Grad-CAM finds no feature maps in a {type(network).__name__}: use a convolutional network or a Swin "
            "transformer"
        )
    return found[0]


def _maps_and_gradients(
    network: nn.Module, source: nn.Module, images: Tensor, classes: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a module's maps (n, channels, rows, columns), and the gradient of each image's logit for them."""
    held: list[Tensor] = []

    def hold(_: nn.Module, __: object, output: Tensor) -> Tensor:
        # Only what follows needs a graph. The copy may be changed in place, as by DenseNet's last ReLU, and then holds
        # the maps after their activation; a leaf that requires a gradient could not.
        held[:] = [output.detach().requires_grad_().clone()]
        return held[0]

    handle = source.register_forward_hook(hold)
    try:
        with torch.enable_grad():
            logits: Tensor = network(images)
            score = logits.gather(1, classes[:, None]).sum()  # each logit depends on the maps of its image only
            (gradient,) = torch.autograd.grad(score, held[0])
    finally:
        handle.remove()
    return held[0].detach(), gradient


def _scaled(maps: Tensor, gradient: Tensor) -> Tensor:
    """Weight the maps and keep positive contributions: (n, 1, rows, columns)."""
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return F.relu((weights * maps).sum(dim=1, keepdim=True))
