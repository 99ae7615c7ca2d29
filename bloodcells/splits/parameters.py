"""The section `clean` of `params.yaml`."""

from pydantic import Field

from bloodcells.core.parameters import Proportion, Section, Seed


class CleanParameters(Section):
    """How cells are assigned to folds, and training parts resampled."""

    n_splits: int = Field(ge=2)
    seed: Seed
    validation: float = Field(gt=0, le=0.5)
    near_duplicate: float = Field(gt=0, le=1)
    downsample: Proportion
    oversample: Proportion
