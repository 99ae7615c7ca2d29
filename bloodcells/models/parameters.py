"""One entry of the section `models` of `params.yaml`."""

from pydantic import Field

from bloodcells.core.parameters import Name, Section


class ModelParameters(Section):
    """Which network is trained, from which weights, and how fast."""

    architecture: Name
    weights: str = Field(min_length=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    epochs_factor: float = Field(gt=0, default=1.0)
