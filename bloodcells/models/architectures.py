"""Classification networks by name, their input, and the checkpoints that hold all it takes to use one."""

import difflib
from typing import Any

import torch
from torch import nn

from bloodcells.core.errors import InputError
from bloodcells.models.vision import torchvision
from bloodcells.models.weights import load_fitting, pretrained


def build(architecture: str, classes: int, size: int, weights: str = "none", seed: int = 0) -> nn.Module:
    """Build a classification network of torchvision with one logit per class.

    Args:
        architecture: torchvision's name, such as resnet18.
        classes: number of logits.
        size: side of the square input in pixels; networks with fixed positions need it.
        weights: "none" draws them from `seed`; "imagenet" takes torchvision's best; else the path of a checkpoint
            or of a state dictionary. A last layer of another size is drawn from `seed` in each case.

    Raises:
        InputError: an unknown name, a size that the network can't take, or weights that don't fit.
    """
    names = torchvision.models.list_models(module=torchvision.models)
    if architecture not in names:
        close = difflib.get_close_matches(architecture, names, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "any classification network of torchvision will do"
        raise InputError(f"unknown architecture {architecture!r}; {hint}")
    torch.manual_seed(seed)
    options: dict[str, Any] = {"num_classes": classes}
    if architecture.startswith("vit_"):
        options["image_size"] = size
    if architecture.startswith("maxvit"):
        options["input_size"] = (size, size)
    if architecture in ("googlenet", "inception_v3"):
        options |= {"aux_logits": False, "init_weights": True}
    try:
        network: nn.Module = torchvision.models.get_model(architecture, **options)
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{architecture} can't take an input of {size}×{size} pixels (image.side): {reason}") from None
    if weights != "none":
        load_fitting(network, pretrained(architecture, weights), weights)
    return network.train()
