"""How a network is trained."""

from dataclasses import dataclass
from typing import Self

from bloodcells.models.parameters import ModelParameters
from bloodcells.training.augmentation import Augmentation
from bloodcells.training.parameters import TrainParameters


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained; see `train` and `models` in params.yaml for the units.

    The epoch kept ends the window of `selection_window` epochs with the lowest mean validation loss. At the start,
    where fewer epochs have run, the window holds those.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float
    label_smoothing: float
    gradient_clip: float
    augmentation: Augmentation
    selection_window: int
    precision: str
    devices: int
    nodes: int
    seed: int

    @classmethod
    def from_parameters(cls, train: TrainParameters, model: ModelParameters) -> Self:
        """Combine the parameters of all models and those of one."""
        shared = train.model_dump(exclude={"augment", "epochs"})
        return cls(
            epochs=max(1, round(train.epochs * model.epochs_factor)),
            augmentation=Augmentation(**train.augment.model_dump()),
            learning_rate=model.learning_rate,
            weight_decay=model.weight_decay,
            **shared,
        )
