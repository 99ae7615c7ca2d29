"""The section `review` of `params.yaml`."""

from bloodcells.core.parameters import Proportion, Section


class ReviewParameters(Section):
    """Below which accuracy a review fails."""

    min_accuracy: Proportion
