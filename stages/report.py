"""Write the pages from templates, and publish the tables beside them. A changed sentence runs this stage alone."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from bloodcells.core.errors import InputError, run
from bloodcells.core.files import atomic_folder, read_csv, write_text
from bloodcells.core.parameters import ModelNames, StageParameters, read_parameters
from bloodcells.core.paths import DatasetPaths
from bloodcells.reporting.markdown import interval, percent
from bloodcells.reporting.pages import render

TABLES = ("intervals", "pairs", "groups", "calibration", "selective_prediction", "label_issues")
"""Tables that no chart shows; the report publishes them."""

NEXT = """\
Next:
  dvc plots show                      learning curves, confusion, ROC and more, in the browser
  dvc metrics show                    the metrics of every model
  bloodcells predict IMAGE            classify an image
  dvc exp run -S evaluate.tta=1       an experiment; then: bloodcells review HEAD"""


class Parameters(StageParameters):
    """What this stage reads."""

    models: ModelNames


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.report", description=__doc__)
    parser.add_argument("--show", action="store_true", help="only print the comparison of the last run")
    show = parser.parse_args().show
    params = read_parameters(Parameters)
    if show:
        page = params.paths.report / "comparison.md"
        if not page.is_file():
            raise InputError(f"{page} is missing: run `dvc repro`, which writes it")
        print(page.read_text(encoding="utf-8"))
        print(NEXT)
        return
    with atomic_folder(params.paths.report) as folder:
        publish(params, folder)
        for name, values in (
            ("comparison", comparison(params)),
            ("calibration", calibration(params)),
            ("checks", checks(params)),
            ("data", data(params)),
        ):
            text = render(f"{name}.md.j2", dataset=params.dataset, **values)
            write_text(folder / f"{name}.md", text.rstrip("\n") + "\n")


def publish(params: Parameters, folder: Path) -> None:
    """Copy the tables that no chart shows, and where each model comes from."""
    paths = params.paths
    copies = {paths.table(name): Path(f"{name}.csv") for name in TABLES}
    for model in params.models:
        copies[paths.validation(model)] = Path("validation", f"{model}.csv")
        copies[paths.provenance(model)] = Path("provenance", f"{model}.json")
    for source, target in copies.items():
        if not source.is_file():
            raise InputError(f"{source} is missing: run `dvc repro`, which writes it")
        (folder / target).parent.mkdir(exist_ok=True)
        shutil.copyfile(source, folder / target)
    _checks(paths).to_csv(folder / "checks.csv", index=False, lineterminator="\n")


def comparison(params: Parameters) -> dict[str, Any]:
    """Return what the page of the comparison says."""
    paths = params.paths
    accuracy, cells = _read(paths.chart("accuracy")), _read(paths.cells)
    intervals, pairs = _read(paths.table("intervals")), _read(paths.table("pairs"))
    means = intervals[~intervals["method"].str.startswith("Wilson")]
    first = _read(paths.predictions(next(iter(params.models))))
    counts = cells["label"].value_counts()
    wilson = intervals[intervals["score"].str.startswith("sensitivity")]
    return {
        "models": [*params.models],
        "tested": int(accuracy["cells"].iloc[0]),
        "kept": len(cells),
        "folds": sorted(set(first["fold"])),
        "n_splits": cells["fold"].nunique(),
        "majority": min(label for label in counts.index if counts[label] == counts.max()),
        "groups": _groups(paths),
        "near_duplicates": _near_duplicates(paths),
        "published": bool((accuracy["kind"] == "published").any()),
        "accuracy_rows": [
            (
                row.model,
                f"{row.correct} of {row.cells}",
                interval(row.accuracy, row.accuracy_low, row.accuracy_high),
                f"{row.mean_sensitivity:.{2 if row.kind == 'published' else 3}f}",
                f"{row.mean_specificity:.{2 if row.kind == 'published' else 3}f}",
            )
            for row in _rows(accuracy)
        ],
        "synthetic": _read_json(paths.source)["source"] == "synthetic",
        "degenerate": list(dict.fromkeys(wilson[wilson["value"].isin([0, 1])]["model"])),
        "mean_rows": [
            (score if not number else "", row.model, interval(row.value, row.low, row.high))
            for score, rows in means.groupby("score", sort=False)
            for number, row in enumerate(_rows(rows))
        ],
        "pairs": [_pair(row) for row in _rows(pairs)],
    }


def _groups(paths: DatasetPaths) -> int:
    """Return how many groups the tested cells belong to; 0 if they count as independent."""
    intervals = _read(paths.table("intervals"))
    return int(intervals[intervals["score"] == "accuracy"]["groups"].fillna(0).iloc[0])


def _pair(row: Any) -> dict[str, Any]:
    """Turn a row of the table of pairs so that the model that is ahead comes first."""
    turned = row.only_first_correct > row.only_second_correct
    ahead, behind = (row.first, row.second) if turned else (row.second, row.first)
    only = (row.only_first_correct, row.only_second_correct)
    differs = only[0] != only[1]
    significant = row.verdict != "no difference shown"
    return {
        "first": row.first,
        "second": row.second,
        "better": ahead if significant else "",
        "worse": behind,
        "ahead": ahead if differs else "",
        "behind": behind,
        "only_ahead": only[0] if turned else only[1],
        "only_behind": only[1] if turned else only[0],
        "difference": abs(row.difference),
        "low": -row.high if turned else row.low,
        "high": -row.low if turned else row.high,
        "p": row.p,
        "p_holm": row.p_holm,
        "cells_needed": int(row.cells_needed) if differs else 0,
    }


def calibration(params: Parameters) -> dict[str, Any]:
    """Return what the page of calibration and selective prediction says."""
    table, selection = _read(params.paths.table("calibration")), _read(params.paths.table("selective_prediction"))
    tested = selection[(selection["part"] == "test") & (selection["fold"] == "all")].set_index("model")
    fitted = selection[selection["part"] == "validation"].set_index("model")
    by_kind = {kind: rows.set_index("model") for kind, rows in table.groupby("probabilities")}
    raw, scaled = by_kind["raw"], by_kind["temperature-scaled"]
    target = float(selection["target"].iloc[0])
    return {
        "cells": int(tested["cells"].max()),
        "groups": _groups(params.paths),
        "calibration_rows": [
            (
                row.model if row.probabilities == "raw" else "",
                f"{row.temperature:.2f}",
                f"{row.confidence:.3f}",
                f"{row.accuracy:.3f}",
                f"{row.ece:.3f}",
                f"{row.ece_low:.3f} to {row.ece_high:.3f}",
                f"{row.ece_expected:.3f}",
                f"{row.brier:.3f}",
                f"{row.nll:.3f}",
            )
            for row in _rows(table)
        ],
        "models": [
            {
                "name": name,
                "verdict": _verdict(scaled.loc[name]),
                "confidence": scaled["confidence"][name],
                "accuracy": scaled["accuracy"][name],
                "low": scaled["accuracy_low"][name],
                "high": scaled["accuracy_high"][name],
                "ece_raw": raw["ece"][name],
                "ece": scaled["ece"][name],
            }
            for name in scaled.index
        ],
        "target": target,
        "enough": bool((tested["fitted_on"] >= tested["cells_needed"]).all()),
        "fitted_on": int(tested["fitted_on"].min()),
        "needed": int(fitted["cells_needed"].max()),
        "selection_rows": [
            (
                row.Index,
                f"{row.accepted} ({percent(row.coverage, 0)})",
                "" if pd.isna(row.error_rate) else f"{row.errors} ({percent(row.error_rate)})",
                "" if pd.isna(row.error_rate) else f"{100 * row.error_rate_low:.1f} to {percent(row.error_rate_high)}",
                percent(1 - scaled["accuracy"][row.Index]),
            )
            for row in _rows(tested)
        ],
        "missed": [*tested[tested["error_rate_low"] > target].index],
        "thresholds": [f"{row.Index} {_threshold(row.threshold)}" for row in _rows(fitted)],
    }


def _threshold(value: float) -> str:
    if value > 1:
        return "none (it rejects all)"
    return f"{value:.4f}" if value else "0 (it never abstains)"


def _verdict(row: Any) -> str:
    if row["confidence"] > row["accuracy_high"]:
        return "overconfident"
    return "underconfident" if row["confidence"] < row["accuracy_low"] else "about as confident as correct"


def checks(params: Parameters) -> dict[str, Any]:
    """Return what the page of checks says."""
    table = _checks(params.paths)
    limited = table[table["allowed"] != ""]
    rows = table[["description", "value", "allowed", "passed"]].to_numpy().tolist()
    return {
        "rows": rows,
        "total": len(limited),
        "failed": int((limited["passed"] != "yes").sum()),
        "groups": bool((table["check"] == "groups").any()),
    }


def data(params: Parameters) -> dict[str, Any]:
    """Return what the page of the data set says."""
    counts, dropped = _read(params.paths.chart("counts")), read_csv(params.paths.chart("dropped"), ("reason",))
    reasons = pd.Series([row["reason"] for row in dropped], dtype=str).value_counts().sort_index()
    published, kept = (counts[counts["step"] == step].set_index("class")["count"] for step in ("labeled", "kept"))
    names = [*kept.index, *(name for name in published.index if name not in kept.index)]
    values = _checks(params.paths).set_index("description")["value"]
    return {
        "published": int(published.sum()),
        "kept": int(kept.sum()),
        "dropped": len(dropped),
        "class_rows": [
            (name, str(published.get(name, 0)), str(kept[name]) if name in kept.index else "") for name in names
        ],
        "dropped_rows": [(reason, str(rows)) for reason, rows in reasons.items()],
        "groups": int(values.get("groups in total", 0)),
        "near_duplicates": _near_duplicates(params.paths),
        **{"localization_accuracy": 0.0, **_read_json(params.paths.localization)},
    }


def _near_duplicates(paths: DatasetPaths) -> int:
    """Return how many pairs of images are near-duplicates."""
    values = _checks(paths).set_index("description")["value"]
    return int(float(values["near-duplicate pairs in total"]))


def _checks(paths: DatasetPaths) -> pd.DataFrame:
    tables = [pd.read_csv(_existing(paths.checks(of)), dtype=str, keep_default_na=False) for of in ("data", "models")]
    return pd.concat(tables, ignore_index=True)


def _rows(table: pd.DataFrame) -> list[Any]:
    return [*table.itertuples()]


def _read(path: Path) -> pd.DataFrame:
    try:  # "null" is a reason, not a missing value
        return pd.read_csv(_existing(path), keep_default_na=False, na_values=[""])
    except ValueError as error:
        raise _damaged(path, error) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(_existing(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, error) from None
    return content


def _damaged(path: Path, error: ValueError) -> InputError:
    return InputError(f"{path} can't be read ({error}): delete it, and run `dvc repro`, which writes it again")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path} is missing: run `dvc repro`, which writes it")
    return path


if __name__ == "__main__":
    run(main)
