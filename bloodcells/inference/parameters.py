"""The section `evaluate` of `params.yaml`."""

from typing import Literal

from pydantic import Field

from bloodcells.core.parameters import Section


class EvaluateParameters(Section):
    """How networks predict, and at which error rate they may abstain."""

    tta: Literal[1, 8]
    target_error: float = Field(gt=0, lt=1)
