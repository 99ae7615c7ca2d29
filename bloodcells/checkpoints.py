"""Load the checkpoints of this run, and of no other."""

from pathlib import Path

from bloodcells.errors import InputError
from bloodcells.labels import CLASSES
from bloodcells.networks import Checkpoint
from bloodcells.params import Image


def load_checkpoint(path: Path, image: Image) -> Checkpoint:
    """Load a checkpoint whose classes are in our order and whose input is that of this run.

    Raises:
        InputError: it is missing, can't be read, has other classes, or was trained on another input.
    """
    checkpoint = Checkpoint.load(path)
    if checkpoint.classes != CLASSES:
        raise InputError(
            f"{path} gives its logits in the order {', '.join(checkpoint.classes)}, and this code in the order "
            f"{', '.join(CLASSES)}: names would be permuted; run `dvc repro` to train anew"
        )
    if (checkpoint.frame, checkpoint.crop, checkpoint.size) != (image.frame, image.crop, image.size):
        told = f"frame {checkpoint.frame}, crop {checkpoint.crop}, size {checkpoint.size}"
        raise InputError(f"{path} was trained on another input ({told}): run `dvc repro` to train anew")
    return checkpoint
