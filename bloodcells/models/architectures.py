"""Networks by name: any classification network of torchvision, with one logit per class."""

import difflib
from typing import Any

import torch
import torchvision
from torch import nn

from bloodcells.core.errors import InputError
from bloodcells.models.weights import load_matching, pretrained_weights


def build(architecture: str, n_classes: int, side: int, weights: str = "none", seed: int = 0) -> nn.Module:
    """Build a classification network of torchvision.

    Args:
        architecture: torchvision's name, such as resnet18.
        n_classes: number of logits.
        side: side of the square input in pixels; networks with fixed positions need it.
        weights: "none" initializes from `seed`; "imagenet" takes torchvision's best weights; otherwise the path of a
            checkpoint or a state dictionary. A last layer of another size is initialized from `seed` in any case.
        seed: of the initialization.

    Returns:
        The network in training mode, on the CPU.

    Raises:
        InputError: the name is unknown, the network cannot take an input of that side, or the weights do not fit.
    """
    names = torchvision.models.list_models(module=torchvision.models)
    if architecture not in names:
        close = difflib.get_close_matches(architecture, names, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "use a classification network of torchvision"
        raise InputError(f"unknown architecture {architecture!r}; {hint}")
    torch.manual_seed(seed)
    options: dict[str, Any] = {"num_classes": n_classes}
    if architecture.startswith("vit_"):
        options["image_size"] = side
    if architecture.startswith("maxvit"):
        options["input_size"] = (side, side)
    if architecture in ("googlenet", "inception_v3"):
        options |= {"aux_logits": False, "init_weights": True}
    try:
        network: nn.Module = torchvision.models.get_model(architecture, **options)
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, side, side))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{architecture} can't take an input of {side}×{side} pixels: {reason}; change image.side"
        ) from None
    if weights != "none":
        load_matching(network, pretrained_weights(architecture, weights), weights)
    return network.train()
