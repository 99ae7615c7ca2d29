"""The section `train` of `params.yaml`."""

from typing import Literal

from pydantic import Field, field_validator

from bloodcells.core.parameters import Proportion, Section, Seed


class AugmentParameters(Section):
    """How far a training image may change."""

    rotate: float = Field(ge=0, le=180)
    zoom: float = Field(ge=0, le=3)
    shift: Proportion
    color: float = Field(ge=0, lt=1)


class TrainParameters(Section):
    """How every network is trained."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    warmup: Proportion
    label_smoothing: float = Field(ge=0, lt=1)
    gradient_clip: float = Field(gt=0)
    augment: AugmentParameters
    selection_window: int = Field(ge=1)
    precision: Literal["auto", "32", "bf16"]
    devices: int = Field(ge=1)
    nodes: int = Field(ge=1)
    seed: Seed

    @field_validator("precision", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value)  # YAML reads 32 as a number
