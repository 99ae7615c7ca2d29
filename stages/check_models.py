"""Check models and predictions: compute some predictions again, and look for permuted class labels."""

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.cell_classes import read_classes
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv, write_csv
from bloodcells.core.parameters import ModelNames, StageParameters, TestFolds, read_parameters
from bloodcells.core.prepared_cells import open_pixels
from bloodcells.evaluation import model_checks
from bloodcells.evaluation.checks import COLUMNS, Check, check_table, failure
from bloodcells.evaluation.data_checks import TEST, VALIDATION, Cell, read_cells
from bloodcells.inference.parameters import EvaluateParameters
from bloodcells.inference.predictions import Predictions, read_predictions
from bloodcells.inference.probabilities import predict
from bloodcells.models.checkpoints import Checkpoint

AGAIN = 4
"""Test cells of each checkpoint that are predicted again."""


class Parameters(StageParameters):
    """What this stage reads."""

    test_folds: TestFolds
    evaluate: EvaluateParameters
    models: ModelNames


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.check_models", description=__doc__).parse_args()
    params = read_parameters(Parameters)
    path, checks = params.paths.checks("models"), _checks(params)
    write_csv(path, COLUMNS, check_table(checks))
    if fault := failure(checks):
        raise InputError(f"{path}: {fault}")
    print(f"{sum(bool(check.allowed) for check in checks)} checks of the models passed")


def _checks(params: Parameters) -> list[Check]:
    paths = params.paths
    models = {name: read_predictions(paths.predictions(name)) for name in params.models}
    validated = {name: read_predictions(paths.validation(name), validation=True) for name in params.models}
    cells = read_cells(paths.cells)
    held_out = [
        Cell(row["image"], row["label"], fold)
        for fold in params.test_folds
        for row in read_csv(paths.split(fold), ("image", "label", "part"))
        if row["part"] == VALIDATION
    ]
    orders: list[Sequence[str]] = [p.classes for p in (*models.values(), *validated.values())]
    found: list[Check] = []
    for name, p in models.items():
        table, again = [np.empty((0, len(p.classes)))], [np.empty((0, len(p.classes)))]
        for fold in params.test_folds:
            checkpoint = Checkpoint.load(paths.checkpoint(name, fold))
            orders.append(checkpoint.classes)
            rows = np.flatnonzero(p.folds == fold)[:AGAIN]
            if len(rows) and len(checkpoint.classes) == len(p.classes):
                table.append(p.probabilities[rows])
                again.append(_predict(params, checkpoint, p, rows))
        found += model_checks.recomputation(name, np.concatenate(table), np.concatenate(again))
        found += model_checks.class_permutation(name, p)
    return [
        *model_checks.coverage(TEST, models, [cell for cell in cells if cell.fold in params.test_folds]),
        *model_checks.coverage(VALIDATION, validated, held_out),
        *model_checks.class_order(orders, read_classes(paths.classes)),
        *found,
    ]


def _predict(
    params: Parameters, checkpoint: Checkpoint, p: Predictions, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    pixels = open_pixels(params.paths.pixels).take([p.images[row] for row in rows])
    return predict(checkpoint.network(), pixels, checkpoint, params.evaluate.tta)


if __name__ == "__main__":
    run(main)
