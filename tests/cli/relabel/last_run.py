"""A small run on a data set whose names are as bad as file systems allow, made without a run."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from bloodcells.core.cell_classes import write_classes
from bloodcells.core.files import write_csv, write_text
from bloodcells.core.paths import DatasetPaths
from bloodcells.evaluation.label_issues import label_issues
from bloodcells.evaluation.tables import write_table
from bloodcells.inference.predictions import Predictions, write_predictions
from tests.support import project

CLASSES = ("eosinophil", "monocyte", "neutrophil")
CELLS = (
    "</script><img src=x onerror=hacked=1>.jpg",
    '=1+1, "a".jpg',
    "monocyte/ä;b 'c'.jpg",
    "d.jpg",
    "e.jpg",
    "f.jpg",
    "g.jpg",
)
LABELS = (0, 1, 1, 2, 2, 0, 1)
PREDICTED = {  # of each model; all contradict the first label, two the next, one the fourth
    "resnet": (2, 2, 1, 2, 2, 0, 1),
    "efficientnet": (2, 2, 0, 2, 2, 0, 1),
    "alexnet": (1, 1, 0, 1, 2, 0, 1),
}
DUPLICATES = {CELLS[4]: CELLS[5], CELLS[5]: CELLS[4]}
DOUBTFUL = (CELLS[0], CELLS[1], CELLS[2], CELLS[4], CELLS[5])
"""The label issues, ranked."""

RECORD = """\
title: <i>Our cells</i> & co
source: folder
labels: {table: labels.csv}
classes: [eosinophil, monocyte, neutrophil]
"""
PATHS = DatasetPaths("lab")


def predictions(model: str) -> Predictions:
    probabilities = np.full((len(CELLS), len(CLASSES)), 0.1)
    probabilities[np.arange(len(CELLS)), PREDICTED[model]] = 0.8
    return Predictions.from_probabilities(CELLS, [0] * len(CELLS), LABELS, probabilities, CLASSES)


def make(folder: Path) -> Path:
    """Write what the command reads."""
    shutil.copy(project.ROOT / "params.yaml", folder)
    project.set_params(folder, {"dataset": "lab"})
    write_text(folder / "datasets" / "lab" / "record.yaml", RECORD)
    models = {model: predictions(model) for model in PREDICTED}
    for model, p in models.items():
        write_predictions(folder / PATHS.predictions(model), p)
    write_table(folder / PATHS.table("label_issues"), label_issues(models, DUPLICATES))
    write_classes(folder / PATHS.classes, CLASSES)
    boxes = {CELLS[1]: (30, 15, 50, 75)}  # it is partly outside the crop
    where = ("image", "file", "left", "top", "right", "bottom")
    write_csv(folder / PATHS.cells, where, [(cell, cell, *boxes.get(cell, [None] * 4)) for cell in CELLS])
    squares = [(cell, 20 + place, 10, 40, 120, 90, 30) for place, cell in enumerate(CELLS)]
    squares[3] = (CELLS[3], 0, 0, 120, 120, 90, 30)  # the whole image, as with `image.input: full`
    columns = ("image", "left", "top", "side", "width", "height", "stain")
    write_csv(folder / PATHS.pixels / "index.csv", columns, squares)
    for place, cell in enumerate(CELLS):
        path = folder / PATHS.raw / cell
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (120, 90), (200, 30 * place, 200)).save(path)
    return folder
