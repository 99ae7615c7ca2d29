"""The section `clean` of `params.yaml`."""

from pydantic import Field, field_validator

from bloodcells.core.cell_classes import CLASSES
from bloodcells.core.parameters import Proportion, Section, Seed


class CleanParameters(Section):
    """How cells are assigned to folds, and training parts resampled."""

    n_splits: int = Field(ge=2)
    seed: Seed
    validation: float = Field(gt=0, le=0.5)
    near_duplicate: float = Field(gt=0, le=1)
    downsample: dict[str, Proportion]
    oversample: dict[str, Proportion]

    @field_validator("downsample", "oversample")
    @classmethod
    def _known_classes(cls, rates: dict[str, float]) -> dict[str, float]:
        unknown = [label for label in rates if label not in CLASSES]
        if unknown:
            raise ValueError(f"unknown class {', '.join(unknown)}; known are {', '.join(CLASSES)}")
        return rates
