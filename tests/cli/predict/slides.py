"""Smears of discs, and models that give the same probabilities for whatever they are shown."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from bloodcells.inference.predictor import Predictor
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import STD, MEAN

PURPLE, PINK, PLASMA = (120, 60, 160), (205, 150, 140), (225, 220, 215)
MIDDLE = (320, 240)
CHANCES = {"eosinophil": 0.05, "lymphocyte": 0.1, "monocyte": 0.8, "neutrophil": 0.05}
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


def checkpoint(chances: dict[str, float], frame: str = "cell", architecture: str = "shufflenet_v2_x0_5") -> Checkpoint:
    """Make a network with these probabilities for any image, its classes in the order given."""
    network = build(architecture, len(chances), SIZE)
    *_, last = (module for module in network.modules() if isinstance(module, torch.nn.Linear))
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([*chances.values()]).log())
    return Checkpoint(architecture, tuple(chances), frame, 256, SIZE, MEAN, STD, 1, network.state_dict())


def predictor(
    path: Path,
    chances: dict[str, float] = CHANCES,
    *,
    threshold: float = 0.5,
    cells: int = 100,
    temperature: float = 1.0,
    views: int = 1,
    frame: str = "cell",
    smear: tuple[int, int] | None = (640, 480),
    palest: float | None = None,
) -> Path:
    """Write a predictor of such a network."""
    content = checkpoint(chances, frame)
    Predictor("tiny", content, temperature, threshold, 0.05, cells, views, smear, palest).save(path)
    return path


def names(folder: Path) -> Sequence[str]:
    """Name the files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
