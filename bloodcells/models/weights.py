"""Files of weights: reading and writing them safely, and loading pretrained ones."""

import pickle
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from bloodcells.core.errors import InputError
from bloodcells.core.files import atomic_write
from bloodcells.models.vision import torchvision


def save(content: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values.

    Raises:
        OSError: the disk is full, or another fault that torch.save would have hidden in a RuntimeError.
    """
    with atomic_write(path) as part, part.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def read(path: Path) -> dict[str, Any]:
    """Read what `save` wrote, without running any code that it may hold.

    Raises:
        InputError: no such file, or nothing that can be loaded safely.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: name an existing weights file, or run `dvc repro` to train") from None
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path} holds no weights that can be loaded safely: {reason}") from None
    except (pickle.UnpicklingError, EOFError, ValueError, LookupError):
        # Torch's own words advise to load it unsafely.
        raise InputError(
            f"{path} holds no weights that can be loaded safely: it was not written by torch.save, or with objects "
            "beside tensors and plain values; save the state dictionary alone"
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no dictionary of weights")
    return content


def pretrained(architecture: str, weights: str) -> dict[str, Tensor]:
    if weights != "imagenet":
        content = read(Path(weights))
        found = content.get("state", content.get("state_dict", content))
        if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
            raise InputError(
                f"{weights} holds no state dictionary, of names and tensors alone: save that of the network"
            )
        return found
    best = torchvision.models.get_model_weights(architecture).DEFAULT
    try:
        state: dict[str, Tensor] = best.get_state_dict(progress=True, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"the ImageNet weights of {architecture} can't be fetched ({error}); "
            f"fetch {best.url} elsewhere and give the file's path as `weights`"
        ) from None
    return state


def load_fitting(network: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load all weights but a last layer of another size."""
    own = network.state_dict()
    last = list(own)[-2:]
    wrong = [name for name in own if name not in state or state[name].shape != own[name].shape]
    if any(name not in last for name in wrong) or any(name not in own for name in state if "aux" not in name.lower()):
        first = next((name for name in wrong if name not in last), None)
        where = f"first at {first}" if first else "they have a layer that it lacks"
        if first in state:
            shapes = ["×".join(map(str, held[first].shape)) or "one number" for held in (state, own)]
            where += f", {shapes[0]} there and {shapes[1]} here; image.size may be another"
        raise InputError(f"weights {source} don't fit the network ({where}): they belong to another one")
    network.load_state_dict({name: own[name] if name in wrong else state[name] for name in own})
