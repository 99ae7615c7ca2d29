"""Smears drawn of discs, and models that predict the same probabilities for any input."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from bloodcells.inference.predictor import Predictor
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import MEAN, STD

PURPLE, PINK, PLASMA = (120, 60, 160), (205, 150, 140), (225, 220, 215)
MIDDLE = (320, 240)
PROBABILITIES = {"eosinophil": 0.05, "lymphocyte": 0.1, "monocyte": 0.8, "neutrophil": 0.05}
SIZE = 64


def slide(
    path: Path, *cells: tuple[int, int], size: tuple[int, int] = (640, 480), stain: tuple[int, int, int] = PURPLE
) -> Path:
    """Write a smear of red cells with white cells at these places."""
    image = Image.new("RGB", size, PLASMA)
    draw = ImageDraw.Draw(image)
    for x in range(0, size[0], 150):
        for y in range(0, size[1], 150):
            draw.circle((x, y), 50, fill=PINK)
    for cell in cells:
        draw.circle(cell, 50, fill=stain)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def checkpoint(
    probabilities: dict[str, float], kind: str = "crop", architecture: str = "shufflenet_v2_x0_5"
) -> Checkpoint:
    """Make a network with these probabilities for any image, its classes in the order given."""
    network = build(architecture, len(probabilities), SIZE)
    *_, last = (module for module in network.modules() if isinstance(module, torch.nn.Linear))
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([*probabilities.values()]).log())
    return Checkpoint(architecture, tuple(probabilities), kind, 256, SIZE, MEAN, STD, 1, network.state_dict())


def predictor(
    path: Path,
    probabilities: dict[str, float] = PROBABILITIES,
    *,
    threshold: float = 0.5,
    cells: int = 100,
    temperature: float = 1.0,
    tta: int = 1,
    kind: str = "crop",
    image_size: tuple[int, int] | None = (640, 480),
    min_stain: float | None = None,
) -> Path:
    """Write a predictor of such a network."""
    content = checkpoint(probabilities, kind)
    Predictor("tiny", content, temperature, threshold, 0.05, cells, tta, image_size, min_stain).save(path)
    return path


def names(folder: Path) -> Sequence[str]:
    """Name the files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
