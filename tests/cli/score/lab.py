"""Small data sets of drawn smears, and a model that tells their white cells by the color of the stain."""

import csv
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml

from bloodcells.cli.preprocessing import preprocess
from bloodcells.core.files import write_csv, write_json
from bloodcells.core.paths import DatasetPaths
from bloodcells.inference.predictions import Predictions, write_predictions
from bloodcells.inference.predictor import Predictor
from bloodcells.models.normalization import normalize
from tests.cli.slides import MIDDLE, checkpoint, slide
from tests.support import project

STAINS = {
    "eosinophil": (190, 40, 150),
    "lymphocyte": (60, 40, 170),
    "monocyte": (120, 60, 160),
    "neutrophil": (80, 20, 90),
}
CLASSES = tuple(STAINS)
RECORD = {
    "title": "Smears of a laboratory",
    "source": "folder",
    "images": {"folder": "images"},
    "labels": {"table": "labels.csv", "image": "Image", "label": "Category"},
    "classes": [*CLASSES],
}
RESAMPLES = 200
FITTED = 12
"""Smears of each class that the model is fitted on."""


def root(folder: Path) -> Path:
    """Make the root of a project in which nothing has run."""
    shutil.copyfile(project.ROOT / "params.yaml", folder / "params.yaml")
    project.set_params(folder, {"dataset": "rendered", "compare.resamples": RESAMPLES})
    return folder


def write(
    folder: Path, name: str, cells: Sequence[str], groups: Sequence[str] = (), seed: int = 0, **record: object
) -> Path:
    """Write a data set: a smear for each of the cells, with a white cell in the color of its class.

    `KIND:LABEL` draws the cell of one class and writes another label; `two` draws two cells, and an unknown
    class has the color of a neutrophil.
    """
    source = folder / "datasets" / name / "source"
    random = np.random.default_rng(seed)
    rows = []
    for number, cell in enumerate(cells):
        kind, _, written = cell.rpartition(":")
        kind = kind or written
        places = [(160, 240), (480, 240)] if kind == "two" else [MIDDLE]
        red, green, blue = (STAINS.get(kind, STAINS["neutrophil"]) + random.integers(-6, 7, 3)).tolist()
        slide(source / "images" / f"{number:03d}.png", *places, stain=(red, green, blue))
        rows.append([f"{number:03d}.png", written, *groups[number : number + 1]])
    with (source / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["Image", "Category", *(["Patient"] if groups else [])], *rows])
    content = RECORD | ({"labels": {**RECORD["labels"], "group": "Patient"}} if groups else {}) | record  # type: ignore[dict-item]
    (folder / "datasets" / name / "record.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return source


def model(path: Path, threshold: float = 0.5) -> Path:
    """Write a predictor that tells the classes by their stain: a random network whose last layer is fitted.

    Args:
        path: of the predictor.
        threshold: of the predictor.
    """
    plain = checkpoint(dict.fromkeys(CLASSES, 1 / len(CLASSES)))
    made = Predictor("tiny", plain, 1.0, threshold, 0.05, 100, 1, (640, 480), None)
    random = np.random.default_rng(1)
    inputs, wanted = [], []
    for number, stain in enumerate(STAINS.values()):
        for _ in range(FITTED):
            x, y = (MIDDLE + random.integers(-12, 13, 2)).tolist()
            red, green, blue = (stain + random.integers(-6, 7, 3)).tolist()
            found = preprocess(slide(path.with_suffix(".png"), (x, y), stain=(red, green, blue)), made, 1).model_input
            assert found
            inputs.append(found.pixels)
            wanted.append(8 * np.eye(len(STAINS))[number] - 2)
    path.with_suffix(".png").unlink()
    pixels = torch.from_numpy(np.stack(inputs)).permute(0, 3, 1, 2)
    network = plain.network()
    *_, last = (module for module in network.modules() if isinstance(module, torch.nn.Linear))
    seen: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    with torch.no_grad():
        network(normalize(pixels, plain.mean, plain.std))
    hook.remove()
    middle, scale = seen[0].mean(dim=0), seen[0].std()  # tiny: the network is untrained
    aim = torch.tensor(np.array(wanted), dtype=torch.float32)
    weights = torch.linalg.lstsq((seen[0] - middle) / scale, aim, rcond=1e-3, driver="gelsd").solution.T / scale
    with torch.no_grad():
        last.weight.copy_(weights)
        last.bias.copy_(-weights @ middle)
    replace(made, checkpoint=replace(plain, state=dict(network.state_dict()))).save(path)
    return path


def ran(folder: Path, model: Path, wrong: int, cells: int = 100, group: int = 0) -> None:
    """Leave the files of a run on `rendered` that wrote a model.

    Args:
        folder: the root of the project.
        model: the predictor.
        wrong: how many answers of its test were wrong: those of the first cells.
        cells: how many were tested.
        group: how many of these there are in each group; 0 for no groups.
    """
    paths = DatasetPaths("rendered")
    actual = np.arange(cells) % len(CLASSES)
    likely = np.where(np.arange(cells) < wrong, (actual + 1) % len(CLASSES), actual)
    probabilities = 0.05 + 0.8 * np.eye(len(CLASSES))[likely]
    images = [f"{number}.jpg" for number in range(cells)]
    tested = Predictions.from_probabilities(images, np.zeros(cells), actual, probabilities, CLASSES)
    predictions, predictor = folder / paths.predictions("tiny"), folder / paths.predictor("tiny")
    write_predictions(predictions, tested)
    groups = [f"P{number // group}" if group else "" for number in range(cells)]
    write_csv(folder / paths.cells, ("image", "group", "file"), zip(images, groups, images, strict=True))
    columns = ("model", "part", "fold", "temperature", "threshold", "accepted", "errors")
    rules = [("tiny", "test", 0, 1.0, 0.5, cells, wrong), ("tiny", "test", "all", "", "", cells, wrong)]
    write_csv(folder / paths.report / "selective_prediction.csv", columns, rules)
    write_json(folder / paths.report / "provenance" / "tiny.json", {"training": {"0": {"commit": "0123456789abcdef"}}})
    predictor.parent.mkdir(parents=True)
    shutil.copy(model, predictor)
    outs = [
        {"path": path.relative_to(folder).as_posix(), "md5": hashlib.md5(path.read_bytes()).hexdigest()}
        for path in (predictor, predictions, folder / paths.cells)
    ]
    (folder / "dvc.lock").write_text(yaml.safe_dump({"stages": {"evaluate@tiny": {"outs": outs}}}))
