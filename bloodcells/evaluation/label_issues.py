"""Label issues: cells whose label is contradicted by networks that never saw them, ranked for an expert to review.

Confident learning: C. G. Northcutt, L. Jiang, I. L. Chuang, Journal of Artificial Intelligence Research 70 (2021),
1373-1411, as cleanlab implements it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_normalized_margin_for_each_label
from numpy.typing import NDArray

from bloodcells.core.errors import InputError
from bloodcells.inference.predictions import Predictions


def contradicting_duplicates(p: Predictions, similarity: NDArray[np.float32], threshold: float) -> dict[str, str]:
    """Return cells that were photographed twice and labeled differently: at most one of the labels is right.

    Args:
        p: names the n images and their labels.
        similarity: (n, n) of the crops around the cells, at the same place in them; see
            `bloodcells.imaging.near_duplicates`.
        threshold: crops above it show the same cell.

    Returns:
        For each such image, the most similar one with another label.
    """
    other = np.where(p.actual[:, None] != p.actual, similarity, 0)
    return {p.images[row]: p.images[int(other[row].argmax())] for row in np.flatnonzero(other.max(axis=1) > threshold)}


def label_issues(models: Mapping[str, Predictions], duplicates: Mapping[str, str]) -> pd.DataFrame:
    """Return the cells whose label most models contradict, and those of `contradicting_duplicates`.

    Cells that more models contradict come first; among these, those with the lowest label quality. The columns:

    - predicted_label: the other class with the largest mean probability; empty if no model contradicts the label;
    - n_models_disagreeing: models that predict another class;
    - n_models_flagging: models whose confident joint counts the label as an error;
    - label_quality: mean normalized margin over the models, 0 to 1;
    - self_confidence: mean probability of the label over the models;
    - near_duplicate, near_duplicate_label: an image of the same cell with another label;
    - one column per model: its probability of the label.

    Raises:
        InputError: the models were not tested on the same cells.
    """
    first, p = next(iter(models.items()))
    for name, other in models.items():
        if other.images != p.images or not np.array_equal(other.actual, p.actual):
            raise InputError(f"{name} was tested on other cells than {first}: run `dvc repro`")
    cells = np.arange(len(p.actual))
    probabilities = [model.probabilities for model in models.values()]
    disagreeing = np.sum([~model.correct for model in models.values()], axis=0)
    flagging = np.sum([_flagged(model) for model in models.values()], axis=0)
    quality = np.mean([get_normalized_margin_for_each_label(p.actual, one) for one in probabilities], axis=0)
    mean = np.mean(probabilities, axis=0)
    others = mean.copy()
    others[cells, p.actual] = -1
    contradicted = others.argmax(axis=1)
    label_of = {image: p.classes[actual] for image, actual in zip(p.images, p.actual, strict=True)}
    listed = (2 * disagreeing > len(models)) | np.isin(p.images, list(duplicates))
    order = np.lexsort((quality, -disagreeing))
    rows = order[listed[order]]
    images = [p.images[row] for row in rows]
    return pd.DataFrame(
        {
            "rank": np.arange(1, len(rows) + 1),
            "image": images,
            "fold": p.folds[rows],
            "label": [label_of[image] for image in images],
            "predicted_label": [p.classes[contradicted[row]] if disagreeing[row] else "" for row in rows],
            "n_models_disagreeing": disagreeing[rows],
            "n_models_flagging": flagging[rows],
            "label_quality": quality[rows],
            "self_confidence": mean[rows, p.actual[rows]],
            "near_duplicate": [duplicates.get(image, "") for image in images],
            "near_duplicate_label": [label_of.get(duplicates.get(image, ""), "") for image in images],
            **{f"self_confidence_{name}": model.probabilities[rows, p.actual[rows]] for name, model in models.items()},
        }
    )


def _flagged(p: Predictions) -> NDArray[np.bool_]:
    """Return for each cell, (n,), whether the confident joint counts its label as an error."""
    present = np.unique(p.actual)
    if len(present) < 2:
        return np.zeros(len(p.actual), np.bool_)
    # cleanlab wants every class among the labels: a class without cells is left out
    labels, probabilities = np.searchsorted(present, p.actual), p.probabilities[:, present]
    return np.asarray(find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1), np.bool_)
