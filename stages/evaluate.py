"""Predict the test cells of one model with the networks of all folds: predictions, metrics, mistakes, predictor."""

import argparse
import json
import time
from pathlib import Path

from bloodcells.core.cell_classes import read_classes
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv, write_json
from bloodcells.core.parameters import (
    ImageParameters,
    Name,
    StageParameters,
    TestFolds,
    read_parameters,
    select_model,
)
from bloodcells.core.prepared_cells import PreparedCells, open_pixels
from bloodcells.evaluation.calibration import negative_log_likelihood
from bloodcells.evaluation.intervals import wilson
from bloodcells.evaluation.metrics import headline
from bloodcells.inference.parameters import EvaluateParameters
from bloodcells.inference.predictions import Predictions, worst_mistakes, write_predictions
from bloodcells.inference.predictor import Predictor
from bloodcells.inference.probabilities import predict
from bloodcells.inference.threshold import SelectiveRule
from bloodcells.models.checkpoints import load_checkpoint
from bloodcells.models.parameters import ModelParameters
from bloodcells.models.provenance import describe_process, fingerprint
from bloodcells.visualization.image_grid import Mistake, mistakes

WORST = 12  # three rows of four


class Parameters(StageParameters):
    """What this stage reads."""

    test_folds: TestFolds
    image: ImageParameters
    evaluate: EvaluateParameters
    models: dict[Name, ModelParameters]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    parser.add_argument("model", help="a key under `models:` in params.yaml")
    model = parser.parse_args().model
    params = read_parameters(Parameters)
    select_model(params.models, model)
    start, paths = time.perf_counter(), params.paths
    cells = open_pixels(paths.pixels)
    parts = [_predict(params, model, fold, cells) for fold in sorted(params.test_folds)]
    validation, tested = (Predictions.concatenate(part) for part in zip(*parts, strict=True))

    write_predictions(paths.predictions(model), tested)
    write_predictions(paths.validation(model), validation)
    _draw_mistakes(params, model, tested, cells)
    _predictor(params, model, validation, cells).save(paths.predictor(model))
    write_json(paths.provenance(model), _provenance(params, model, time.perf_counter() - start))
    # The validation loss is there to choose among experiments: choosing by the test would overestimate performance.
    loss = negative_log_likelihood(validation.probabilities, validation.actual)
    scores = headline(tested) | {"val_loss": loss}
    write_json(paths.metrics(model), {name: round(value, 4) for name, value in scores.items()})
    correct, total = int(tested.correct.sum()), len(tested.actual)
    low, high = wilson(correct, total)
    accuracy = f"{correct / total:.3f} ({low:.3f} to {high:.3f} if the cells are independent)"
    print(f"{model}: {correct} of {total} cells correct, accuracy {accuracy}")


def _predict(params: Parameters, model: str, fold: int, cells: PreparedCells) -> tuple[Predictions, Predictions]:
    """Return the predictions of one fold's network for its validation part and its test part."""
    classes = read_classes(params.paths.classes)
    checkpoint = load_checkpoint(params.paths.checkpoint(model, fold), classes, params.image)
    network = checkpoint.network()
    split = read_csv(params.paths.split(fold), ("image", "label", "part"))

    def of(part: str) -> Predictions:
        rows = [row for row in split if row["part"] == part]
        images = [row["image"] for row in rows]
        probabilities = predict(network, cells.take(images), checkpoint, params.evaluate.tta)
        labels = [classes.index(row["label"]) for row in rows]
        return Predictions.from_probabilities(images, [fold] * len(rows), labels, probabilities, classes)

    return of("validation"), of("test")


def _draw_mistakes(params: Parameters, model: str, p: Predictions, cells: PreparedCells) -> None:
    worst = worst_mistakes(p, WORST)
    shown = [
        Mistake(
            p.images[row],
            int(p.folds[row]),
            p.classes[p.actual[row]],
            float(p.probabilities[row, p.actual[row]]),
            p.classes[p.predicted[row]],
            float(p.probabilities[row, p.predicted[row]]),
            pixels,
        )
        for row, pixels in zip(worst.tolist(), cells.take([p.images[row] for row in worst]), strict=True)
    ]
    path = params.paths.plots / "mistakes" / f"{model}.png"
    wrong = int((~p.correct).sum())
    mistakes(path, f"{model} on {params.dataset}: the worst mistakes", shown, wrong, len(p.images))


def _predictor(params: Parameters, model: str, validation: Predictions, cells: PreparedCells) -> Predictor:
    """Return what `bloodcells predict` uses: the first fold's network, and a rule fitted on all validation parts.

    The first, because nothing tells which network is best: each has a validation part of its own, and the lowest loss
    would pick the easiest part.
    """
    path = params.paths.checkpoint(model, min(params.test_folds))
    checkpoint = load_checkpoint(path, validation.classes, params.image)
    rule = SelectiveRule.fit(validation, params.evaluate.target_error)
    return Predictor(
        name=model,
        checkpoint=checkpoint,
        temperature=rule.temperature,
        threshold=rule.threshold,
        target_error=params.evaluate.target_error,
        calibration_cells=len(set(validation.images)),
        tta=params.evaluate.tta,
        image_size=cells.image_size,
        min_stain=cells.min_stain,
        range=_range(params),
    )


def _range(params: Parameters) -> tuple[float, float] | None:
    """Return the values of 16-bit images that became 0 and 255."""
    limits = _read_json(params.paths.source).get("range")
    return (float(limits[0]), float(limits[1])) if isinstance(limits, list) else None


def _provenance(params: Parameters, model: str, seconds: float) -> dict[str, object]:
    """Return the data, parameters, evaluation and trainings behind the model's metrics."""
    read = params.model_dump(exclude={"models"}) | {"model": params.models[model].model_dump()}
    return {
        "metrics": params.paths.metrics(model).as_posix(),
        "data": {"dataset": params.dataset, **_read_json(params.paths.source)},
        "parameters": fingerprint(read),
        "evaluation": describe_process(seconds),
        "training": {
            str(fold): _read_json(params.paths.training_provenance(model, fold)) for fold in sorted(params.test_folds)
        },
    }


def _read_json(path: Path) -> dict[str, object]:
    try:
        content: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise InputError(f"{path} is missing or not JSON: run `dvc repro`, whose stage train writes it") from None
    return content


if __name__ == "__main__":
    run(main)
