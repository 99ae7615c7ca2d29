"""Which model predicts: where a run leaves its predictors, which of them is the default, and how reliable it is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bloodcells.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from bloodcells.inference.predictor import Predictor

NOTICE = "Not for diagnosis."

_TTA = 8  # for a plain checkpoint, which does not say: as the pipeline tests


def find_model(which: str | None) -> Path:
    """Return the file of a model.

    Args:
        which: a path, or the name of a model of the run in this folder; None for the model of that run with the lowest
            validation loss. (Not the most accurate in the test: that would be selecting on the test set.)

    Raises:
        InputError: there is no such model.
    """
    if which and (Path(which).is_file() or Path(which).name != which or which.endswith(".ckpt")):
        return Path(which)
    if not Path("params.yaml").is_file():
        what = f"{which!r} is not a file, and" if which else "--model is missing, and"
        raise InputError(
            f"{what} this folder is not the root of the project, where the models of a run would be: give --model the "
            "path of a predictor (artifacts/DATASET/predictors/MODEL.ckpt) or of a checkpoint"
        )
    # pydantic, which a path does not need
    from bloodcells.core.parameters import ModelNames, StageParameters, read_parameters  # noqa: PLC0415

    class Parameters(StageParameters):
        models: ModelNames

    params = read_parameters(Parameters)
    dataset, paths = params.dataset, params.paths
    made = {path.stem: path for path in sorted(paths.predictor("*").parent.glob("*.ckpt"))}
    if not made:
        raise InputError(f"the run on {dataset} has no predictor yet: run `dvc repro`, or give --model a path")
    if which:
        if which not in made:
            remedy = ": run `dvc repro`, which writes it" if which in params.models else ""
            raise InputError(f"the run on {dataset} has no predictor {which!r} (it has {', '.join(made)}){remedy}")
        return made[which]
    present = [name for name in made if name in params.models]  # not what a removed model has left
    if not present:
        raise InputError(
            f"no model of params.yaml has a predictor yet: run `dvc repro`, or use --model {next(iter(made))}"
        )
    losses = {name: _validation_loss(paths.metrics(name)) for name in present}
    return made[min(losses, key=lambda name: losses[name])]


def _validation_loss(metrics: Path) -> float:
    try:
        return float(json.loads(metrics.read_text(encoding="utf-8"))["validation_loss"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise InputError(
            f"{metrics} has no validation loss ({reason}): run `dvc repro`, or choose a model with --model"
        ) from None


@dataclass(frozen=True)
class Model:
    """A predictor, and whether its probabilities are calibrated and its threshold fitted.

    Those of a plain checkpoint are not: its temperature is 1 and its threshold 0.
    """

    predictor: "Predictor"
    calibrated: bool

    def describe(self) -> str:
        """Say in a sentence how far to trust its probabilities, and when it abstains."""
        from bloodcells.inference.selective import DIGITS, cells_needed  # noqa: PLC0415 (SciPy)

        own = self.predictor
        if not self.calibrated:
            return f"{own.name}, a plain checkpoint: not calibrated, and it never abstains because of low confidence."
        few = own.calibration_cells < cells_needed(own.target_error)
        fitted = f"calibrated on {own.calibration_cells} cells{', too few to rely on' if few else ''}"
        target = f"{100 * own.target_error:g} %"
        if own.threshold > 1:
            return (
                f"{own.name}, {fitted}: it rejects all images, because no threshold meets a target of {target} errors."
            )
        return (
            f"{own.name}, {fitted}: it accepts predictions with a confidence of at least {own.threshold:.{DIGITS}f}, "
            f"for a target of at most {target} errors among them."
        )

    def network(self) -> "nn.Module":
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
    from bloodcells.inference.predictor import Predictor  # noqa: PLC0415 (PyTorch)
    from bloodcells.models.checkpoints import Checkpoint  # noqa: PLC0415
    from bloodcells.models.weights import read_weights  # noqa: PLC0415

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
