"""The section `rendered` of `params.yaml`."""

from pydantic import Field

from bloodcells.core.parameters import Section, Seed


class SyntheticParameters(Section):
    """How many smears are drawn, and from which seed."""

    images: int = Field(ge=20)
    seed: Seed
