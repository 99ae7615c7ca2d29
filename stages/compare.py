"""Put the models side by side, with what they must beat: one table, one chart, all learning curves."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bloodcells.comparison import COLUMNS, Entry, compare, markdown, table
from bloodcells.errors import InputError, run
from bloodcells.files import read_csv, write_csv, write_text
from bloodcells.params import Params, read_params
from bloodcells.scores import read_predictions

CURVES = ("split", "epoch", "loss", "accuracy")

CAUTION = {
    "rendered": "These smears are drawn by the project itself: the figures show that the pipeline works, and say\n"
    "nothing about blood.",
    "bccd": "The intervals take the cells as independent, and leave out what other seeds would have given. Models\n"
    "whose intervals overlap much are not told apart by so few cells, and all are of one set of smears:\n"
    "expect less on those of another laboratory.",
}
REPORT = (
    "The original report tested 35 images, other cells in another split: one unseeded holdout, its per-class\n"
    "figures under permuted names. It stands here for reference, not as a rival."
)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m stages.compare", description=__doc__)
    arguments.add_argument("--show", action="store_true", help="only print what the last run wrote")
    show = arguments.parse_args().show
    params = read_params()
    plots = Path("plots", params.dataset)
    if not show:
        _compare(params, plots)
    print(_read(plots / "comparison.md"))
    print(_where_next(plots))


def _compare(params: Params, plots: Path) -> None:
    from bloodcells.charts import comparison  # noqa: PLC0415 (showing needs no drawing, and this takes half a second)

    artifacts = Path("artifacts", params.dataset)
    models = {name: read_predictions(plots / "predictions" / f"{name}.csv") for name in params.models}
    kept = Counter(row["label"] for row in read_csv(artifacts / "cells.csv", ("label",)))
    largest = max(sorted(kept), key=lambda label: kept[label])
    entries = compare(models, largest)
    folds = sorted(set(next(iter(models.values())).folds.tolist()))

    curves = _curves(params, artifacts / "curves")
    write_csv(plots / "comparison.csv", COLUMNS, table(entries))
    write_csv(plots / "curves.csv", ("model", "fold", *CURVES), curves)
    write_text(plots / "comparison.md", _page(params, entries, largest, kept.total(), folds))
    comparison(
        plots / "comparison.png", f"Accuracy on {params.dataset}: {entries[0].cells} cells, {_folds(folds)}", entries
    )


def _curves(params: Params, folder: Path) -> list[list[str | int]]:
    """Gather the learning curves of all models and folds into rows: model, fold, then `CURVES`."""
    return [
        [model, fold, *(row[column] for column in CURVES)]
        for model in params.models
        for fold in params.folds
        for row in read_csv(folder / model / str(fold) / "curves.csv", CURVES)
    ]


def _page(params: Params, entries: Sequence[Entry], largest: str, kept: int, folds: list[int]) -> str:
    tested = entries[0].cells
    which = f"all {kept} kept cells" if tested == kept else f"{tested} of the {kept} kept cells"
    lines = [
        f"# {', '.join(params.models)} on `{params.dataset}`",
        "",
        f"Tested on {which} ({_folds(folds)} of {params.clean.folds}), each by networks that never",
        f"trained on it. *largest class* calls every cell {largest}. Interval: Wilson. Sensitivity and",
        "specificity: means over the classes, each class against the rest.",
        "",
        markdown(entries),
        "",
        CAUTION[params.dataset],
        REPORT,
    ]
    return "\n".join(lines) + "\n"


def _folds(folds: list[int]) -> str:
    return f"fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"


def _where_next(plots: Path) -> str:
    lines = [
        ("dvc metrics show", "the figures of every model"),
        ("dvc plots show", "curves, confusion, ROC and comparison in the browser"),
        (f"{plots / 'comparison.png'}", "this table as a chart"),
        (f"{plots / 'mistakes'}", "the worst mistakes of each model"),
        (f"{plots / 'explore'}", "the data: averages, distributions, samples, counts"),
        ("dvc exp run -S train.epochs=3", "another run; then: dvc metrics diff, dvc plots diff"),
    ]
    wide = max(len(what) for what, _ in lines)
    return "Where to look next:\n" + "\n".join(f"  {what.ljust(wide)}  {why}" for what, why in lines)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`, which makes it") from None


if __name__ == "__main__":
    run(main)
