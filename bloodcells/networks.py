"""Classification networks by name, their input, and the checkpoints that hold all it takes to use one."""

import difflib
import pickle
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bloodcells.errors import InputError
from bloodcells.files import replacing
from bloodcells.vision import torchvision

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's channels, which the published weights expect; in shares of 255."""

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
        raise InputError(f"{architecture} can't take an input of {size}×{size} pixels (image.size): {reason}") from None
    if weights != "none":
        _load_fitting(network, _pretrained(architecture, weights), weights)
    return network.train()


def normalise(images: Tensor, mean: tuple[float, ...] = MEAN, deviation: tuple[float, ...] = DEVIATION) -> Tensor:
    """Bring (n, 3, height, width) in 0 to 255 to the scale of the network's input, channels last in memory."""
    shape = (1, 3, 1, 1)
    scale = 1 / (torch.tensor(deviation, device=images.device).view(shape) * 255)
    shift = -255 * scale * torch.tensor(mean, device=images.device).view(shape)
    return torch.addcmul(shift, images.float(), scale).contiguous(memory_format=torch.channels_last)


def views(images: Tensor) -> Iterator[Tensor]:
    """Yield the eight rotations and mirror images of a batch (n, channels, side, side): the dihedral group D4."""
    for quarter in range(4):
        turned = torch.rot90(images, quarter, (2, 3))
        yield turned
        yield turned.flip(3)


@torch.inference_mode()
def predict(
    network: nn.Module, pixels: NDArray[np.uint8], checkpoint: Checkpoint, count: int = 1, batch: int = 64
) -> NDArray[np.float64]:
    """Give the probability of each class for each image.

    Args:
        network: of the checkpoint, in evaluation mode, on any device.
        pixels: (n, size, size, 3) uint8.
        checkpoint: says how the input is normalised.
        count: 1 for the image as it is, 8 for the mean over `views`.
        batch: images at a time.

    Returns:
        (n, classes), each row summing to 1.
    """
    device = next(network.parameters()).device
    rows = []
    for start in range(0, len(pixels), batch):
        images = torch.from_numpy(pixels[start : start + batch]).to(device).permute(0, 3, 1, 2)
        images = normalise(images, checkpoint.mean, checkpoint.deviation)
        seen = views(images) if count == 8 else iter([images])
        total = torch.stack([torch.softmax(network(view).double(), dim=1) for view in seen]).mean(dim=0)
        rows.append(total.cpu().numpy())
    return np.concatenate(rows)


def save(content: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values.

    Raises:
        OSError: the disk is full, or another fault that torch.save would have hidden in a RuntimeError.
    """
    with replacing(path) as part, part.open("wb") as file:
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


def _pretrained(architecture: str, weights: str) -> dict[str, Tensor]:
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


def _load_fitting(network: nn.Module, state: dict[str, Tensor], source: str) -> None:
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
