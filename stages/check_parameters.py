"""Check all of `params.yaml` before anything runs, so that a typo does not end a run after its training."""

import argparse
from pathlib import Path
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from bloodcells.core.errors import InputError, run
from bloodcells.core.files import write_text
from bloodcells.core.parameters import ImageParameters, Name, StageParameters, TestFolds, read_parameters
from bloodcells.datasets.record import CORRECTIONS, read_record, record_path
from bloodcells.datasets.synthetic.parameters import SyntheticParameters
from bloodcells.evaluation.parameters import CompareParameters, ReviewParameters
from bloodcells.inference.parameters import EvaluateParameters
from bloodcells.models.parameters import ModelParameters
from bloodcells.splits.parameters import CleanParameters
from bloodcells.training.parameters import TrainParameters


class Parameters(StageParameters):
    """Every section; unknown sections are refused."""

    model_config = ConfigDict(extra="forbid")

    synthetic: SyntheticParameters
    clean: CleanParameters
    test_folds: TestFolds
    image: ImageParameters
    train: TrainParameters
    evaluate: EvaluateParameters
    compare: CompareParameters
    review: ReviewParameters
    models: dict[Name, ModelParameters] = Field(min_length=1)

    @model_validator(mode="after")
    def _folds_exist(self) -> Self:
        if len(set(self.test_folds)) < len(self.test_folds):
            raise ValueError("test_folds: name each fold once")
        if max(self.test_folds) >= self.clean.n_splits:
            last = self.clean.n_splits - 1
            raise ValueError(f"test_folds: there is no fold {max(self.test_folds)} (clean.n_splits gives 0 to {last})")
        return self


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.check_parameters", description=__doc__).parse_args()
    params = read_parameters(Parameters)
    read_record(params.dataset)
    corrections = record_path(params.dataset).parent / CORRECTIONS
    if not corrections.is_dir():
        raise InputError(f"{corrections} is missing: make this folder, with a README.md, so that git keeps it")
    for name, model in params.models.items():
        if model.weights not in ("none", "imagenet") and not Path(model.weights).is_file():
            raise InputError(f"params.yaml: models.{name}.weights: {model.weights} is not none, imagenet, or a file")
    write_text(params.paths.gate("parameters"), "valid\n")


if __name__ == "__main__":
    run(main)
