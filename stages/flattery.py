"""Report by how much the original report's protocol flatters, blurs and misnames: a table, a chart, one page."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv, write_csv, write_text
from bloodcells.core.parameters import Params, read_params
from bloodcells.evaluation.bootstrap import Estimate
from bloodcells.evaluation.comparison import said_p
from bloodcells.reporting.charts import claims
from bloodcells.reporting.markdown import item, paragraph, table
from studies.original_report.optimism import Deal, Figure, figures
from studies.original_report.predictions import FAULTY, OURS, TEST, Answers, read_answers

Figures = Mapping[str, Figure]

ROWS = (
    ("printed", ("claim", "truth", "flattery")),
    ("steady", ("claim, unchanged", "truth", "flattery, unchanged")),
    ("mixed", ("claim, unchanged", "truth, mixed", "flattery of copies")),
    ("ours", ("our claim", "our truth", "our flattery")),
)
"""What the page's first table shows."""

CHART = {"printed": "original report,\nas printed", "mixed": "original report,\ncopies alone", "ours": "ours"}
"""Those of its rows that the chart shows, and how they are called there."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.flattery", description=__doc__)
    parser.add_argument("model", help="the one that was trained")
    model = parser.parse_args().model
    params = read_params()
    plots = Path("plots", params.dataset)
    answers = read_answers(plots / "original" / "answers.csv")
    _need_same_cells(plots / "original" / "answers.csv", answers)
    ordinary, ours = (_deals(plots / "original" / "twins.csv", folds) for folds in ("ordinary", "ours"))
    found = figures(answers, ordinary, ours[0], params.compare.resamples, params.compare.seed)

    write_csv(plots / "original.csv", Figure._fields, found.values())
    cells, folds = len(answers.of(OURS, TEST).image), sorted(set(answers.fold.tolist()))
    where = f"fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"
    claims(
        plots / "original.png",
        f"What each protocol claims: {model} on {params.dataset}, {cells} cells, {where}",
        [
            (CHART[name], found[claim].estimate, found[truth].estimate, found[gap].estimate)
            for name, (claim, truth, gap) in ROWS
            if name in CHART
        ],
    )
    page = _page(params, model, f"{cells} cells of {where}", answers.draws.shape[1], found)
    write_text(plots / "original.md", page)
    print(page, end="")


def _need_same_cells(path: Path, answers: Answers) -> None:
    faulty, ours = (sorted(answers.of(protocol, TEST).image.tolist()) for protocol in (FAULTY, OURS))
    if faulty != ours or not ours:
        raise InputError(f"{path}: the two protocols tested other cells: run `dvc repro original/dvc.yaml`")


def _deals(path: Path, folds: str) -> list[Deal]:
    """Read how many twins the deals of one kind part. Raises InputError where there is none."""
    rows = [row for row in read_csv(path, ("folds", *Deal._fields)) if row["folds"] == folds]
    if not rows:
        raise InputError(f"{path} has no row of folds dealt as {folds}: run `dvc repro original/dvc.yaml`")
    return [Deal(*(int(row[column]) for column in Deal._fields)) for row in rows]


def _page(params: Params, model: str, cells: str, draws: int, found: Figures) -> str:
    blocks = [
        f"# What the original report's protocol is worth: `{model}` on `{params.dataset}`",
        paragraph(
            "The original report repeated the cells of rare classes first and parted training from validation "
            "afterwards, left out a fifth of the neutrophils (by its text a tenth), and changed images at random even "
            f"in validation and test. Here {model} is trained by our config on data treated so, and tested on the same "
            f"{cells}, as ours is. Unlike the report all of it is seeded.",
            f"Intervals: 95 %, from {params.compare.resamples} bootstrap resamples of the images, stratified by class; "
            "all copies of an image, and all that the networks of several folds said of it, are drawn together. "
            "Shares of the test cells: Wilson; differences of two classes: Newcombe. None of them tells what training "
            "again from another seed would give.",
        ),
        *_copies(found, draws),
        *_random_change(found, draws),
        *_names(found),
        *_twins(found),
    ]
    return "\n\n".join(blocks) + "\n"


def _copies(found: Figures, draws: int) -> list[str]:
    seen, ours_seen = (100 * (found[name].value or 0) for name in ("trained on", "our trained on"))
    mean = found["claim, mean of draws"].estimate
    networks = found["ours - original"].estimate
    p = found["ours - original, p"].value or 0
    return [
        "## Copies on both sides of the split",
        "Accuracy in %, flattery (validation less test) in points:",
        table(
            ("", "validation", "test", "flattery"),
            [
                (name, *(_points(found[key].estimate, sign) for key, sign in zip(keys, ("", "", "+"), strict=True)))
                for name, keys in ROWS
            ],
        ),
        paragraph(
            "*printed*: what the original protocol would print, its validation images randomly changed, beside what "
            "the same networks do on the test cells as they are. *steady*: validation images as they are, too. "
            "*mixed*: test besides as if its classes were mixed as in that validation, where repeated ones weigh more; "
            "so copies alone remain. *ours*: the same of our networks.",
        ),
        "\n".join(
            [
                item(
                    f"{seen:.0f} % of the original's validation rows show an image that is trained on too; of ours "
                    f"{ours_seen:.0f} %."
                ),
                item(
                    f"Its claim is one draw of many: {draws} of them reach from {100 * mean.low:.1f} to "
                    f"{100 * mean.high:.1f} %."
                ),
                item(
                    "Our validation has a flattery of its own, since the epoch is chosen on it. What copies add to "
                    f"that is {_points(found['excess flattery'].estimate, '+')} points."
                ),
                item(
                    f"On the same test cells our accuracy less the original's is {_points(networks, '+')} points, "
                    f"{said_p(p)} (exact McNemar test): {_verdict(networks, p)}"
                ),
                item(
                    "The report's own 35 test images hold the classes as they are, so no copies: what was flattered is "
                    "its validation curves and all that was chosen by them."
                ),
            ]
        ),
    ]


def _verdict(networks: Estimate, p: float) -> str:
    if p >= 0.05:
        return "no difference shown. It is the claim that the protocol spoils."
    return f"the original's networks are {'worse' if networks.value > 0 else 'better'} as well."


def _random_change(found: Figures, draws: int) -> list[str]:
    one, mean, fickle = (found[name].estimate for name in ("as it is", "changed, mean of draws", "fickle"))
    return [
        "## Images randomly changed at test",
        paragraph(
            f"Our networks on the test cells, each image as it is: {_points(one)} %. Changed at random as in training, "
            f"{draws} times: {100 * mean.value:.1f} % on average, {100 * mean.low:.1f} at worst and "
            f"{100 * mean.high:.1f} at best (standard deviation {100 * (found['changed, deviation'].value or 0):.1f} "
            "points), all from the same networks and cells. The mean differs by "
            f"{_points(found['changed - as it is'].estimate, '+')} points; {_points(fickle)} % of the cells are not "
            "given the same class in all draws. How strongly the report changed its images is not known; here it "
            "is as `train.augment` says."
        ),
    ]


def _names(found: Figures) -> list[str]:
    def cell(name: str, sign: str = "") -> str:
        of = found[name]
        if of.value is None:
            return "-"
        return _points(of.estimate, sign, digits=0) if of.interval else "0"

    return [
        "## Names over the wrong classes",
        paragraph(
            "The report printed its figures of each class under another order of names than that of its logits. The "
            "sensitivities of our networks, in %, as they are and as it would have printed them:"
        ),
        table(
            ("class", "true", "printed", "off by, points"),
            [(k, cell(f"sensitivity: {k}"), cell(f"printed: {k}"), cell(f"misnamed: {k}", "+")) for k in CLASSES],
        ),
        paragraph("Accuracy and the means over the classes are the same under any names, and give nothing away."),
    ]


def _twins(found: Figures) -> list[str]:
    twins, ours = found["twins"], found["our twins"]
    return [
        "## Near-duplicates",
        paragraph(
            "Some cells were photographed twice with the frame moved. Dealt into folds stratified by class but blind "
            f"to that, {twins.value} cells would be tested by a network that trained on their other photograph "
            f"({twins.low} to {twins.high}, as the seed has it); with our folds {ours.value}. The figures above are on "
            "our folds for both protocols, so they leave this out."
        ),
    ]


def _points(of: Estimate, sign: str = "", digits: int = 1) -> str:
    """Give an estimate in percent, or a difference in points, with its interval."""
    ends = (round(100 * number, digits) + 0.0 for number in (of.value, of.low, of.high))  # no "-0.0"
    return "{} ({} to {})".format(*(f"{number:{sign}.{digits}f}" for number in ends))


if __name__ == "__main__":
    run(main)
