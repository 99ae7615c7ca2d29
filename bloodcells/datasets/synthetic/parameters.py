"""The section `synthetic` of `params.yaml`."""

from pydantic import Field

from bloodcells.core.parameters import Section, Seed
from bloodcells.datasets.synthetic.plan import MIN_IMAGES


class SyntheticParameters(Section):
    """Number of synthetic smears, and their seed."""

    images: int = Field(ge=MIN_IMAGES)
    seed: Seed
