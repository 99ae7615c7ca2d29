"""Test one model on the cells of all folds that ran: predictions, scores, and its worst mistakes."""

import argparse
from pathlib import Path

import numpy as np
import torch

from bloodcells.errors import InputError, run
from bloodcells.files import read_csv, write_csv, write_json
from bloodcells.galleries import mistakes
from bloodcells.labels import CLASSES
from bloodcells.networks import Checkpoint, predict
from bloodcells.params import Params, read_params
from bloodcells.pixels import open_pixels
from bloodcells.scores import (
    CLASS_COLUMNS,
    ROC_COLUMNS,
    Predictions,
    class_table,
    headline,
    predictions,
    roc_table,
    worst_mistakes,
    write_predictions,
)

WORST = 12


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    parser.add_argument("model", help="a key under `models:` in params.yaml")
    model = parser.parse_args().model
    params = read_params()
    params.model(model)
    result = _test(params, model)

    scores = headline(result)
    plots = Path("plots", params.dataset)
    write_predictions(plots / "predictions" / f"{model}.csv", result)
    write_csv(plots / "classes" / f"{model}.csv", CLASS_COLUMNS, class_table(result))
    write_csv(plots / "roc" / f"{model}.csv", ROC_COLUMNS, roc_table(result))
    names = [result.images[row] for row in worst_mistakes(result, WORST)]
    crops = dict(zip(names, open_pixels(Path("artifacts", params.dataset, "pixels")).take(names), strict=True))
    title = f"{model} on {params.dataset}: the worst mistakes"
    mistakes(plots / "mistakes" / f"{model}.png", title, result, crops, limit=WORST)
    write_json(Path("metrics", params.dataset, f"{model}.json"), scores)
    print(
        f"{model}: {scores['accuracy']:.3f} of {scores['cells']} cells right "
        f"(95 % interval {scores['accuracy_low']:.3f} to {scores['accuracy_high']:.3f}), "
        f"mean sensitivity {scores['mean_sensitivity']:.3f}"
    )


def _test(params: Params, model: str) -> Predictions:
    artifacts = Path("artifacts", params.dataset)
    pixels = open_pixels(artifacts / "pixels")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images: list[str] = []
    folds: list[int] = []
    actual: list[int] = []
    probabilities = []
    for fold in sorted(params.folds):
        path = artifacts / "models" / model / f"{fold}.ckpt"
        checkpoint = Checkpoint.load(path)
        _check(path, checkpoint, params)
        rows = read_csv(artifacts / "splits" / f"{fold}.csv", ("image", "label", "part"))
        test = [row for row in rows if row["part"] == "test"]
        seen = pixels.take([row["image"] for row in test])
        probabilities.append(predict(checkpoint.network().to(device), seen, checkpoint, params.evaluate.views))
        images += [row["image"] for row in test]
        folds += [fold] * len(test)
        actual += [CLASSES.index(row["label"]) for row in test]
    return predictions(images, folds, actual, np.concatenate(probabilities))


def _check(path: Path, checkpoint: Checkpoint, params: Params) -> None:
    """Raise InputError unless the checkpoint's classes and input are those of this run."""
    if checkpoint.classes != CLASSES:
        raise InputError(
            f"{path} gives its logits in the order {', '.join(checkpoint.classes)}, and this code in the order "
            f"{', '.join(CLASSES)}: names would be permuted; run `dvc repro` to train anew"
        )
    made = (checkpoint.frame, checkpoint.crop, checkpoint.size)
    if made != (params.image.frame, params.image.crop, params.image.size):
        told = f"frame {made[0]}, crop {made[1]}, size {made[2]}"
        raise InputError(f"{path} was trained on another input ({told}): run `dvc repro` to train anew")


if __name__ == "__main__":
    run(main)
