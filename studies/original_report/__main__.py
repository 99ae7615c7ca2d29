"""Measure what the faults of the original report's protocol are worth, on the cells of the last pipeline run.

For each test fold, the model is trained once more under the original protocol and compared with the network of the run.
An interrupted study resumes. Results: studies/results/original_report/DATASET/.
"""

import argparse
import dataclasses
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bloodcells.core.cell_classes import read_classes
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv, write_csv, write_text
from bloodcells.core.parameters import (
    ImageParameters,
    Name,
    StageParameters,
    TestFolds,
    read_parameters,
    select_model,
)
from bloodcells.core.prepared_cells import PreparedCells, open_pixels
from bloodcells.datasets.record import read_record
from bloodcells.evaluation.parameters import CompareParameters
from bloodcells.imaging.near_duplicates import near_duplicate_groups, smear_thumbnails
from bloodcells.inference.parameters import EvaluateParameters
from bloodcells.inference.probabilities import predict
from bloodcells.models.checkpoints import Checkpoint, load_checkpoint
from bloodcells.models.parameters import ModelParameters
from bloodcells.reporting.pages import render
from bloodcells.splits.parameters import CleanParameters
from bloodcells.training.augmentation import Augmentation
from bloodcells.training.config import TrainingConfig
from bloodcells.training.fold_training import FoldTraining
from bloodcells.training.parameters import TrainParameters
from studies.original_report.figures import ORIGINAL, PROPOSED, Figure, figures
from studies.original_report.protocol import (
    CLASSES,
    Indices,
    count_leaked,
    original_split,
    predict_perturbed,
    ungrouped_folds,
)

DRAWS = 20
"""Random perturbations of each image; the report made one."""

SEEDS = 20
"""Assignments to ungrouped folds: how many near-duplicates leak is chance."""

Row = Mapping[str, str]


