"""The section `compare` of `params.yaml`."""

from pydantic import Field

from bloodcells.core.parameters import Section, Seed


class CompareParameters(Section):
    """The bootstrap behind intervals of means and differences."""

    resamples: int = Field(ge=100)
    seed: Seed
