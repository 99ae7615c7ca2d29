"""Training one model on the split of one test fold."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import bloodcells
from bloodcells.core.parameters import ImageParameters
from bloodcells.core.prepared_cells import PreparedCells
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import MEAN, STD
from bloodcells.models.parameters import ModelParameters
from bloodcells.training.callbacks import Epoch
from bloodcells.training.config import TrainingConfig
from bloodcells.training.data import Cells
from bloodcells.training.loop import TrainingResult, train

ROOMS = ("core", "models", "training")
"""The code that decides the result."""

Split = Sequence[Mapping[str, str]]
"""The rows of a split: image, label, part."""


@dataclass(frozen=True)
class FoldTraining:
    """One network to train: its data, its input, its architecture and its configuration."""

    cells: PreparedCells
    classes: tuple[str, ...]
    split: Split
    image: ImageParameters
    model: ModelParameters
    config: TrainingConfig

    @property
    def fingerprint(self) -> str:
        """A hash of everything that defines the result, so that a changed run never resumes from another's state."""
        digest = hashlib.sha256(torch.__version__.encode())
        defining = [
            self.classes,
            self.image.model_dump(),
            self.model.model_dump(),
            repr(self.config),
            [dict(r) for r in self.split],
        ]
        digest.update(json.dumps(defining, sort_keys=True).encode())
        package = Path(bloodcells.__file__).parent
        sources = [path for room in ROOMS for path in sorted((package / room).rglob("*.py"))]
        for source in (*sources, Path(self.model.weights)):
            digest.update(source.read_bytes() if source.is_file() else b"")
        images = sorted({row["image"] for row in self.split if row["part"] != "test"})
        digest.update(np.ascontiguousarray(self.cells.take(images)).tobytes())
        return digest.hexdigest()[:16]

    def run(
        self, work_dir: Path, title: str, on_epoch: Callable[[Epoch], None] = lambda epoch: None
    ) -> tuple[Checkpoint, TrainingResult] | None:
        """Train, or resume; see `bloodcells.training.loop.train`."""
        training, validation = (
            Cells.from_split(self.cells, self.split, part, self.classes) for part in ("train", "validation")
        )
        network = build(
            self.model.architecture, len(self.classes), self.image.side, self.model.weights, seed=self.config.seed
        )
        result = train(network, training, validation, self.config, work_dir, title, on_epoch)
        if result is None:
            return None
        checkpoint = Checkpoint(
            architecture=self.model.architecture,
            classes=self.classes,
            **self.image.model_dump(),
            mean=MEAN,
            std=STD,
            epoch=result.epoch,
            state=result.state,
        )
        return checkpoint, result
