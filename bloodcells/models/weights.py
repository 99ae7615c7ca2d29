"""Files of weights: reading and writing them safely, and loading pretrained ones."""

import pickle
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
import torchvision
from torch import Tensor, nn

from bloodcells.core.errors import InputError
from bloodcells.core.files import atomic_write


def write_weights(content: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values.

    Raises:
        OSError: the disk is full, or another fault that torch.save hides in a RuntimeError.
    """
    with atomic_write(path) as part, part.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def read_weights(path: Path) -> dict[str, Any]:
    """Read what `write_weights` wrote, without running any code that the file may hold.

    Raises:
        InputError: the file is missing, or cannot be loaded safely.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: name an existing weights file, or run `dvc repro` to train") from None
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path} holds no weights that can be loaded safely: {reason}") from None
    except (pickle.UnpicklingError, AttributeError, EOFError, TypeError, ValueError, LookupError):
        # PyTorch's own message advises to load the file unsafely.
        raise InputError(
            f"{path} holds no weights that can be loaded safely: torch.save did not write it, or it holds objects "
            "other than tensors and plain values; save the state dictionary alone"
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no dictionary of weights")
    return content


def pretrained_weights(architecture: str, weights: str) -> dict[str, Tensor]:
    """Return a state dictionary: of torchvision's published weights ("imagenet"), or of a file.

    Raises:
        InputError: the weights cannot be downloaded, or the file holds no state dictionary.
    """
    if weights != "imagenet":
        content = read_weights(Path(weights))
        state = content.get("state", content.get("state_dict", content))
        if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
            raise InputError(f"{weights} holds no state dictionary of names and tensors: save that of the network")
        return state
    best = torchvision.models.get_model_weights(architecture).DEFAULT
    try:
        published: dict[str, Tensor] = best.get_state_dict(progress=True, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"the ImageNet weights of {architecture} can't be downloaded ({error}); "
            f"download {best.url} elsewhere and give the path of the file as `weights`"
        ) from None
    return published


def load_matching(network: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load all weights except those of a last layer of another size.

    Raises:
        InputError: the weights belong to another network.
    """
    own = network.state_dict()
    last = list(own)[-2:]
    wrong = [name for name in own if name not in state or state[name].shape != own[name].shape]
    if any(name not in last for name in wrong) or any(name not in own for name in state if "aux" not in name.lower()):
        first = next((name for name in wrong if name not in last), None)
        where = f"first at {first}" if first else "they have a layer that the network lacks"
        if first in state:
            shapes = ["×".join(map(str, held[first].shape)) or "scalar" for held in (state, own)]
            where += f", {shapes[0]} in the file and {shapes[1]} in the network; image.side may differ"
        raise InputError(f"the weights of {source} don't fit the network ({where}): they belong to another one")
    network.load_state_dict({name: own[name] if name in wrong else state[name] for name in own})
