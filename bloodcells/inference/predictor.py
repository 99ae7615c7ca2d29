"""Predictors: a network with all it takes to answer alone, and to know when it had better not."""

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from lightning_utilities.core.apply_func import apply_to_collection

from bloodcells.core.errors import InputError
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.weights import read, save

_FORMAT = 3


@dataclass(frozen=True)
class Predictor:
    """A checkpoint and how its answers are to be read.

    Attributes:
        name: the model's, as in params.yaml.
        checkpoint: the network, its classes and its input.
        temperature: by which the probabilities are temperature_scaled (`bloodcells.calibration.temperature_scaled`).
        threshold: it answers where the largest temperature_scaled probability reaches this; above 1 it never answers.
        risk: the share of wrong answers for which the threshold was fitted on validation.
        cells: on how many validation cells temperature and threshold were fitted.
        views: over how many rotations and mirror images of a cell the probabilities are averaged; 1 or 8.
        smear: width and height of the smears that it was trained on, in pixels; None where that is not known.
        palest: the stain of the palest of their white cells (0 to 255); None likewise.
    """

    name: str
    checkpoint: Checkpoint
    temperature: float
    threshold: float
    risk: float
    cells: int
    views: int
    smear: tuple[int, int] | None
    palest: float | None

    def save(self, path: Path) -> None:
        """Write it; the same content gives the same bytes."""
        content = {"format": _FORMAT, **_values(self), "checkpoint": _values(self.checkpoint)}
        save(apply_to_collection(content, str, sys.intern), path)  # pickle tells equal strings from the very same

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read one without running any code that it may hold.

        Raises:
            InputError: no such file, or no predictor of ours.
        """
        content = read(path)
        known = {"format", *_names(cls)}
        inner = content.get("checkpoint")
        if (
            content.get("format") != _FORMAT
            or content.keys() != known
            or not isinstance(inner, dict)
            or inner.keys() != _names(Checkpoint)
        ):
            raise InputError(f"{path} is no predictor of this version: run `dvc repro`, whose stage evaluate makes it")
        del content["format"]
        return cls(**{**content, "checkpoint": Checkpoint(**inner)})


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def _values(of: object) -> dict[str, object]:
    return {name: getattr(of, name) for name in sorted(_names(type(of)))}
