"""Checkpoints: a trained network and everything needed to use it, in one file."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from bloodcells.core.errors import InputError
from bloodcells.core.parameters import ImageParameters
from bloodcells.models.architectures import build
from bloodcells.models.weights import read_weights, write_weights

_FORMAT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and everything needed to use it alone.

    Attributes:
        architecture: torchvision's name of the network.
        classes: class names, in the order of the logits.
        input: "crop" or "full"; see `image` in params.yaml.
        crop: side of the crop, in pixels of the image.
        side: side of the network's input, in pixels.
        mean, std: of the channels, as fractions of 255.
        epoch: the one selected, counted from 1.
        state: the weights.
    """

    architecture: str
    classes: tuple[str, ...]
    input: str
    crop: int
    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    epoch: int
    state: dict[str, Tensor]

    def save(self, path: Path) -> None:
        """Write the file; the same content gives the same bytes."""
        write_weights({"format": _FORMAT, **asdict(self)}, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a checkpoint without running any code that the file may hold.

        Raises:
            InputError: the file is missing, or is not a checkpoint of this version.
        """
        content = read_weights(path)
        if content.pop("format", None) != _FORMAT or content.keys() != {field.name for field in fields(cls)}:
            raise InputError(f"{path} is not a checkpoint of this version: run `dvc repro` to train again")
        return cls(**content)

    def network(self) -> nn.Module:
        """Build the network with its weights, in evaluation mode, on a GPU if there is one."""
        network = build(self.architecture, len(self.classes), self.side)
        network.load_state_dict(self.state)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return network.eval().to(device).to(memory_format=torch.channels_last)


def load_checkpoint(path: Path, classes: tuple[str, ...], image: ImageParameters) -> Checkpoint:
    """Load a checkpoint of this run: with the classes in this order, and this input.

    Raises:
        InputError: the file is missing or cannot be read, or was trained with other classes or on another input.
    """
    checkpoint = Checkpoint.load(path)
    if checkpoint.classes != classes:
        raise InputError(
            f"{path} has its logits in the order {', '.join(checkpoint.classes)}, and the data set has "
            f"{', '.join(classes)}: class names would be permuted; run `dvc repro` to train again"
        )
    trained_on = {name: getattr(checkpoint, name) for name in ImageParameters.model_fields}
    if trained_on != image.model_dump():
        told = ", ".join(f"{name} {value}" for name, value in trained_on.items())
        raise InputError(f"{path} was trained on another input ({told}): run `dvc repro` to train again")
    return checkpoint
