"""The sections `compare` and `review` of `params.yaml`."""

from pydantic import Field

from bloodcells.core.parameters import Proportion, Section, Seed


class CompareParameters(Section):
    """The bootstrap behind intervals of means and differences."""

    resamples: int = Field(ge=100)
    seed: Seed


class ReviewParameters(Section):
    """Below which accuracy a review fails."""

    min_accuracy: Proportion
