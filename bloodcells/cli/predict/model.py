"""The model that answers, and how far its probabilities can be believed."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from bloodcells.core.errors import InputError
from bloodcells.inference.predictor import Predictor
from bloodcells.inference.selective import DIGITS, cells_needed
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.weights import read

NOTICE = "Not for diagnosis."

_VIEWS = 8  # of a plain checkpoint, which says nothing of them: as many as the pipeline tests with


@dataclass(frozen=True)
class Model:
    """A predictor, and whether its probabilities are calibrated and its threshold fitted.

    Those of a plain checkpoint are not: its temperature is 1 and its threshold 0.
    """

    predictor: Predictor
    calibrated: bool

    def describe(self) -> str:
        """Say in a sentence how far its probabilities can be believed, and when it answers."""
        own = self.predictor
        if not self.calibrated:
            return f"{own.name}, a plain checkpoint: not calibrated, and it answers however unsure it is."
        few = own.cells < cells_needed(own.risk)
        fitted = f"calibrated on {own.cells} cells{', too few to rely on' if few else ''}"
        kept = f"on these at most {100 * own.risk:g} % of its answers are wrong"
        if own.threshold > 1:
            return f"{own.name}, {fitted}: it never answers, since no confidence shows that {kept}."
        return f"{own.name}, {fitted}: it answers from a confidence of {own.threshold:.{DIGITS}f}, so that {kept}."

    def network(self) -> nn.Module:
        """Build its network, ready to evaluate, on a GPU if there is one.

        Raises:
            InputError: the weights are not those of the architecture that is named with them.
        """
        checkpoint = self.predictor.checkpoint
        try:
            return checkpoint.network()
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"the weights of {self.predictor.name} don't fit {checkpoint.architecture}: {reason}"
            ) from None


def load_model(path: Path) -> Model:
    """Load a predictor, or a plain checkpoint of a training.

    Raises:
        InputError: no such file, or neither of the two.
    """
    try:
        try:
            return Model(Predictor.load(path), calibrated=True)
        except InputError as no_predictor:
            try:
                checkpoint = Checkpoint.load(path)
            except InputError:
                if "checkpoint" in read(path):  # it is a predictor, though not of this version
                    raise no_predictor from None
                raise
    except (AttributeError, TypeError) as error:  # torch reads some texts as broken pickles
        raise InputError(f"{path} holds no model ({error}): give the path of a predictor or a checkpoint") from None
    return Model(Predictor(checkpoint.architecture, checkpoint, 1.0, 0.0, 1.0, 0, _VIEWS, None, None), calibrated=False)
