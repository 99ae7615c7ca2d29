"""Ask whether more cells would help: train a model on shares of its training cells, and test it as the run did.

python -m studies.learning_curve resnet                 # after a run, whose files are used
python -m studies.learning_curve resnet --shares 0.5
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

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv
from bloodcells.core.parameters import Params, read_params
from bloodcells.core.pixels import open_pixels
from bloodcells.evaluation.intervals import wilson
from bloodcells.inference.predictions import read_predictions
from bloodcells.inference.probabilities import predict
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import load_checkpoint
from bloodcells.reporting.markdown import paragraph, table
from bloodcells.splits.resampling import resample
from bloodcells.training.loop import train
from stages.train import cells_of, recipe_of

Row = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m studies.learning_curve", description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a key under `models:` in params.yaml")
    parser.add_argument("--shares", nargs="+", type=_share, default=[0.25, 0.5], help="of the cells (default 0.25 0.5)")
    args = parser.parse_args()
    params = read_params()
    params.model(args.model)
    splits = {
        fold: read_csv(Path("artifacts", params.dataset, "splits", f"{fold}.csv"), ("image", "label", "part"))
        for fold in params.test_folds
    }
    whole = read_predictions(Path("plots", params.dataset, "predictions", f"{args.model}.csv"))
    if tested := {row["image"] for rows in splits.values() for row in rows if row["part"] == "test"} - {*whole.images}:
        raise InputError(f"{args.model} has no predictions of {len(tested)} cells of these folds: run `dvc repro`")
    wrong = {
        1.0: {image for image, right in zip(whole.images, whole.predicted == whole.actual, strict=True) if not right}
    }
    trained = {1.0: [len(different(rows)) for rows in splits.values()]}
    for share in sorted({*args.shares}, reverse=True):
        parts = {fold: thinned(rows, share, params, fold) for fold, rows in splits.items()}
        trained[share] = [len(different(rows)) for rows in parts.values()]
        wrong[share] = set().union(*(mistakes(params, args.model, fold, rows, share) for fold, rows in parts.items()))
    print(report(trained, wrong, len(whole.images)))


def different(rows: Sequence[Row]) -> set[str]:
    """Name the cells that are trained on, those that are repeated once."""
    return {row["image"] for row in rows if row["part"] == "train"}


def thinned(rows: Sequence[Row], share: float, params: Params, fold: int) -> list[Row]:
    """Keep a share of the cells of each class in the training part, one at least, and balance it as `clean` does.

    A smaller share is part of a larger one. Validation and test stay.
    """
    label = {row["image"]: row["label"] for row in rows if row["part"] == "train"}
    kept: list[str] = []
    for name in CLASSES:
        of_class = sorted(image for image in label if label[image] == name)
        random.Random(f"{params.clean.seed} {fold} {name}").shuffle(of_class)
        kept += of_class[: max(1, round(share * len(of_class)))]
    labels = [label[image] for image in kept]  # the share of a class that is left out has been left out before
    repeated = resample(labels, {}, params.clean.oversample, params.clean.seed + fold)
    training = [{"image": kept[place], "label": labels[place], "part": "train"} for place in repeated]
    return training + [row for row in rows if row["part"] != "train"]


def mistakes(params: Params, model: str, fold: int, rows: Sequence[Row], share: float) -> set[str]:
    """Train on these cells for as many steps as all of them get, and name the tested cells that come out wrong."""
    artifacts = Path("artifacts", params.dataset)
    of_run = load_checkpoint(artifacts / "models" / model / f"{fold}.ckpt", params.image)
    pixels = open_pixels(artifacts / "pixels")
    training, validation = (cells_of(pixels, list(rows), part) for part in ("train", "validation"))
    config, settings = recipe_of(params, model), params.model(model)
    config = dataclasses.replace(
        config,
        epochs=math.ceil(config.epochs / share),
        selection_window=math.ceil(config.selection_window / share),
        batch_size=min(config.batch_size, len(training)),
        devices=1,
        nodes=1,
    )
    network = build(settings.architecture, len(CLASSES), params.image.side, settings.weights, config.seed)
    with tempfile.TemporaryDirectory() as side:
        told = f"{model}, fold {fold}, {share:g} of the cells"
        result = train(network, training, validation, config, Path(side), told)
        assert result is not None  # as in the others of several processes
        checkpoint = dataclasses.replace(of_run, epoch=result.epoch, state=result.state)
        tested = [row for row in rows if row["part"] == "test"]
        shown = pixels.take([row["image"] for row in tested])
        said = predict(checkpoint.network(), shown, checkpoint, params.evaluate.tta).argmax(axis=1)
    return {row["image"] for row, place in zip(tested, said, strict=True) if row["label"] != CLASSES[place]}


def report(trained: dict[float, list[int]], wrong: dict[float, set[str]], cells: int) -> str:
    """Tell for each share how many cells were trained on and how many of those tested came out right."""
    rows = []
    for share in sorted(trained):
        right = cells - len(wrong[share])
        low, high = wilson(right, cells)
        rows.append(
            [
                f"{share:g}",
                f"{np.mean(trained[share]):.0f}",
                f"{right} of {cells}",
                f"{right / cells:.3f} ({low:.3f} to {high:.3f})",
            ]
        )
    always = set.intersection(*wrong.values())
    return "\n\n".join(
        [
            table(["share", "different cells in training", "right", "accuracy, 95 % interval"], rows),
            paragraph(
                f"{len(always)} of the {len(wrong[1.0])} cells that are wrong with all cells are wrong with each share."
            ),
        ]
    )


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1")
    return share


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    run(main)
