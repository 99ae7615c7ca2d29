"""Checkpoints: a trained network and all it takes to use it, in one file."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError
from bloodcells.core.parameters import Image
from bloodcells.models.architectures import build
from bloodcells.models.weights import read, save

_FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and what it takes to use it alone.

    Attributes:
        architecture: torchvision's name of the network.
        classes: names, in the order of the logits.
        frame, crop, size: how the input is cut from a smear; see `image` in params.yaml.
        mean, deviation: of the channels, in shares of 255.
        epoch: the one chosen, counted from 1.
        state: the weights.
    """

    architecture: str
    classes: tuple[str, ...]
    frame: str
    crop: int
    size: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    epoch: int
    state: dict[str, Tensor]

    def save(self, path: Path) -> None:
        """Write it; the same content gives the same bytes."""
        save({"format": _FORMAT, **asdict(self)}, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read one without running any code that it may hold.

        Raises:
            InputError: no such file, or no checkpoint of ours.
        """
        content = read(path)
        if content.pop("format", None) != _FORMAT or content.keys() != {field.name for field in fields(cls)}:
            raise InputError(f"{path} is no checkpoint of this version: run `dvc repro` to train anew")
        return cls(**content)

    def network(self) -> nn.Module:
        """Build the network with its weights, ready to evaluate, on a GPU if there is one."""
        network = build(self.architecture, len(self.classes), self.size)
        network.load_state_dict(self.state)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return network.eval().to(device).to(memory_format=torch.channels_last)


def load_checkpoint(path: Path, image: Image) -> Checkpoint:
    """Load a checkpoint whose classes are in our order and whose input is that of this run.

    Raises:
        InputError: it is missing, can't be read, has other classes, or was trained on another input.
    """
    checkpoint = Checkpoint.load(path)
    if checkpoint.classes != CLASSES:
        raise InputError(
            f"{path} gives its logits in the order {', '.join(checkpoint.classes)}, and this code in the order "
            f"{', '.join(CLASSES)}: names would be permuted; run `dvc repro` to train anew"
        )
    if (checkpoint.input, checkpoint.crop, checkpoint.side) != (image.frame, image.crop, image.side):
        told = f"frame {checkpoint.input}, crop {checkpoint.crop}, size {checkpoint.side}"
        raise InputError(f"{path} was trained on another input ({told}): run `dvc repro` to train anew")
    return checkpoint
