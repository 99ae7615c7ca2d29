"""The predictor: one file with a network and everything needed to predict, and to abstain, without the pipeline."""

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from lightning_utilities.core.apply_func import apply_to_collection

from bloodcells.core.errors import InputError
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.weights import read_weights, write_weights

_FORMAT = 5


@dataclass(frozen=True)
class Predictor:
    """A checkpoint, and how to interpret its probabilities.

    Attributes:
        name: the model's, as in params.yaml.
        checkpoint: the network, its classes and its input.
        temperature: of the probabilities; see `bloodcells.inference.temperature`.
        threshold: a prediction is accepted if its scaled confidence reaches this; above 1, none is.
        target_error: the error rate for which the threshold was fitted.
        calibration_cells: number of validation cells on which temperature and threshold were fitted.
        tta: test-time augmentation: 1 or 8 views of a cell.
        image_size: width and height of the training images in pixels; None if unknown.
        min_stain: the weakest stain of their white cells (0 to 255); None if unknown.
        range: the values of 16-bit images that became 0 and 255; None if the training images have 8 bits.
    """

    name: str
    checkpoint: Checkpoint
    temperature: float
    threshold: float
    target_error: float
    calibration_cells: int
    tta: int
    image_size: tuple[int, int] | None
    min_stain: float | None
    range: tuple[float, float] | None = None

    def save(self, path: Path) -> None:
        """Write the file; the same content gives the same bytes."""
        content = {"format": _FORMAT, **_values(self), "checkpoint": _values(self.checkpoint)}
        # pickle distinguishes equal strings from identical ones
        write_weights(apply_to_collection(content, str, sys.intern), path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a predictor without running any code that the file may hold.

        Raises:
            InputError: the file is missing, or is not a predictor of this version.
        """
        content = read_weights(path)
        inner = content.get("checkpoint")
        if (
            content.get("format") != _FORMAT
            or content.keys() != {"format", *_names(cls)}
            or not isinstance(inner, dict)
            or inner.keys() != _names(Checkpoint)
        ):
            raise InputError(
                f"{path} is not a predictor of this version: run `dvc repro`, whose stage evaluate writes it"
            )
        del content["format"]
        return cls(**{**content, "checkpoint": Checkpoint(**inner)})


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def _values(of: object) -> dict[str, object]:
    return {name: getattr(of, name) for name in sorted(_names(type(of)))}
