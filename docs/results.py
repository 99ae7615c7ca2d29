"""Put the committed results on the real cells into the README: a table, sentences, and the chart beside them."""

import argparse
import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bloodcells.core.errors import InputError, run
from bloodcells.core.files import write_text
from bloodcells.core.parameters import Params, read_params
from bloodcells.evaluation.comparison import Entry, Pair, compare, entry_lines, pairs, resample, said_p
from bloodcells.inference.predictions import Predictions, read_predictions
from bloodcells.reporting.charts import comparison
from bloodcells.reporting.markdown import paragraph

README, CHART = Path("README.md"), Path("docs", "real-cells.png")
PARAMS = Path("locks", "bccd", "params.yaml")
PREDICTIONS = Path("plots", "bccd", "predictions")
PROVENANCE = Path("plots", "bccd", "provenance")
WIDTH = 120


def main() -> None:
    """Write the README's part and the chart."""
    argparse.ArgumentParser(prog="python -m docs.results", description=__doc__).parse_args()
    params = read_params(PARAMS)
    models = read_models(params)
    entries = side_by_side(models)
    content = f"{told(params, models, entries)}\n\n{took(params)}"
    write_text(README, filled(README.read_text(encoding="utf-8"), content))
    cells = entries[0].cells
    comparison(CHART, f"Accuracy on {cells} real cells, and what the original report gave for 35", entries)
    print(f"written: {README}, {CHART}")


def read_models(params: Params) -> dict[str, Predictions]:
    """Read what each model said of the real cells."""
    return {name: read_predictions(PREDICTIONS / f"{name}.csv") for name in params.models}


def side_by_side(models: Mapping[str, Predictions]) -> list[Entry]:
    """Give the rows: the models, always naming the largest class of the tested cells, the original report."""
    p = next(iter(models.values()))
    return compare(models, p.classes[int(np.bincount(p.actual).argmax())])


def took(params: Params) -> str:
    """Say how long all training took, and on which machine."""
    runs = [
        run
        for name in params.models
        for run in json.loads((PROVENANCE / f"{name}.json").read_text(encoding="utf-8"))["training"].values()
    ]
    minutes = sum(run["seconds"] for run in runs) / 60
    devices = (
        run["device"]["gpus"] or [f"{run['device']['processor']}, {run['device']['threads']} threads"] for run in runs
    )
    machines = sorted({name for device in devices for name in device})
    return f"Training all {len(runs)} networks took {minutes:.0f} minutes ({'; '.join(machines)})."


def told(params: Params, models: Mapping[str, Predictions], entries: list[Entry]) -> str:
    """Give the README's part as Markdown."""
    drawn = resample(models, params.compare.resamples, params.compare.seed)
    ours = [entry for entry in entries if entry.kind != "report"]
    return "\n\n".join(
        [
            entry_lines(ours),
            paragraph(
                "*sens.* and *spec.*: sensitivity and specificity, means over the classes; *largest class*: always "
                "naming the most frequent one. Which model is better is tested in pairs, on the cells that one of the "
                "two alone has right (exact McNemar test, Holm's correction):",
                width=WIDTH,
            ),
            "\n".join(_in_short(pair) for pair in pairs(models, drawn)),
            paragraph(*_errors(models), width=WIDTH),
        ]
    )


def _in_short(pair: Pair) -> str:
    """Say which of two models is better in one line of a list; `plots/bccd/comparison.md` says it at length."""
    only = f"only {pair.first} is right on {pair.paired.a_only} cells, only {pair.second} on {pair.paired.b_only}"
    between = f"{pair.first} and {pair.second}: " if pair.better is None else ""
    return f"- {between}**{pair.verdict}**; {only} ({said_p(pair.p_holm)})"


def _errors(models: Mapping[str, Predictions]) -> list[str]:
    """Say which classes the most accurate model confuses most, and how many cells all models have wrong."""
    wrong = {name: p.predicted != p.actual for name, p in models.items()}
    best = min(wrong, key=lambda name: int(wrong[name].sum()))
    p = models[best]
    confused = {
        (one, other): int(
            (((p.actual == one) & (p.predicted == other)) | ((p.actual == other) & (p.predicted == one))).sum()
        )
        for one, other in itertools.combinations(range(len(p.classes)), 2)
    }
    (one, other), count = max(confused.items(), key=lambda item: item[1])
    by_image = [{image for image, is_wrong in zip(models[m].images, wrong[m], strict=True) if is_wrong} for m in wrong]
    return [
        f"Of {best}'s {int(wrong[best].sum())} errors {count} take {p.classes[one]} for {p.classes[other]} or the "
        "reverse.",
        f"{len(set.intersection(*by_image))} cells are wrong in all models, which points to the labels, or to cells "
        "that can't be told apart at this size, rather than to the networks.",
    ]


def filled(page: str, content: str) -> str:
    """Put the content between the two marks of a page.

    Raises:
        InputError: the page has not got them.
    """
    parts = re.fullmatch(r"(.*<!-- results: [^\n]*-->\n).*(<!-- /results -->.*)", page, re.DOTALL)
    if not parts:
        raise InputError(f"{README} lacks the marks <!-- results: … --> and <!-- /results --> around the results")
    return f"{parts[1]}\n{content}\n\n{parts[2]}"


if __name__ == "__main__":
    run(main)
