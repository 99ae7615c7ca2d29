"""Put the models side by side, with what they must beat, and test them pair by pair: tables, charts, one page."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv, write_csv, write_text
from bloodcells.core.parameters import Params, read_params
from bloodcells.evaluation.bootstrap import Bootstrap
from bloodcells.evaluation.comparison import (
    COLUMNS,
    DIFFERENCE_COLUMNS,
    INTERVAL_COLUMNS,
    PAIR_COLUMNS,
    Entry,
    Pair,
    compare,
    difference_table,
    entry_lines,
    in_words,
    interval_lines,
    interval_table,
    pair_table,
    pairs,
    resample,
    table,
    too_sure,
)
from bloodcells.inference.predictions import read_predictions
from bloodcells.reporting.markdown import paragraph

CURVES = ("split", "epoch", "loss", "accuracy")

CAUTION = {
    "rendered": "These smears are drawn by the project itself: the figures show that the pipeline works, and say "
    "nothing about blood.",
    "bccd": "All intervals and tests take the cells as independent, though some were photographed twice, and each "
    "network as it is: they leave out what training it again from another seed would give. All cells are of one set "
    "of smears: expect less on those of another laboratory.",
}
REPORT = (
    "The original report tested 35 images, other cells in another split: one unseeded holdout, its per-class "
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
    from bloodcells.reporting.charts import comparison, differences  # noqa: PLC0415 (showing needs no drawing, and this takes half a second)

    artifacts = Path("artifacts", params.dataset)
    models = {name: read_predictions(plots / "predictions" / f"{name}.csv") for name in params.models}
    kept = Counter(row["label"] for row in read_csv(artifacts / "cells.csv", ("label",)))
    largest = max(sorted(kept), key=lambda label: kept[label])
    entries = compare(models, largest)
    folds = sorted(set(next(iter(models.values())).folds.tolist()))
    drawn = resample(models, params.compare.resamples, params.compare.seed)
    tested = pairs(models, drawn)

    curves = _curves(params, artifacts / "curves")
    write_csv(plots / "comparison.csv", COLUMNS, table(entries))
    write_csv(plots / "curves.csv", ("model", "fold", *CURVES), curves)
    write_csv(plots / "intervals.csv", INTERVAL_COLUMNS, interval_table(models, drawn))
    write_csv(plots / "pairs.csv", PAIR_COLUMNS, pair_table(tested))
    write_csv(plots / "differences.csv", DIFFERENCE_COLUMNS, difference_table(tested))
    page = [
        _accuracy(params, entries, largest, kept.total(), folds),
        _intervals(params, drawn, too_sure(models)),
        *([_verdicts(tested)] if tested else []),
        _paragraphs("## Caution", paragraph(CAUTION[params.dataset])),
    ]
    write_text(plots / "comparison.md", "\n".join(page))
    which = f"{params.dataset}: {entries[0].cells} cells, {_folds(folds)}"
    comparison(plots / "comparison.png", f"Accuracy on {which}", entries)
    differences(plots / "differences.png", f"Differences on {which}", tested, list(models))


def _curves(params: Params, folder: Path) -> list[list[str | int]]:
    """Gather the learning curves of all models and folds into rows: model, fold, then `CURVES`."""
    return [
        [model, fold, *(row[column] for column in CURVES)]
        for model in params.models
        for fold in params.test_folds
        for row in read_csv(folder / model / str(fold) / "curves.csv", CURVES)
    ]


def _accuracy(params: Params, entries: Sequence[Entry], largest: str, kept: int, folds: list[int]) -> str:
    tested = entries[0].cells
    which = f"all {kept} kept cells" if tested == kept else f"{tested} of the {kept} kept cells"
    intro = (
        f"Tested on {which} ({_folds(folds)} of {params.clean.n_splits}), each by networks that never trained on it. "
        f"*largest class* calls every cell {largest}. Interval: Wilson. Sensitivity and specificity: means over the "
        "classes, each class against the rest."
    )
    title = f"# {', '.join(params.models)} on `{params.dataset}`"
    return _paragraphs(title, paragraph(intro), entry_lines(entries), paragraph(REPORT))


def _intervals(params: Params, drawn: Bootstrap, too_narrow: Sequence[str]) -> str:
    intro = (
        "Means over the classes, each class against the rest; mean sensitivity is also called balanced accuracy. "
        f"Interval: percentiles of {params.compare.resamples} bootstrap resamples of the cells, stratified by class. "
        "`intervals.csv` has these, and each class's sensitivity, specificity and precision."
    )
    narrow = (
        f"Too narrow for {', '.join(too_narrow)}: right on all cells of some class, or on none, where a resample can't "
        "differ from what was seen. The Wilson intervals in `intervals.csv` hold there too."
    )
    means = interval_lines([*params.models], drawn)
    return _paragraphs("## Intervals", paragraph(intro), means, *([paragraph(narrow)] if too_narrow else []))


def _verdicts(tested: Sequence[Pair]) -> str:
    """Say of each pair which model is better."""
    together = f", with Holm's correction for the {len(tested)} pairs" if len(tested) > 1 else ""
    intro = (
        "Tested on the same cells, so in pairs: an exact McNemar test of the cells on which one of two models alone "
        f"is right, at 5 %{together}. Beside it the difference of their accuracies with its bootstrap interval, which "
        "of few cells is too narrow: where the two disagree, the test decides. And how many cells such a test takes to "
        "show the difference seen with 80 % power. No difference shown does not mean that there is none. `pairs.csv` "
        "has the figures, `differences.csv` those of the other scores."
    )
    return _paragraphs("## Which model is better", paragraph(intro), "\n".join(in_words(pair) for pair in tested))


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(texts) + "\n"


def _folds(folds: list[int]) -> str:
    return f"fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"


def _where_next(plots: Path) -> str:
    lines = [
        ("dvc metrics show", "the figures of every model"),
        ("dvc plots show", "curves, confusion, ROC and more in the browser"),
        (f"{plots / 'comparison.png'}", "the first table as a chart"),
        (f"{plots / 'differences.png'}", "the differences as a chart"),
        (f"{plots / 'mistakes'}", "the worst mistakes of each model"),
        (f"{plots / 'explore'}", "averages, distributions, samples, counts"),
        ("dvc exp run -S train.epochs=3", "another run; then: dvc metrics diff"),
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
