"""Which model answers: where a run of the pipeline leaves its predictors, and which of them does best on validation."""

import json
from pathlib import Path

from bloodcells.core.errors import InputError


def find_model(which: str | None) -> Path:
    """Give the file of a model.

    Args:
        which: a path, or the name of a model of the run in this folder; None for the one of that run whose loss on
            validation is least. (Not the most accurate in the test: that is often several, and would be luck.)

    Raises:
        InputError: there is none.
    """
    if which and (Path(which).is_file() or Path(which).name != which or which.endswith(".ckpt")):
        return Path(which)
    if not Path("params.yaml").is_file():
        what = f"{which!r} is no file, and" if which else "--model is missing, and"
        raise InputError(
            f"{what} this folder is not the project's root, where a run's models would be: give --model the path of "
            "a predictor (artifacts/DATASET/predictors/MODEL.ckpt) or of a checkpoint"
        )
    from bloodcells.core.parameters import read_params  # noqa: PLC0415 (it loads pydantic, which a path does not need)

    params = read_params()
    dataset = params.dataset
    made = {path.stem: path for path in sorted(Path("artifacts", dataset, "predictors").glob("*.ckpt"))}
    if not made:
        raise InputError(f"the run on {dataset} has no predictor yet: run `dvc repro`, or give --model a path")
    if which:
        if which not in made:
            remedy = ": run `dvc repro`, which makes it" if which in params.models else ""
            raise InputError(f"the run on {dataset} has no predictor {which!r} (there are {', '.join(made)}){remedy}")
        return made[which]
    present = [name for name in made if name in params.models]  # what a removed model has left doesn't count
    if not present:
        raise InputError(f"no model of params.yaml has a predictor yet: run `dvc repro`, or --model {next(iter(made))}")
    losses = {name: _validation_loss(Path("metrics", dataset, f"{name}.json")) for name in present}
    return made[min(losses, key=lambda name: losses[name])]


def _validation_loss(metrics: Path) -> float:
    try:
        return float(json.loads(metrics.read_text(encoding="utf-8"))["validation_loss"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise InputError(
            f"{metrics} does not tell the loss on validation ({reason}): run `dvc repro`, or choose with --model"
        ) from None
