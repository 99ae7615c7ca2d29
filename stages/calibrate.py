"""Say how far the models' confidence can be trusted, and what abstaining below a threshold costs and saves."""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv, write_csv, write_text
from bloodcells.core.parameters import Params, read_params
from bloodcells.evaluation.confidence import (
    ABSTENTION_COLUMNS,
    CALIBRATION_COLUMNS,
    RELIABILITY_COLUMNS,
    Confidence,
    abstention_in_words,
    abstention_markdown,
    abstention_table,
    calibration_in_words,
    calibration_markdown,
    calibration_table,
    examine,
    reliability_table,
)
from bloodcells.inference.predictions import Predictions, read_predictions
from bloodcells.inference.selective import ASSURANCE, DIGITS, cells_needed
from bloodcells.reporting.charts import reliability_diagrams, risk_coverage_curves
from bloodcells.reporting.markdown import item, paragraph, percent


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.calibrate", description=__doc__).parse_args()
    params = read_params()
    target = params.evaluate.target_error
    plots = Path("plots", params.dataset)
    models = {name: _examine(params, name) for name in params.models}

    write_csv(plots / "calibration.csv", CALIBRATION_COLUMNS, calibration_table(models))
    write_csv(plots / "abstention.csv", ABSTENTION_COLUMNS, abstention_table(models, target))
    write_csv(plots / "reliability.csv", RELIABILITY_COLUMNS, reliability_table(models))
    _draw(params, plots, models)
    page = _page(params, models)
    write_text(plots / "calibration.md", page)
    print(page, end="")


def _examine(params: Params, name: str) -> Confidence:
    plots = Path("plots", params.dataset)
    path = plots / "validation" / f"{name}.csv"
    validation = read_predictions(path, validation=True)
    homes = _homes(path, validation, Path("artifacts", params.dataset, "cells.csv"))
    tested = read_predictions(plots / "predictions" / f"{name}.csv")
    return examine(tested, validation, homes, params.evaluate.target_error, params.compare.resamples, params.compare.seed)


def _homes(path: Path, validation: Predictions, table: Path) -> NDArray[np.int64]:
    """Give the fold in which each validation cell is tested.

    Raises:
        InputError: a cell is in no fold, or in that of the network that has it for validation.
    """
    folds = {row["image"]: int(row["fold"]) for row in read_csv(table, ("image", "fold"))}
    for image, fold in zip(validation.images, validation.folds.tolist(), strict=True):
        if folds.get(image, fold) == fold:
            which = f"tests it in fold {fold} as well" if image in folds else "does not name it"
            raise InputError(
                f"{path}: {image} is among the validation cells of fold {fold}, but {table} {which}: "
                "run `dvc repro` to make both anew"
            )
    return np.array([folds[image] for image in validation.images], np.int64)


def _draw(params: Params, plots: Path, models: Mapping[str, Confidence]) -> None:
    cells = max(model.tested.cells for model in models.values())
    reliability_diagrams(
        plots / "reliability.png",
        f"Is the confidence right? {params.dataset}, {cells} cells",
        {
            name: {
                kind: [(one.confidence, one.share, *one.interval) for one in setting.bins]
                for kind, setting in model.settings.items()
            }
            for name, model in models.items()
        },
    )
    chosen = {
        name: (model.tested.coverage, model.tested.risk, *model.tested.risk_interval)
        for name, model in models.items()
        if model.tested.risk is not None and model.tested.risk_interval is not None
    }
    risk_coverage_curves(
        plots / "abstention.png",
        f"What abstaining costs and saves: {params.dataset}, {cells} cells",
        {name: model.curve for name, model in models.items()},
        chosen,
        params.evaluate.target_error,
    )


def _page(params: Params, models: Mapping[str, Confidence]) -> str:
    target = params.evaluate.target_error
    cells = max(model.tested.cells for model in models.values())
    blocks = [
        f"# How far the models' confidence can be trusted on `{params.dataset}`",
        paragraph(
            "A cell's confidence is its largest probability, and of the cells called with 0.8 eight in ten should be "
            "right. *sure* is its mean. *error* says by how much share right and confidence are apart in the "
            f"{cells} tested cells (expected calibration error, ten bins of equally many cells; bootstrap interval), "
            "*perfect* what so few cells would show by chance if they agreed. *T* is the temperature: 1 leaves the "
            "probabilities as they are; the other is fitted on validation, for each fold without the labels of its "
            "tested cells, and given as the mean over the folds.",
        ),
        calibration_markdown(models),
        "\n".join(item(calibration_in_words(name, model)) for name, model in models.items()),
        "## Abstaining",
        paragraph(
            "A model answers where its confidence, with temperature, reaches a threshold: the smallest at which "
            f"{_shown(models, target)} On the tested cells, whose labels it was not fitted on:",
        ),
        abstention_markdown(models),
        paragraph(
            abstention_in_words(models, target),
            "A threshold from validation is no guarantee: it is the smallest of many, and the epoch was chosen on the "
            "same few cells.",
        ),
        paragraph(
            "`bloodcells predict` has the thresholds of all validation cells:",
            ", ".join(f"{name} {_threshold(model)}" for name, model in models.items()) + ".",
        ),
    ]
    return "\n\n".join(blocks) + "\n"


def _threshold(model: Confidence) -> str:
    return f"{model.rule.threshold:.{DIGITS}f}" if model.rule.threshold <= 1 else "none (it never answers)"


def _shown(models: Mapping[str, Confidence], target: float) -> str:
    cells, needed = min(model.fitted for model in models.values()), cells_needed(target)
    if cells < needed:
        return (
            f"at most {percent(target)} of the answers on validation are wrong. (Its {cells} cells are too few to show "
            f"that other answers keep this risk: {needed}, all right, would be the fewest.)"
        )
    return (
        f"the answers on validation show, with {percent(ASSURANCE, 0)} assurance, that at most {percent(target)} of "
        "such answers are wrong."
    )


if __name__ == "__main__":
    run(main)
