"""Test one model on the cells of all folds that ran: predictions, scores, mistakes, and a predictor to use."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv, write_csv, write_json
from bloodcells.core.parameters import Params, read_params
from bloodcells.core.pixels import PreparedCells, open_pixels
from bloodcells.evaluation.calibration import negative_log_likelihood
from bloodcells.evaluation.metrics import CLASS_COLUMNS, ROC_COLUMNS, class_table, headline, roc_table, worst_mistakes
from bloodcells.inference.predictions import Predictions, predictions, write_predictions
from bloodcells.inference.predictor import Predictor
from bloodcells.inference.probabilities import predict
from bloodcells.inference.selective import Rule
from bloodcells.models.checkpoints import Checkpoint, load_checkpoint
from bloodcells.models.provenance import fingerprint, of_this_process
from bloodcells.reporting.image_grid import mistakes

WORST = 15  # fills three rows of five


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    parser.add_argument("model", help="a key under `models:` in params.yaml")
    model = parser.parse_args().model
    params = read_params()
    params.model(model)
    start = time.perf_counter()
    artifacts, plots = Path("artifacts", params.dataset), Path("plots", params.dataset)
    pixels = open_pixels(artifacts / "pixels")
    said = [_predictions(params, model, fold, pixels) for fold in sorted(params.test_folds)]
    validation, result = (_together(parts) for parts in zip(*said, strict=True))

    # By this, not by the test, a choice among experiments is made.
    loss = round(negative_log_likelihood(validation.probabilities, validation.actual), 4)
    scores = headline(result) | {"validation_loss": loss}
    write_predictions(plots / "predictions" / f"{model}.csv", result)
    write_predictions(plots / "validation" / f"{model}.csv", validation)
    write_csv(plots / "classes" / f"{model}.csv", CLASS_COLUMNS, class_table(result))
    write_csv(plots / "roc" / f"{model}.csv", ROC_COLUMNS, roc_table(result))
    names = [result.images[row] for row in worst_mistakes(result, WORST)]
    crops = dict(zip(names, pixels.take(names), strict=True))
    title = f"{model} on {params.dataset}: the worst mistakes"
    mistakes(plots / "mistakes" / f"{model}.png", title, result, crops, limit=WORST)
    _predictor(params, model, validation, pixels).save(artifacts / "predictors" / f"{model}.ckpt")
    origin = _origin(params, model, time.perf_counter() - start)
    write_json(plots / "provenance" / f"{model}.json", origin)  # under metrics/ DVC would take it for a metric
    write_json(Path("metrics", params.dataset, f"{model}.json"), scores)
    print(
        f"{model}: {scores['accuracy']:.3f} of {scores['cells']} cells right "
        f"(95 % interval {scores['accuracy_low']:.3f} to {scores['accuracy_high']:.3f}), "
        f"mean sensitivity {scores['mean_sensitivity']:.3f}"
    )


def _predictions(params: Params, model: str, fold: int, pixels: PreparedCells) -> tuple[Predictions, Predictions]:
    """Give what the network of one fold says of its validation part and of its test part."""
    checkpoint = _checkpoint(params, model, fold)
    network = checkpoint.network()
    split = read_csv(Path("artifacts", params.dataset, "splits", f"{fold}.csv"), ("image", "label", "part"))

    def said_of(part: str) -> Predictions:
        rows = [row for row in split if row["part"] == part]
        images = [row["image"] for row in rows]
        probabilities = predict(network, pixels.take(images), checkpoint, params.evaluate.tta)
        return predictions(images, [fold] * len(rows), [CLASSES.index(row["label"]) for row in rows], probabilities)

    return said_of("validation"), said_of("test")


def _together(parts: Sequence[Predictions]) -> Predictions:
    return predictions(
        [image for part in parts for image in part.images],
        np.concatenate([part.folds for part in parts]),
        np.concatenate([part.actual for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
    )


def _predictor(params: Params, model: str, validation: Predictions, pixels: PreparedCells) -> Predictor:
    """Make what `bloodcells predict` uses: the first fold's network, and a rule from the validation parts of all.

    The first, since nothing tells which is best: each has a validation part of its own, and the least loss would name
    the easiest part.
    """
    checkpoint = _checkpoint(params, model, min(params.test_folds))
    rule = Rule.fit(validation, params.evaluate.target_error)
    return Predictor(
        name=model,
        checkpoint=checkpoint,
        temperature=rule.temperature,
        threshold=rule.threshold,
        risk=params.evaluate.target_error,
        cells=len(validation.images),
        views=params.evaluate.tta,
        smear=pixels.image_size,
        palest=pixels.min_stain,
    )


def _origin(params: Params, model: str, seconds: float) -> dict[str, object]:
    """Say what the model's metrics come from: data, parameters, this evaluation, and the training of each fold."""
    read = params.model_dump(include={"dataset", "folds", "image", "evaluate"})
    pin = yaml.safe_load(Path("data.dvc").read_text())["outs"][0]["md5"] if params.dataset == "bccd" else None
    folder = Path("artifacts", params.dataset, "provenance", model)
    return {
        "metrics": f"metrics/{params.dataset}/{model}.json",
        "data": {"dataset": params.dataset} | ({"pin": pin} if pin else {}),
        "parameters": fingerprint(read | {"model": params.model(model).model_dump()}),
        "evaluation": of_this_process(seconds),
        "training": {str(fold): _training(folder / f"{fold}.json") for fold in sorted(params.test_folds)},
    }


def _training(path: Path) -> dict[str, object]:
    try:
        said: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise InputError(f"{path} is missing or no JSON: run `dvc repro`, whose stage train makes it") from None
    return said


def _checkpoint(params: Params, model: str, fold: int) -> Checkpoint:
    return load_checkpoint(Path("artifacts", params.dataset, "models", model, f"{fold}.ckpt"), params.image)


if __name__ == "__main__":
    run(main)