class Parameters(StageParameters):
    """What the study reads."""

    clean: CleanParameters
    test_folds: TestFolds
    image: ImageParameters
    train: TrainParameters
    evaluate: EvaluateParameters
    compare: CompareParameters
    models: dict[Name, ModelParameters]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m studies.original_report", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("model", help="a key under `models:` in params.yaml")
    model = parser.parse_args().model
    params = read_parameters(Parameters)
    select_model(params.models, model)
    if read_classes(params.paths.classes) != CLASSES:
        raise InputError(f"the original report is about {', '.join(CLASSES)}, and {params.dataset} has other classes")
    folds, pixels = sorted(params.test_folds), open_pixels(params.paths.pixels)
    cells = read_csv(params.paths.cells, ("image", "label", "fold", "file"))
    proposed = {fold: load_checkpoint(params.paths.checkpoint(model, fold), CLASSES, params.image) for fold in folds}
    parts: list[pd.DataFrame] = []
    for fold in folds:
        split = _original_split(params, cells, fold)
        parts += _predict(params, ORIGINAL, fold, _train(params, model, fold, split, pixels), split, pixels)
        split = read_csv(params.paths.split(fold), ("image", "label", "part"))
        parts += _predict(params, PROPOSED, fold, proposed[fold], split, pixels)
    predictions, near_duplicates = pd.concat(parts, ignore_index=True), _near_duplicates(params, cells)
    found = figures(predictions, near_duplicates, params.compare.resamples, params.compare.seed)

    results = Path("studies", "results", "original_report", params.dataset)
    write_csv(results / "figures.csv", Figure._fields, found)
    for name, table in (("predictions", predictions), ("near_duplicates", near_duplicates)):
        write_text(results / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    page = render(
        "report.md.j2",
        "studies.original_report",
        model=model,
        dataset=params.dataset,
        folds=folds,
        found={figure.figure: figure for figure in found},
        classes=CLASSES,
        draws=DRAWS,
        seeds=SEEDS,
        resamples=params.compare.resamples,
    )
    write_text(results / "report.md", page.rstrip("\n") + "\n")
    print(page.rstrip("\n"))


def _original_split(params: Parameters, cells: Sequence[Row], fold: int) -> list[dict[str, str]]:
    """Split the cells as the report did, but for the fold that the run tested."""
    parts = _split(params, [row["label"] for row in cells], np.array([int(row["fold"]) for row in cells]), fold)
    return [
        {"image": cells[cell]["image"], "label": cells[cell]["label"], "part": part}
        for part, indices in parts.items()
        for cell in indices
    ]


def _split(params: Parameters, labels: Sequence[str], folds: Indices, fold: int, offset: int = 0) -> dict[str, Indices]:
    clean = params.clean
    return original_split(
        labels,
        folds,
        fold,
        validation=clean.validation,
        oversample=clean.oversample,
        seed=clean.seed + offset,
    )


def _train(params: Parameters, model: str, fold: int, split: Sequence[Row], pixels: PreparedCells) -> Checkpoint:
    """Train on a split, or return the checkpoint that an earlier call trained on the same one."""
    settings = params.models[model]
    config = TrainingConfig.from_parameters(params.train, settings)
    config = dataclasses.replace(config, devices=1, nodes=1)
    training = FoldTraining(pixels, CLASSES, split, params.image, settings, config)
    path = params.paths.artifacts / "original_report" / model / f"{fold}-{training.fingerprint}.ckpt"
    if path.is_file():
        return load_checkpoint(path, CLASSES, params.image)
    work_dir = params.paths.unfinished(f"original-report-{model}", fold, training.fingerprint)
    trained = training.run(work_dir, f"{model}, fold {fold}, original protocol")
    assert trained is not None, "one process trains"
    checkpoint, _ = trained
    checkpoint.save(path)
    shutil.rmtree(work_dir)
    return checkpoint


def _predict(
    params: Parameters, protocol: str, fold: int, checkpoint: Checkpoint, split: Sequence[Row], pixels: PreparedCells
) -> Iterator[pd.DataFrame]:
    """Yield the predictions for the validation part and the test part, as `figures` reads them."""
    network, strength = checkpoint.network(), Augmentation(**params.train.augment.model_dump())
    in_training = {row["image"] for row in split if row["part"] == "train"}
    names = np.array(CLASSES)
    for number, part in enumerate(("validation", "test")):
        rows = [row for row in split if row["part"] == part]
        images = [row["image"] for row in rows]
        shown = pixels.take(images)
        # The protocols share the seeds, so that the same test cells are perturbed in the same way.
        seeds = ([params.train.seed, fold, number, draw] for draw in range(DRAWS))
        draws = np.stack([predict_perturbed(network, shown, checkpoint, strength, seed) for seed in seeds], axis=1)
        yield pd.DataFrame(
            {
                "protocol": protocol,
                "fold": fold,
                "part": part,
                "image": images,
                "in_training": [image in in_training for image in images],
                "actual": [row["label"] for row in rows],
                "unchanged": names[predict(network, shown, checkpoint).argmax(axis=1)],
                "tta": names[predict(network, shown, checkpoint, params.evaluate.tta).argmax(axis=1)],
                "perturbed": ["".join(names[row][0] for row in rows) for rows in draws],
            }
        )


def _near_duplicates(params: Parameters, cells: Sequence[Row]) -> pd.DataFrame:
    """Count the cells with a near-duplicate in the original protocol's training part, under both kinds of folds."""
    record = read_record(params.dataset)
    images, files = record.images_folder(params.paths.raw), [row["file"] for row in cells]
    distinct, of_cell = np.unique(files, return_inverse=True)
    thumbnails = smear_thumbnails((images / file for file in distinct), record.images.range)
    groups = near_duplicate_groups(thumbnails, params.clean.near_duplicate)[of_cell]
    labels, n_splits = [row["label"] for row in cells], params.clean.n_splits

    def row(kind: str, folds: Indices, offset: int) -> tuple[str, int, int, int]:
        splits = [_split(params, labels, folds, int(fold), offset) for fold in np.unique(folds)]
        leaked = sum(count_leaked(groups, split["train"], split["test"]) for split in splits)
        return kind, params.clean.seed + offset, leaked, len(cells)

    rows = [row("grouped", np.array([int(cell["fold"]) for cell in cells]), 0)]
    for offset in range(SEEDS):
        rows.append(row("ungrouped", ungrouped_folds(labels, n_splits, params.clean.seed + offset), offset))
    return pd.DataFrame(rows, columns=["folds", "seed", "n_leaked", "n_cells"])


if __name__ == "__main__":
    run(main)
