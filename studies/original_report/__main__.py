"""Measure what the faults of the original report's protocol are worth, on the cells of the last pipeline run.

Trains the model once more per test fold, under the original protocol, and compares it with the networks of the run.
An interrupted study resumes. Results: studies/results/original_report/DATASET/.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import run
from bloodcells.core.files import read_csv, write_csv, write_text
from bloodcells.core.parameters import (
    ImageParameters,
    Name,
    StageParameters,
    TestFolds,
    read_parameters,
    select_model,
)
from bloodcells.core.pixels import PreparedCells, open_pixels
from bloodcells.evaluation.parameters import CompareParameters
from bloodcells.imaging.near_duplicates import near_duplicate_groups, smear_thumbnails
from bloodcells.inference.probabilities import predict
from bloodcells.models.checkpoints import Checkpoint, load_checkpoint
from bloodcells.models.parameters import ModelParameters
from bloodcells.reporting.pages import render
from bloodcells.splits.parameters import CleanParameters
from bloodcells.training.augmentation import Augmentation
from bloodcells.training.config import TrainingConfig
from bloodcells.training.fold import FoldTraining
from bloodcells.training.parameters import TrainParameters
from studies.original_report.figures import ORIGINAL, PROPOSED, Figure, figures
from studies.original_report.protocol import leaked_duplicates, original_split, predict_perturbed, ungrouped_folds

DRAWS = 20
"""Random perturbations of each image; the report made one, and printed it."""

SEEDS = 20
"""Assignments to ungrouped folds: how many near-duplicates leak is chance."""

Split = list[dict[str, str]]


class Parameters(StageParameters):
    """What the study reads."""

    clean: CleanParameters
    test_folds: TestFolds
    image: ImageParameters
    train: TrainParameters
    compare: CompareParameters
    models: dict[Name, ModelParameters]


def main() -> None:
    summary = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m studies.original_report", description=summary)
    parser.add_argument("model", help="a key under `models:` in params.yaml")
    model = parser.parse_args().model
    params = read_parameters(Parameters)
    select_model(params.models, model)
    paths, cells = params.paths, open_pixels(params.paths.pixels)
    kept = read_csv(paths.cells, ("image", "label", "fold"))
    parts = [part for fold in sorted(params.test_folds) for part in _fold(params, model, fold, kept, cells)]
    rows = pd.concat(parts, ignore_index=True)
    ungrouped, grouped = _leaked(params, kept)
    found = figures(rows, ungrouped, grouped, len(kept), params.compare.resamples, params.compare.seed)

    folder = Path("studies", "results", "original_report", params.dataset)
    write_csv(folder / "figures.csv", Figure._fields, found)
    write_csv(folder / "near_duplicates.csv", ("seed", "leaked"), enumerate(ungrouped, start=params.clean.seed))
    rows["perturbed"] = [" ".join(map(str, draws)) for draws in rows["perturbed"]]
    write_text(folder / "predictions.csv", rows.to_csv(index=False, lineterminator="\n"))
    page = render(
        "report.md.j2",
        "studies.original_report",
        model=model,
        dataset=params.dataset,
        found={figure.figure: figure for figure in found},
        classes=CLASSES,
        draws=DRAWS,
        cells=int((rows["part"] == "test").sum() // 2),
        folds=sorted(params.test_folds),
    )
    write_text(folder / "report.md", page)
    print(page)


def _fold(
    params: Parameters, model: str, fold: int, kept: Sequence[dict[str, str]], cells: PreparedCells
) -> Iterator[pd.DataFrame]:
    """Yield the predictions of both protocols' networks of one fold, for their validation and test parts."""
    labels, folds = [row["label"] for row in kept], np.array([int(row["fold"]) for row in kept])
    parts = original_split(
        labels,
        folds,
        fold,
        validation=params.clean.validation,
        oversample=params.clean.oversample,
        seed=params.clean.seed,
    )
    split = [
        {"image": kept[cell]["image"], "label": labels[cell], "part": part}
        for part, indices in parts.items()
        for cell in indices
    ]
    proposed = load_checkpoint(params.paths.checkpoint(model, fold), params.image)
    yield from _predictions(params, ORIGINAL, fold, _trained(params, model, fold, split, cells), split, cells)
    own = read_csv(params.paths.split(fold), ("image", "label", "part"))
    yield from _predictions(params, PROPOSED, fold, proposed, own, cells)


def _trained(params: Parameters, model: str, fold: int, split: Split, cells: PreparedCells) -> Checkpoint:
    """Train under the original protocol, or return what an earlier call trained."""
    settings = params.models[model]
    factor = settings.bccd_epochs_factor if params.dataset == "bccd" else 1.0
    config = TrainingConfig.from_parameters(params.train, settings, factor)
    training = FoldTraining(cells, split, params.image, settings, config)
    folder = params.paths.artifacts / "original_report" / f"{model}-{fold}-{training.fingerprint}"
    path = folder / "checkpoint.ckpt"
    if not path.is_file():
        trained = training.run(folder / "work", f"original protocol: {model}, fold {fold}")
        assert trained is not None, "the study runs in one process"
        trained[0].save(path)
    return Checkpoint.load(path)


def _predictions(
    params: Parameters, protocol: str, fold: int, checkpoint: Checkpoint, split: Split, cells: PreparedCells
) -> Iterator[pd.DataFrame]:
    network = checkpoint.network()
    strength = Augmentation(**params.train.augment.model_dump())
    trained = {row["image"] for row in split if row["part"] == "train"}
    for number, part in enumerate(("validation", "test")):
        rows = [row for row in split if row["part"] == part]
        images = [row["image"] for row in rows]
        pixels = cells.take(images)
        # The protocols share the seeds: the same test cells are perturbed in the same way.
        seeds = ([params.train.seed, fold, number, draw] for draw in range(DRAWS))
        perturbed = [predict_perturbed(network, pixels, checkpoint, strength, seed) for seed in seeds]
        yield pd.DataFrame(
            {
                "protocol": protocol,
                "fold": fold,
                "part": part,
                "image": images,
                "in_training": [image in trained for image in images],
                "actual": [CLASSES.index(row["label"]) for row in rows],
                "unchanged": predict(network, pixels, checkpoint).argmax(axis=1),
                "tta": predict(network, pixels, checkpoint, tta=8).argmax(axis=1),
                "perturbed": list(np.stack(perturbed, axis=1)),
            }
        )


def _leaked(params: Parameters, kept: Sequence[dict[str, str]]) -> tuple[list[int], int]:
    """Count cells with a leaked near-duplicate, under ungrouped folds of several seeds and with our folds."""
    thumbnails = smear_thumbnails(params.paths.images / row["image"] for row in kept)
    groups = near_duplicate_groups(thumbnails, params.clean.near_duplicate)
    labels = [row["label"] for row in kept]
    folds: NDArray[np.int64] = np.array([int(row["fold"]) for row in kept])
    seeds = range(params.clean.seed, params.clean.seed + SEEDS)
    ungrouped = [leaked_duplicates(groups, ungrouped_folds(labels, params.clean.n_splits, seed)) for seed in seeds]
    return ungrouped, leaked_duplicates(groups, folds)


if __name__ == "__main__":
    run(main)
