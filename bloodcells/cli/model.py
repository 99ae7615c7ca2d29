"""The model that predicts: which one is the default, loading it, and what to know before trusting it."""

import json
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from bloodcells.core.errors import InputError
from bloodcells.core.parameters import PARAMETERS, ModelNames, StageParameters, read_parameters
from bloodcells.inference.predictor import Predictor
from bloodcells.inference.threshold import DIGITS, cells_needed
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.weights import read_weights

NOTICE = "Not for diagnosis."

_TTA = 8  # of a plain checkpoint, which does not record it: the default of evaluate.tta


class Parameters(StageParameters):
    """The parameters that the choice of a model needs."""

    models: ModelNames


def find_model(which: str | None) -> Path:
    """Return the file of a model.

    Args:
        which: a path, or the name of a model of the run in this folder; None for the model of that run with the lowest
            validation loss. (Choosing by test accuracy would be selection on the test set.)

    Raises:
        InputError: there is no such model.
    """
    if which and (Path(which).is_file() or Path(which).name != which or which.endswith(".ckpt")):
        return Path(which)
    if not PARAMETERS.is_file():
        what = f"{which!r} is not a file, and" if which else "--model is missing, and"
        raise InputError(
            f"{what} this folder is not the root of the project: run this there, or give --model the path of a "
            "predictor (artifacts/DATASET/predictors/MODEL.ckpt) or of a checkpoint"
        )
    params = read_parameters(Parameters)
    dataset, paths = params.dataset, params.paths
    available = {path.stem: path for path in sorted(paths.predictor("*").parent.glob("*.ckpt"))}
    if not available:
        raise InputError(f"the run on {dataset} has no predictor yet: run `dvc repro`, or give --model a path")
    if which:
        if which not in available:
            remedy = ": run `dvc repro`, which writes it" if which in params.models else ""
            raise InputError(f"the run on {dataset} has no predictor {which!r} (it has {', '.join(available)}){remedy}")
        return available[which]
    current = [name for name in available if name in params.models]  # a removed model may have left its predictor
    if not current:
        raise InputError(
            f"no model of params.yaml has a predictor yet: run `dvc repro`, or use --model {next(iter(available))}"
        )
    losses = {name: _validation_loss(paths.metrics(name)) for name in current}
    return available[min(losses, key=lambda name: losses[name])]


def _validation_loss(metrics: Path) -> float:
    try:
        return float(json.loads(metrics.read_text(encoding="utf-8"))["val_loss"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise InputError(
            f"{metrics} has no validation loss ({reason}): run `dvc repro`, or choose a model with --model"
        ) from None


@dataclass(frozen=True)
class Model:
    """A model to predict with.

    Attributes:
        predictor: the network and how to interpret its probabilities.
        calibrated: False for a plain checkpoint, whose temperature is 1 and whose threshold is 0.
    """

    predictor: Predictor
    calibrated: bool

    def describe(self) -> str:
        """Return one sentence on how reliable its probabilities are, and when it abstains."""
        own = self.predictor
        if not self.calibrated:
            return f"{own.name}, a plain checkpoint: not calibrated, and it never abstains because of low confidence."
        few = ", too few to rely on" if own.calibration_cells < cells_needed(own.target_error) else ""
        target = f"the target error rate of {100 * own.target_error:g} %"
        if own.threshold > 1:
            rule = f"it rejects all predictions, because no threshold meets {target}"
        elif own.threshold == 0:
            rule = f"it never abstains because of low confidence: without a threshold, these cells meet {target}"
        else:
            rule = f"it abstains below a confidence of {own.threshold:.{DIGITS}f}, to meet {target}"
        return f"{own.name}, calibrated on {own.calibration_cells} cells{few}: {rule}."

    def network(self) -> nn.Module:
        """Build its network in evaluation mode, on a GPU if there is one.

        Raises:
            InputError: the weights belong to another architecture.
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
        InputError: the file is missing, or neither of the two.
    """
    try:
        return Model(Predictor.load(path), calibrated=True)
    except InputError as not_a_predictor:
        try:
            checkpoint = Checkpoint.load(path)
        except InputError:
            if "checkpoint" in read_weights(path):  # a predictor, but of another version
                raise not_a_predictor from None
            raise
    return Model(Predictor(checkpoint.architecture, checkpoint, 1.0, 0.0, 1.0, 0, _TTA, None, None), calibrated=False)
