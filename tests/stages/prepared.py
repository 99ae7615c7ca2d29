"""What `train` and `evaluate` read, made by hand: cells whose class is their hue."""

from pathlib import Path
from typing import Any

import numpy as np

from bloodcells.core.cell_classes import write_classes
from bloodcells.core.files import write_csv
from bloodcells.core.geometry import Box
from bloodcells.core.paths import DatasetPaths
from bloodcells.core.prepared_cells import PixelWriter
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import MEAN, STD
from tests.support import project, workplace
from tests.support.smallset import CLASSES

SIZE = 64
PARTS = {"train": 40, "validation": 12, "test": 16}
HUES = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [200, 200, 40]])
PATHS = DatasetPaths("rendered")
TINY = "squeezenet1_1"


def prepare(folder: Path, changes: dict[str, Any] | None = None) -> Path:
    """Write parameters, pixels and the split of fold 0, as the stages before training would."""
    workplace.configure(folder, "rendered")
    write_classes(folder / PATHS.classes, CLASSES)
    tiny = {
        "image.side": SIZE,
        "train.batch_size": 8,
        "train.precision": "32",
        "train.selection_window": 1,
        "evaluate.tta": 1,
    }
    architectures = {f"models.{name}.architecture": TINY for name in ("resnet", "efficientnet", "alexnet")}
    project.set_params(folder, {**tiny, **architectures, "models.resnet.learning_rate": 1e-3, **(changes or {})})
    pixels = folder / PATHS.pixels
    pixels.mkdir(parents=True)
    writer = PixelWriter(pixels, sum(PARTS.values()), SIZE)
    random = np.random.default_rng(0)
    rows = []
    for part, count in PARTS.items():
        for number in range(count):
            name, label = f"{part}{number}.jpg", number % len(CLASSES)
            noise = random.integers(-40, 41, (SIZE, SIZE, 3))
            crop = (HUES[label] + noise).clip(0, 255).astype(np.uint8)
            writer.add(name, (640, 480), 30.0, Box(0, 0, SIZE, SIZE), crop)
            rows.append((name, CLASSES[label], part))
    writer.close()
    write_csv(folder / PATHS.split(0), ("image", "label", "part"), rows)
    return folder


def untrained(seed: int = 3) -> Checkpoint:
    """Return a checkpoint of a network with random weights."""
    state = dict(build(TINY, len(CLASSES), SIZE, seed=seed).state_dict())
    return Checkpoint(TINY, CLASSES, "crop", 256, SIZE, MEAN, STD, 1, state)
