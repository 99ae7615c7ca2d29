"""Attention: which parts of an image spoke for a class, by Grad-CAM."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from bloodcells.core.errors import InputError

_POOLING = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.AvgPool2d, nn.LPPool2d, nn.MaxPool2d)


class NoMapsError(InputError):
    """The network keeps no maps of features that Grad-CAM could weigh."""


def grad_cam(network: nn.Module, images: Tensor, classes: Sequence[int], batch: int = 64) -> NDArray[np.float32]:
    """Map where each image spoke for a class: gradient-weighted class activation mapping.

    R. R. Selvaraju et al., Grad-CAM, ICCV 2017, equations 1 and 2: the last maps of features that keep a place in
    the image, each weighted by the mean of the class's gradient over it, are added up, and what speaks against the
    class is cut off. Where the network ends with a mean over places and one linear layer, this is the class activation
    map of B. Zhou et al., CVPR 2016, but for that cut and its scale.

    The maps are those before the last pooling (AlexNet's last maximum over 3×3 places too), as they are after their
    activation. They are found by what the modules give, not by their names.

    Args:
        network: gives (n, k) logits; in evaluation mode, on any device. It is left as it was.
        images: (n, 3, height, width), normalised, on the network's device; one at least.
        classes: n indices of logits.
        batch: images at a time.

    Returns:
        (n, height, width), scaled from the maps bilinearly; the largest value of each image is 1, or 0 where nothing
        spoke for the class.

    Raises:
        NoMapsError: the network has no such maps, as a vision transformer has none.
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
    """Find the module that gives the last maps of features, by a pass of one image (1, 3, height, width).

    Those are the last output with four dimensions and more than one place that no pooling has made. If they are
    taken apart into a row of tokens later, attention mixes the places, and the maps don't say where.
    """
    found: list[nn.Module] = []
    pooled: list[Tensor] = []  # kept, so that a container which passes one on is known by it

    def look(module: nn.Module, _: object, output: object) -> None:
        if not isinstance(output, Tensor):
            return
        if isinstance(module, _POOLING):
            pooled.append(output)
        elif output.ndim == 3 and output.shape[1] > 1:
            found.clear()
        elif output.ndim == 4 and output.shape[2:].numel() > 1 and not any(output is one for one in pooled):
            found[:] = [module]

    handles = [module.register_forward_hook(look) for module in network.modules()]
    try:
        with torch.no_grad():
            network(image)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise NoMapsError(
            f"Grad-CAM finds no maps of features in a {type(network).__name__}: take a convolutional network or a Swin "
            "transformer"
        )
    return found[0]


def _maps_and_gradients(
    network: nn.Module, source: nn.Module, images: Tensor, classes: Tensor
) -> tuple[Tensor, Tensor]:
    """Give a module's maps (n, channels, rows, columns), and the gradient of each image's logit at them."""
    held: list[Tensor] = []

    def hold(_: nn.Module, __: object, output: Tensor) -> Tensor:
        # Only what comes after needs a graph. The copy may be changed in place, as DenseNet's last ReLU does, and then
        # holds the maps as they are after their activation; a leaf that needs a gradient might not.
        held[:] = [output.detach().requires_grad_().clone()]
        return held[0]

    handle = source.register_forward_hook(hold)
    try:
        with torch.enable_grad():
            logits: Tensor = network(images)
            score = logits.gather(1, classes[:, None]).sum()  # each image's logit depends on its own maps alone
            (gradient,) = torch.autograd.grad(score, held[0])
    finally:
        handle.remove()
    return held[0].detach(), gradient


def _scaled(maps: Tensor, gradient: Tensor) -> Tensor:
    """Weigh the maps and keep what speaks for the class: (n, 1, rows, columns)."""
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return F.relu((weights * maps).sum(dim=1, keepdim=True))
