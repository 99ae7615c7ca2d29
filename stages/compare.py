"""Compare the models with the majority class and with each other: tables of scores, intervals and paired tests."""

import argparse
from collections import Counter

import pandas as pd

from bloodcells.core.errors import run
from bloodcells.core.files import read_csv, write_csv
from bloodcells.core.parameters import ModelNames, StageParameters, TestFolds, read_parameters
from bloodcells.datasets.record import read_record
from bloodcells.datasets.source import is_published
from bloodcells.evaluation.clusters import published_numbers, read_groups
from bloodcells.evaluation.comparison import (
    accuracy_table,
    compare,
    difference_table,
    interval_table,
    pair_table,
    pairs,
    published_entries,
    resample,
)
from bloodcells.evaluation.metrics import class_scores, roc_curves
from bloodcells.evaluation.parameters import CompareParameters
from bloodcells.evaluation.tables import write_table
from bloodcells.inference.predictions import read_predictions

CURVES = ("split", "epoch", "loss", "accuracy")


class Parameters(StageParameters):
    """What this stage reads."""

    test_folds: TestFolds
    compare: CompareParameters
    models: ModelNames


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.compare", description=__doc__).parse_args()
    params = read_parameters(Parameters)
    paths = params.paths
    models = {name: read_predictions(paths.predictions(name)) for name in params.models}
    kept = Counter(row["label"] for row in read_csv(paths.cells, ("label",)))
    majority = max(sorted(kept), key=lambda label: kept[label])
    known = read_record(params.dataset).published  # what others published is about the published files only
    published = published_entries(known.results) if known and is_published(known, paths.source) else []
    groups = read_groups(paths.cells)
    drawn = resample(models, params.compare.resamples, params.compare.seed, groups)
    tested = pairs(models, drawn, groups)

    write_table(paths.chart("accuracy"), accuracy_table(compare(models, majority, published, groups)))
    write_table(paths.chart("differences"), difference_table(tested))
    write_table(paths.chart("class_scores"), _by_model({name: class_scores(p, groups) for name, p in models.items()}))
    write_table(paths.chart("roc"), _by_model({name: roc_curves(p) for name, p in models.items()}))
    write_table(paths.chart("curves"), _curves(params))
    write_table(paths.table("intervals"), interval_table(models, drawn, groups))
    write_table(paths.table("pairs"), pair_table(tested))
    write_csv(paths.table("groups"), ("image", "group"), published_numbers(groups).items())


def _by_model(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, names=["model"]).reset_index(level="model").reset_index(drop=True)


def _curves(params: Parameters) -> pd.DataFrame:
    """Return the learning curves of all models and folds."""
    rows = [
        (model, fold, *(row[column] for column in CURVES))
        for model in params.models
        for fold in params.test_folds
        for row in read_csv(params.paths.curves(model, fold), CURVES)
    ]
    return pd.DataFrame(rows, columns=["model", "fold", *CURVES])


if __name__ == "__main__":
    run(main)
