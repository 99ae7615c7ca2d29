"""Metrics of one model's predictions, overall and by class; each class is judged against the rest.

Mean sensitivity is the balanced accuracy. A metric that divides by zero is NaN, and left out of means.
"""

import numpy as np
import pandas as pd
from imblearn.metrics import sensitivity_specificity_support
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_score, roc_auc_score, roc_curve

from bloodcells.evaluation.clusters import Groups, cluster_numbers
from bloodcells.evaluation.intervals import proportion_interval
from bloodcells.inference.predictions import Predictions

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def confusion(p: Predictions) -> Indices:
    """Return the confusion matrix (k, k): a row per actual class, a column per predicted one."""
    return np.asarray(confusion_matrix(p.actual, p.predicted, labels=range(len(p.classes))), np.int64)


def sensitivity_and_specificity(p: Predictions) -> tuple[Floats, Floats]:
    """Return both for each class, (k,) each."""
    labels = range(len(p.classes))
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity, specificity, support = sensitivity_specificity_support(
            p.actual, p.predicted, labels=labels, average=None, warn_for=()
        )
    return (
        np.where(support > 0, sensitivity, np.nan),
        np.where(support < len(p.actual), specificity, np.nan),
    )


def headline(p: Predictions) -> dict[str, float]:
    """Return the metrics by which models are compared: accuracy, and means over the classes.

    Raises:
        ValueError: there are no predictions.
    """
    if not len(p.actual):
        raise ValueError("there are no predictions")
    sensitivity, specificity = sensitivity_and_specificity(p)
    return {
        "accuracy": float(p.correct.mean()),
        "mean_sensitivity": float(np.nanmean(sensitivity)),
        "mean_specificity": float(np.nanmean(specificity)),
    }


def class_scores(p: Predictions, groups: Groups | None = None) -> pd.DataFrame:
    """Return one row per class: sensitivity with its Wilson interval, specificity, precision, AUC, support.

    `groups` of the cells are what the interval takes as independent; None if the cells are.
    """
    sensitivity, specificity = sensitivity_and_specificity(p)
    labels = range(len(p.classes))
    precision = precision_score(p.actual, p.predicted, labels=labels, average=None, zero_division=np.nan)
    support = np.bincount(p.actual, minlength=len(p.classes))
    clusters = cluster_numbers(p.images, groups)
    of_class = [p.actual == label for label in labels]
    low, high = np.array(
        [proportion_interval(p.correct[of], None if clusters is None else clusters[of]) for of in of_class]
    ).T
    return pd.DataFrame(
        {
            "class": p.classes,
            "sensitivity": sensitivity,
            "sensitivity_low": low,
            "sensitivity_high": high,
            "specificity": specificity,
            "precision": precision,
            "auc": [
                roc_auc_score(p.actual == label, p.probabilities[:, label])
                if 0 < support[label] < len(p.actual)
                else np.nan
                for label in labels
            ],
            "support": support,
        }
    )


def roc_curves(p: Predictions) -> pd.DataFrame:
    """Return the ROC curve of each class against the rest: class, fpr, tpr; a class that has none is left out."""
    curves = []
    for label, name in enumerate(p.classes):
        positive = p.actual == label
        if positive.any() and not positive.all():
            fpr, tpr, _ = roc_curve(positive, p.probabilities[:, label])
            curves.append(pd.DataFrame({"class": name, "fpr": fpr, "tpr": tpr}))
    return pd.concat(curves, ignore_index=True)
