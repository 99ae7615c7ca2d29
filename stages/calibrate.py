"""Measure how well confidence fits accuracy, and what abstaining at the target error rate costs and saves."""

import argparse

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.errors import InputError, run
from bloodcells.core.parameters import ModelNames, StageParameters, read_parameters
from bloodcells.evaluation.clusters import read_groups
from bloodcells.evaluation.data_checks import read_cells
from bloodcells.evaluation.parameters import CompareParameters
from bloodcells.evaluation.selective_prediction import (
    SelectiveResult,
    calibration_table,
    examine,
    reliability_table,
    risk_coverage_table,
    selection_table,
)
from bloodcells.evaluation.tables import write_table
from bloodcells.inference.parameters import EvaluateParameters
from bloodcells.inference.predictions import Predictions, read_predictions


class Parameters(StageParameters):
    """What this stage reads."""

    evaluate: EvaluateParameters
    compare: CompareParameters
    models: ModelNames


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.calibrate", description=__doc__).parse_args()
    params = read_parameters(Parameters)
    paths, target = params.paths, params.evaluate.target_error
    models = {name: _examine(params, name) for name in params.models}
    write_table(paths.table("calibration"), calibration_table(models))
    write_table(paths.table("selective_prediction"), selection_table(models, target))
    write_table(paths.chart("reliability"), reliability_table(models))
    write_table(paths.chart("risk_coverage"), risk_coverage_table(models, target))


def _examine(params: Parameters, name: str) -> SelectiveResult:
    validation = read_predictions(params.paths.validation(name), validation=True)
    return examine(
        read_predictions(params.paths.predictions(name)),
        validation,
        _test_folds(params, name, validation),
        params.evaluate.target_error,
        params.compare.resamples,
        params.compare.seed,
        read_groups(params.paths.cells),
    )


def _test_folds(params: Parameters, name: str, validation: Predictions) -> NDArray[np.int64]:
    """Return the fold in which each validation cell is tested.

    Raises:
        InputError: a cell is in no fold, or in that of the network that has it for validation.
    """
    table = params.paths.cells
    folds = {cell.image: cell.fold for cell in read_cells(table)}
    for image, fold in zip(validation.images, validation.folds.tolist(), strict=True):
        if folds.get(image, fold) == fold:
            which = f"tests it in fold {fold} as well" if image in folds else "does not name it"
            raise InputError(
                f"{params.paths.validation(name)}: {image} is a validation cell of fold {fold}, but {table} {which}: "
                "run `dvc repro` to write both again"
            )
    return np.array([folds[image] for image in validation.images], np.int64)


if __name__ == "__main__":
    run(main)
