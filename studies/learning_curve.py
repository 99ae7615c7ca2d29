"""Measure whether more cells would help: train a model on fractions of its training cells, and test it as the run did.

python -m studies.learning_curve resnet                    # after a run, whose files it uses
python -m studies.learning_curve resnet --fractions 0.5
"""

import argparse
import dataclasses
import math
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bloodcells.core.cell_classes import read_classes
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv
from bloodcells.core.parameters import (
    ImageParameters,
    Name,
    StageParameters,
    TestFolds,
    read_parameters,
    select_model,
)
from bloodcells.core.prepared_cells import open_pixels
from bloodcells.evaluation.clusters import Groups, cluster_numbers, read_groups
from bloodcells.evaluation.intervals import proportion_interval
from bloodcells.inference.parameters import EvaluateParameters
from bloodcells.inference.predictions import read_predictions
from bloodcells.inference.probabilities import predict
from bloodcells.models.parameters import ModelParameters
from bloodcells.reporting.markdown import interval, paragraph, table
from bloodcells.splits.parameters import CleanParameters
from bloodcells.splits.resampling import most_frequent, resample
from bloodcells.training.config import TrainingConfig
from bloodcells.training.fold_training import FoldTraining
from bloodcells.training.parameters import TrainParameters

Row = dict[str, str]


class Parameters(StageParameters):
    """What the study reads."""

    clean: CleanParameters
    test_folds: TestFolds
    image: ImageParameters
    train: TrainParameters
    evaluate: EvaluateParameters
    models: dict[Name, ModelParameters]


def main() -> None:
    summary = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m studies.learning_curve", description=summary)
    parser.add_argument("model", help="a key under `models:` in params.yaml")
    parser.add_argument("--fractions", nargs="+", type=_fraction, default=[0.25, 0.5], help="default: 0.25 0.5")
    args = parser.parse_args()
    params = read_parameters(Parameters)
    select_model(params.models, args.model)
    splits = {fold: read_csv(params.paths.split(fold), ("image", "label", "part")) for fold in params.test_folds}
    whole = read_predictions(params.paths.predictions(args.model))
    tested = {row["image"] for rows in splits.values() for row in rows if row["part"] == "test"}
    if unknown := tested - {*whole.images}:
        raise InputError(f"{args.model} has no predictions for {len(unknown)} cells of these folds: run `dvc repro`")
    wrong = {1.0: {whole.images[row] for row in np.flatnonzero(~whole.correct)}}
    trained = {1.0: [len(distinct(rows)) for rows in splits.values()]}
    for fraction in sorted({*args.fractions}, reverse=True):
        parts = {fold: thin(rows, fraction, params.clean, fold) for fold, rows in splits.items()}
        trained[fraction] = [len(distinct(rows)) for rows in parts.values()]
        mistakes = (errors(params, args.model, fold, rows, fraction) for fold, rows in parts.items())
        wrong[fraction] = set[str]().union(*mistakes)
    print(report(trained, wrong, whole.images, read_groups(params.paths.cells)))


def distinct(rows: Sequence[Row]) -> set[str]:
    """Return the distinct training cells."""
    return {row["image"] for row in rows if row["part"] == "train"}


def thin(rows: Sequence[Row], fraction: float, clean: CleanParameters, fold: int) -> list[Row]:
    """Keep a fraction of the training cells of each class, at least one, and oversample as `clean` does.

    A smaller fraction is part of a larger one. Validation and test parts stay.
    """
    label = {row["image"]: row["label"] for row in rows if row["part"] == "train"}
    kept: list[str] = []
    for name in sorted(set(label.values())):
        of_class = sorted(image for image in label if label[image] == name)
        random.Random(f"{clean.seed} {fold} {name}").shuffle(of_class)
        kept += of_class[: max(1, round(fraction * len(of_class)))]
    labels = [label[image] for image in kept]  # downsampling has already happened
    repeated = resample(labels, most_frequent([*label.values()]), 0, clean.oversample, clean.seed + fold)
    training = [{"image": kept[place], "label": labels[place], "part": "train"} for place in repeated]
    return training + [row for row in rows if row["part"] != "train"]


def errors(params: Parameters, model: str, fold: int, rows: Sequence[Row], fraction: float) -> set[str]:
    """Train on these cells for as many steps as all cells get, and return the misclassified test cells."""
    cells, settings = open_pixels(params.paths.pixels), params.models[model]
    config = TrainingConfig.from_parameters(params.train, settings)
    config = dataclasses.replace(
        config,
        epochs=math.ceil(config.epochs / fraction),
        selection_window=math.ceil(config.selection_window / fraction),
        batch_size=min(config.batch_size, sum(row["part"] == "train" for row in rows)),
        devices=1,
        nodes=1,
    )
    with tempfile.TemporaryDirectory() as work_dir:
        title = f"{model}, fold {fold}, {fraction:g} of the cells"
        trained = FoldTraining(cells, read_classes(params.paths.classes), rows, params.image, settings, config).run(
            Path(work_dir), title
        )
    assert trained is not None, "the study runs in one process"
    checkpoint = trained[0]
    tested = [row for row in rows if row["part"] == "test"]
    pixels = cells.take([row["image"] for row in tested])
    predicted = predict(checkpoint.network(), pixels, checkpoint, params.evaluate.tta).argmax(axis=1)
    return {
        row["image"] for row, label in zip(tested, predicted, strict=True) if row["label"] != checkpoint.classes[label]
    }


def report(
    trained: dict[float, list[int]], wrong: dict[float, set[str]], images: Sequence[str], groups: Groups | None
) -> str:
    """Return a table: for each fraction, how many cells were trained on, and how many test cells are correct."""
    rows, clusters = [], cluster_numbers(images, groups)
    for fraction in sorted(trained):
        correct = [image not in wrong[fraction] for image in images]
        accuracy = interval(float(sum(correct) / len(images)), *proportion_interval(correct, clusters))
        cells = f"{np.mean(trained[fraction]):.0f}"
        rows.append([f"{fraction:g}", cells, f"{sum(correct)} of {len(images)}", accuracy])
    always = set.intersection(*wrong.values())
    return "\n\n".join(
        [
            table(["fraction", "distinct training cells", "correct", "accuracy, 95 % interval"], rows),
            paragraph(f"{len(always)} of the {len(wrong[1.0])} errors with all cells occur with every fraction."),
        ]
    )


def _fraction(text: str) -> float:
    fraction = float(text)
    if not 0 < fraction < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return fraction


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    run(main)
