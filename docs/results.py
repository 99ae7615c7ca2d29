"""Write the committed results on the real cells into the README: a table, sentences, and the chart beside them."""

import argparse
import csv
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from bloodcells.core.errors import InputError, run
from bloodcells.core.files import write_text
from bloodcells.core.parameters import ModelNames, read_parameters
from bloodcells.core.paths import DatasetPaths
from bloodcells.datasets.record import read_record
from bloodcells.evaluation.comparison import (
    Entry,
    Pair,
    accuracy_table,
    compare,
    pairs,
    published_entries,
    resample,
)
from bloodcells.evaluation.parameters import CompareParameters
from bloodcells.inference.predictions import Predictions, read_predictions
from bloodcells.reporting.markdown import interval, join, p_value, paragraph, table
from bloodcells.visualization.vega import draw_chart

README, CHART = Path("README.md"), Path("docs", "real-cells.png")
PARAMETERS = Path("locks", "bccd", "params.yaml")
PATHS = DatasetPaths("bccd")
WIDTH = 120


class Parameters(BaseModel):
    """What of the kept run's parameters is read."""

    compare: CompareParameters
    models: ModelNames


def main() -> None:
    """Write the README's part and the chart."""
    argparse.ArgumentParser(prog="python -m docs.results", description=__doc__).parse_args()
    params = read_parameters(Parameters, PARAMETERS)
    models = {name: read_predictions(PATHS.predictions(name)) for name in params.models}
    p = next(iter(models.values()))
    majority = p.classes[int(np.bincount(p.actual).argmax())]
    published = read_record(PATHS.dataset).published
    entries = compare(models, majority, published_entries(published.results if published else ()))
    content = f"{describe(params, models, entries)}\n\n{paragraph(origin(params), width=WIDTH)}"
    write_text(README, fill(README.read_text(encoding="utf-8"), content))
    rows = csv.DictReader(accuracy_table(entries).to_csv(index=False).splitlines())
    draw_chart("accuracy", rows, CHART, f"Accuracy on {len(p.actual)} real cells, and the original report's on 35")
    print(f"written: {README}, {CHART}")


def describe(params: Parameters, models: Mapping[str, Predictions], entries: list[Entry]) -> str:
    """Return the README's part as Markdown."""
    drawn = resample(models, params.compare.resamples, params.compare.seed)
    rows = [
        (
            entry.name,
            f"{entry.correct} of {entry.cells}",
            interval(entry.accuracy, *entry.interval),
            f"{entry.mean_sensitivity:.3f}",
            f"{entry.mean_specificity:.3f}",
        )
        for entry in entries
        if entry.kind != "published"
    ]
    return "\n\n".join(
        [
            table(["", "correct", "accuracy, 95 % interval", "sens.", "spec."], rows),
            paragraph(
                "*sens.* and *spec.* are means of sensitivity and specificity over the classes; *majority class* "
                "always predicts the most frequent class. The models are compared in pairs, on the cells that only "
                "one of the two gets right (exact McNemar test; p after Holm's correction):",
                width=WIDTH,
            ),
            "\n".join(_line(pair) for pair in pairs(models, drawn)),
            paragraph(*_errors(models), width=WIDTH),
        ]
    )


def _line(pair: Pair) -> str:
    """Return which of two models is better, as a line of a list."""
    only = f"{pair.paired.only_first} cells only {pair.first} gets right, {pair.paired.only_second} only {pair.second}"
    verdict = f"**{pair.verdict}**" if pair.better else f"{pair.first} and {pair.second}: **{pair.verdict}**"
    return f"- {verdict}; {only} ({p_value(pair.p_holm)})"


def _errors(models: Mapping[str, Predictions]) -> list[str]:
    """Say which classes the most accurate model confuses most, and how many cells all models misclassify."""
    best = max(models, key=lambda name: int(models[name].correct.sum()))
    p = models[best]
    confused = {
        (one, other): int(
            (((p.actual == one) & (p.predicted == other)) | ((p.actual == other) & (p.predicted == one))).sum()
        )
        for one, other in itertools.combinations(range(len(p.classes)), 2)
    }
    (one, other), count = max(confused.items(), key=lambda item: item[1])
    wrong = [
        {image for image, correct in zip(of.images, of.correct, strict=True) if not correct} for of in models.values()
    ]
    return [
        f"Of {best}'s {int((~p.correct).sum())} errors, {count} confuse {p.classes[one]} and {p.classes[other]}.",
        f"All models misclassify the same {len(set.intersection(*wrong))} cells, which suggests wrong labels, or "
        "cells that cannot be told apart at this resolution.",
    ]


def origin(params: Parameters) -> str:
    """Say which commits made the results, how long training took, and on which machine."""
    folder = next(f for f in (PATHS.report / "provenance", PATHS.plots / "provenance") if f.is_dir())
    files = [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in params.models]
    runs = [training for file in files for training in file["training"].values()]
    edited = any(run.get("changed") or run["commit"].endswith("+changes") for run in runs)
    minutes = sum(training["seconds"] for training in runs) / 60
    evaluated = _commits(file["evaluation"] for file in files)
    return (
        f"Evaluated by commit {evaluated}; the {len(runs)} networks were trained by "
        f"{_commits(runs)}{', some with uncommitted changes' if edited else ''}, which took {minutes:.0f} minutes "
        f"({'; '.join(sorted({_machine(run['device']) for run in runs}))})."
    )


def _commits(runs: Iterable[Mapping[str, Any]]) -> str:
    return join([f"`{commit}`" for commit in sorted({run["commit"][:7] for run in runs})])


def _machine(device: Mapping[str, Any]) -> str:
    """Name the GPUs, or else the processor with its features, as far as they were recorded."""
    if device["gpus"]:
        return ", ".join(device["gpus"])
    return ", ".join([device["processor"], *device.get("features", []), f"{device['threads']} threads"])


def fill(page: str, content: str) -> str:
    """Put the content between the two marks of a page.

    Raises:
        InputError: the page lacks the marks.
    """
    parts = re.fullmatch(r"(.*<!-- results: [^\n]*-->\n).*(<!-- /results -->.*)", page, re.DOTALL)
    if not parts:
        raise InputError(f"{README} lacks the marks <!-- results: … --> and <!-- /results --> around the results")
    return f"{parts[1]}\n{content}\n\n{parts[2]}"


if __name__ == "__main__":
    run(main)
