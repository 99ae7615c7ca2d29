import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from tests.cli.review.committed import hashes, image, said

from bloodcells.cli.git import Revision
from bloodcells.cli.review.changes import ABSENT, WHOLE, Change, CodeChange, DataChange
from bloodcells.cli.review.findings import DatasetReview, Picture, Review, compare, failures
from bloodcells.cli.review.lock_status import Freshness, Stale
from bloodcells.cli.review.page import comment, markdown
from bloodcells.cli.review.snapshot import Guard, Results, Snapshot
from bloodcells.cli.review.verdicts import Flip, Judgement, Verdict
from bloodcells.cli.review.web_page import web_page
from bloodcells.evaluation.metrics import headline
from bloodcells.inference.predictions import Predictions

HEADINGS = [
    "Better or worse",
    "Parameters",
    "Data",
    "Metrics",
    "Code",
    "Do the committed results belong to this code?",
    "Guards",
    "Pictures",
]
BASE, HEAD = Revision("main", "a" * 40), Revision("working tree", "b" * 40, edited=True)
EMPTY = Review(BASE, HEAD, [], {}, [], [], [])


def found(base: dict[str, Predictions], head: dict[str, Predictions], **more: object) -> DatasetReview:
    """What is found about a data set with nothing but these predictions."""
    snapshots = [
        Snapshot({}, None, {"bccd": Results(figures, one, files=hashes(one))}, {})
        for one in (base, head)
        for figures in ({model: headline(p) for model, p in one.items()},)
    ]
    (one,) = compare(snapshots[0], snapshots[1], resamples=500, seed=1)
    return replace(one, **more)  # type: ignore[arg-type]


def page_of(*datasets: DatasetReview, **more: object) -> str:
    return markdown(replace(EMPTY, datasets=datasets, **more))  # type: ignore[arg-type]


def section(page: str, title: str) -> str:
    return page.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0].strip()


def test_sections_stand_in_one_order_whatever_there_is_to_tell() -> None:
    full = page_of(
        found({"resnet": said(wrong=range(9))}, {"resnet": said(numbers=range(3, 70))}),
        parameters={"params.yaml": [Change("train.epochs", 1, 2)]},
        code=[CodeChange("stages/train.py", 1, 0, ("train",))],
        freshness=[Freshness("dvc.lock", "bccd")],
    )
    for page in (markdown(EMPTY), full):
        assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == HEADINGS
        assert not re.search(r"\bnan\b", page, re.IGNORECASE)


def test_the_first_lines_tell_the_verdicts_the_change_and_what_is_wrong() -> None:
    base = {"resnet": said(wrong=range(20)), "efficientnet": said(), "alexnet": said(wrong=[1])}
    head = {"resnet": said(), "efficientnet": said(wrong=range(20)), "alexnet": said(wrong=[2])}
    guards = [Guard("copies", "1", "0", False), Guard("pairs", "0", "0", True)]
    page = page_of(
        found(base, head, guards=guards),
        parameters={"params.yaml": [Change("train.epochs", 40, 60)]},
        code=[CodeChange("bloodcells/a.py", 1, 0, ("clean", "train")), CodeChange("stages/train.py", 1, 0, ("train",))],
        freshness=[Freshness("dvc.lock", "bccd", (Stale("train", ("params",)),))],
        failures=["resnet is_bad"],
    )
    first = page.split("\n## ", maxsplit=1)[0].replace("\n  ", " ").splitlines()
    assert first == [
        "# Review: working tree on `bbbbbbb` against `aaaaaaa` (`main`)",
        "",
        "- **bccd**: efficientnet (−25.0 points) **▼ worse**; resnet (+25.0 points) **▲ better**; "
        "alexnet ≈ within noise.",
        "- **Changed**: `train.epochs` 40 → 60; 2 files of code, used by clean and train.",
        "- **Stale**: the committed results of `bccd` are not those of this code.",
        "- **Guards**: 1 of 2 fail on bccd.",
        "- **Fails**: resnet is_bad.",
    ]


def test_the_first_lines_where_nothing_changed() -> None:
    page = page_of(found({"resnet": said()}, {"resnet": said()}), freshness=[Freshness("dvc.lock", "bccd")])
    assert "- **bccd**: no result changed.\n- **Changed**: no parameter, no data, no code.\n- **Up to date**" in page
    assert section(page, "Better or worse") == "No result changed."


def test_the_table_of_verdicts_gives_points_interval_p_and_flips() -> None:
    base, head = {"a": said(wrong=range(20)), "b": said()}, {"a": said(), "b": said(sure=0.75)}
    told = section(page_of(found(base, head)), "Better or worse")
    assert told.startswith("**bccd**, on the 80 cells that both predicted:\n\n| model | verdict ")
    (row,) = [line for line in told.splitlines() if line.startswith("| a ")]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[:2] + cells[3:] == ["a", "▲ better", "< 0.001", "+20 −0"]
    assert cells[2].startswith("+25.0 (+")
    assert "| b     | = same predictions |                        |         |         |" in told
    assert "<summary>a on bccd: 20 now right, 0 now wrong</summary>" in told
    assert f"- **now right** (5), eosinophil taken for lymphocyte before: `{image(0)}`" in told.replace("\n ", "")
    assert "below 0.05 is better or worse" in told


def test_the_same_predictions_with_other_probabilities() -> None:
    told = section(page_of(found({"a": said()}, {"a": said(sure=0.75)})), "Better or worse")
    assert "No cell is predicted otherwise; a probability moved by 0.0500 at most." in told.splitlines()
    assert "<summary>bccd: 1 file of results differs</summary>\n\n`plots/bccd/predictions/a.csv`" in told
    assert "interval" not in told


def test_relabelled_cells_and_tables_that_cannot_be_read_are_noted() -> None:
    one = found({"a": said()}, {"a": said(labels={0: 3})}, unreadable=["main: plots/x.csv is no table"])
    told = section(page_of(one), "Better or worse")
    assert "on the 79 cells" in told
    assert "Left out: 1 cell with another label than at the base." in told
    assert "main: plots/x.csv is no table" in told


def test_a_model_that_is_tested_on_other_cells_than_the_rest_is_named() -> None:
    few = said(numbers=range(20))
    base = {"a": said(), "b": said()}
    page = page_of(found(base, {"a": few, "b": said()}))
    assert "- **Changed**: bccd is tested on 60 cells fewer." in page
    assert "**a** is tested on other cells than at the base: 0 more and 60 fewer." in " ".join(page.split())
    assert "tested on other cells" not in page_of(found(base, {"a": few, "b": few}))


def test_metrics_stand_with_their_intervals_and_only_those_that_changed() -> None:
    told = section(page_of(found({"a": said(wrong=[1])}, {"a": said()})), "Metrics")
    assert "| accuracy         | 0.9875 (0.9325 to 0.9978) | 1.0000 (0.9542 to 1.0000) |" in told
    assert "cells" not in told


def test_a_model_that_is_new_has_no_figures_at_the_base() -> None:
    page = page_of(found({}, {"a": said()}))
    assert "| a     | + new   |" in section(page, "Better or worse")
    assert "| accuracy         | none | 1.0000 (0.9542 to 1.0000) |" in section(page, "Metrics")


def test_parameters_of_a_kept_run_are_told_once_where_they_are_the_same() -> None:
    change = [Change("train.epochs", 40, 60), Change("models.x.weights", ABSENT, "imagenet")]
    told = section(page_of(parameters={"params.yaml": change, "locks/bccd/params.yaml": list(change)}), "Parameters")
    assert "| `train.epochs`     |   40 |         60 |" in told
    assert "| `models.x.weights` | none | `imagenet` |" in told
    assert told.endswith("The same in `locks/bccd/params.yaml`.")


def test_a_file_of_parameters_that_came_or_went_is_one_line() -> None:
    came, went = [Change(WHOLE, ABSENT, {"a": 1})], [Change(WHOLE, {"a": 1}, ABSENT)]
    page = page_of(parameters={"locks/x/params.yaml": came, "locks/y/params.yaml": went})
    assert section(page, "Parameters") == "`locks/x/params.yaml` is new.\n\n`locks/y/params.yaml` is gone."
    assert "- **Changed**: `locks/x/params.yaml` is new; `locks/y/params.yaml` is gone.\n" in page


def test_a_model_that_came_is_told_by_its_parameters() -> None:
    came = [Change("models.vgg.architecture", ABSENT, "vgg11"), Change("models.vgg.weights", ABSENT, "none")]
    page = page_of(parameters={"params.yaml": came, "locks/bccd/params.yaml": came[:1]})
    told = section(page, "Parameters")
    assert "| `models.vgg.weights`      | none |  `none` |" in told
    assert "is new" not in page
    first = " ".join(page.split())
    assert "**Changed**: `models.vgg.architecture` none → `vgg11`; `models.vgg.weights` none → `none`; 1 param" in first
    gone = section(page_of(parameters={"params.yaml": [Change("models.vgg.weights", "none", ABSENT)]}), "Parameters")
    assert "is gone" not in gone
    assert "`models.vgg.weights`" in gone


def test_data_that_came_went_and_changed_labels() -> None:
    one = found({"a": said(numbers=range(10))}, {"a": said(numbers=range(1, 13), labels={4: 3}, fold=1)})
    page = page_of(one, pin=[Change("md5", "1.dir", "2.dir")])
    assert (
        "the pin of the real data; bccd is tested on 3 cells more and 1 cell fewer and has 1 cell relabelled and "
        "9 cells in another fold."
    ) in page.replace("\n  ", " ")
    told = section(page, "Data")
    assert "| md5 | `1.dir` | `2.dir` |".replace("md5", "`md5`") in told
    assert (
        f"<summary>3 cells tested now and not before</summary>\n\n`{image(10)}`, `{image(11)}`, `{image(12)}`" in told
    )
    assert f"| `{image(4)}` | `eosinophil` | `neutrophil` |" in told
    assert "9 cells tested in another fold." in told


def test_rows_that_are_dropped_and_counts_are_changes_of_the_data() -> None:
    data = DataChange((Change("a, kept", 1, 2),), (("1.jpg", "", "null"),), (("2.jpg", "", "x"), ("3.jpg", "", "x")))
    page = page_of(DatasetReview("bccd", True, data=data)).replace("\n  ", " ")
    assert "- **Changed**: bccd has 1 count changed and drops 1 row more and 2 rows fewer.\n" in page


def test_long_tables_are_cut() -> None:
    rows = tuple((image(number), "", "null") for number in range(60))
    data = DataChange(tuple(Change(f"c{n}, kept", 1, 2) for n in range(60)), rows)
    page = page_of(
        DatasetReview("bccd", True, data=data),
        parameters={"params.yaml": [Change(f"a.a{n}", 1, 2) for n in range(60)]},
        code=[CodeChange(f"stages/{n}.py", 1, 2, ()) for n in range(60)],
    )
    assert page.count("\n\nand 10 more\n") == 4
    for shown, left_out in ((image(49), image(50)), ("c49,", "c50,"), ("a.a49`", "a.a50`"), ("/49.py", "/50.py")):
        assert shown in page
        assert left_out not in page


def test_a_comment_has_no_pictures_and_no_more_than_it_may_hold() -> None:
    short = page_of(found({}, {}, pictures=[Picture("a.png", "Accuracy")]))
    assert comment(short) == short.replace("![Accuracy](a.png)\n", "")
    flips = [Flip(image(n), "monocyte", "eosinophil" + "é" * (n % 7), "monocyte") for n in range(2000)]
    kinds = tuple(replace(flip, label=f"{flip.label}{n}") for n, flip in enumerate(flips))
    long = page_of(DatasetReview("bccd", True, [Verdict("a", Judgement.NOISE, fixed=kinds)]))
    told = comment(long)
    assert len(long.encode()) > 65536
    assert 59000 < len(told.encode()) < 60500
    kept, _, note = told.partition("\n</details>\n")
    assert long.startswith(kept)
    assert note.strip().startswith("**Cut here**")


def test_many_images_are_named_up_to_a_limit() -> None:
    told = page_of(found({"a": said(numbers=[0])}, {"a": said(numbers=range(80))}))
    assert f"`{image(50)}` and 29 more" in told.replace("\n", " ")
    assert image(51) not in told


def test_stale_stages_are_told_together_where_the_reason_is_one() -> None:
    stale = [Stale(f"train@resnet-{fold}", ("stages/train.py", "parameters train")) for fold in range(5)]
    one = Freshness("dvc.lock", "bccd", (*stale, Stale("compare", ())))
    told = section(page_of(found({}, {"a": said()}), freshness=[one]), HEADINGS[5])
    assert told.splitlines()[2:] == [
        "- train (5 stages): stages/train.py, parameters train",
        "- compare: follows from those above",
    ]
    other = section(page_of(freshness=[Freshness("dvc.lock", "", failure="dvc.yaml is_invalid")]), HEADINGS[5])
    assert other == "**unknown** (`dvc.lock`): DVC can't tell: dvc.yaml is_invalid"


def test_names_of_stages_stay_text() -> None:
    name = "<h1>Approved</h1> ![x](https://elsewhere/x.png)"
    code = [CodeChange("stages/a.py", 1, 1, (name,))]
    page = page_of(code=code, freshness=[Freshness("dvc.lock", "bccd", (Stale(name, ()),))])
    assert page.replace("\n  ", " ").count(r"\<h1>Approved\</h1> !\[x](https://elsewhere/x.png)") == 3
    assert "<h1>Approved" not in web_page(page, {})


def test_results_without_a_lock_are_not_called_traced() -> None:
    review = replace(EMPTY, datasets=[found({}, {"a": said()})], freshness=[Freshness("dvc.lock", "rendered")])
    page = markdown(review)
    told = section(page, HEADINGS[5])
    assert told == "**rendered** (`dvc.lock`): yes.\n\nNo lock file is of bccd: those results can't be traced."
    assert "- **Untraced**: no lock file is of the results of `bccd`.\n" in page
    assert "Up to date" not in page
    (why,) = failures(review, 0.8, ("stale",))
    assert why.startswith("no lock file is of the results of bccd, so")
    gone = replace(review, datasets=[found({"a": said()}, {})])
    assert failures(gone, 0.8, ("stale",)) == []
    assert "**Up to date**" in markdown(gone)


def test_results_that_went_are_named_and_nothing_is_called_up_to_date() -> None:
    lost = tuple(f"plots/rendered/{name}.csv" for name in "abcdefg")
    review = replace(EMPTY, freshness=[Freshness("dvc.lock", "rendered", lost=lost)])
    page = " ".join(markdown(review).split())
    assert "**Lost**: of the committed results of `rendered` these are not there: `plots/rendered/a.csv`" in page
    assert "`plots/rendered/c.csv` and 4 more." in page
    assert "Up to date" not in page
    assert "**not there**, though git should hold them: `plots/rendered/a.csv`" in page
    (why,) = failures(review, 0.8, ("stale",))
    assert "plots/rendered/e.csv and 2 more: bring them back from the base, or run `dvc repro`, and commit" in why


def test_what_dvc_cannot_tell_is_not_called_stale() -> None:
    failed = Freshness("original/dvc.lock", "rendered", failure="dvc.yaml is invalid")
    review = replace(EMPTY, freshness=[Freshness("dvc.lock", "rendered"), failed])
    page = " ".join(markdown(review).split())
    assert "**Unknown**: DVC can't tell whether the committed results of `rendered` are those of this code." in page
    assert "Stale" not in page
    assert "Up to date" not in page
    assert failures(review, 0.8, ("stale",)) == [
        "DVC can't tell whether the committed results of rendered are those of this code (original/dvc.lock): "
        "dvc.yaml is invalid"
    ]


def test_guards_that_are_no_longer_told_fail_the_check() -> None:
    path = "plots/bccd/checks.csv"
    held = Results(guards=(Guard("copies", "0", "0", True),))
    broken = Results(unreadable={path: f"head: {path} is no table: run `dvc repro`"})
    for base, head, why in (
        (held, Results(), f"bccd: nothing says whether the guards hold: {path} tells of no guard, and did at the base"),
        (broken, Results(), f"{path} tells of no guard, and did at the base: run `dvc repro`, and commit it"),
        (Results(), broken, f"head: {path} is no table: run `dvc repro`"),
        (Results(), Results(), ""),
        (Results(), held, ""),
    ):
        before, after = (Snapshot({}, None, {"bccd": results}, {}) for results in (base, head))
        one = compare(before, after, resamples=500, seed=1)
        review = replace(EMPTY, datasets=one)
        assert failures(review, 0.8, ()) == []
        told = failures(review, 0.8, ("guards",))
        assert (len(told), why in "".join(told)) == (bool(why), True)
        page = " ".join(markdown(review).split())
        assert ("**Guards**: nothing says whether they hold on bccd." in page) == bool(why)
        assert path in page or not why


def test_guards() -> None:
    guards = [Guard("copies on two sides", "2", "0", False), Guard("pairs", "0", "0", True)]
    told = section(page_of(found({}, {}, guards=guards)), "Guards")
    assert told == "**bccd**: 1 of 2 **fail**:\n\n- copies on two sides: found 2, allowed 0"
    assert "<summary>bccd: all 1 hold</summary>" in page_of(found({}, {}, guards=guards[1:]))


def test_pictures_are_linked() -> None:
    told = section(page_of(found({}, {}, pictures=[Picture("a.png", "Accuracy_")])), "Pictures")
    assert told == "![Accuracy\\_](a.png)"


def test_lines_fit_a_terminal_and_folds_and_tables_are_those_of_github() -> None:
    base = {model: said(wrong=range(20)) for model in ("resnet", "efficientnet", "alexnet")}
    head = {model: said(wrong=range(10, 50)) for model in base}
    page = page_of(
        found(base, head),
        parameters={"params.yaml": [Change(f"train.a{number}", number, 0.5) for number in range(20)]},
        code=[CodeChange(f"bloodcells/{number}.py", 1, 2, ("clean",)) for number in range(20)],
        freshness=[Freshness("dvc.lock", "bccd", (Stale("train", tuple(f"bloodcells/{n}.py" for n in range(20))),))],
        failures=["resnet on bccd got worse, and a reason may be as long as a reason has to be to be understood"],
    )
    assert max(len(line) for line in page.splitlines() if not line.startswith("<details>")) <= 80
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(page)
    assert html.count("<details>") == html.count("</details>") == 5  # three models, their files, and the files of code
    assert html.count("<table>") == 1 + 1 + 3 + 1
    assert "|" not in html


@pytest.mark.parametrize(
    ("judgement", "interval", "asked", "expected"),
    [
        (Judgement.WORSE, (0.9, 1.0), (), None),
        (Judgement.WORSE, (0.9, 1.0), ("worse",), "a on bccd got worse"),
        (Judgement.NOISE, (0.9, 1.0), ("worse",), None),
        (Judgement.BETTER, (0.79, 0.9), (), "0.790, below 0.8"),
        (Judgement.BETTER, (0.79996, 0.9), (), "0.79996, below 0.8"),
        (Judgement.BETTER, (0.8, 0.9), (), None),
        (Judgement.GONE, None, (), None),
        (Judgement.UNCOMPARABLE, None, (), "its predictions can't be read"),
    ],
)
def test_for_what_the_check_fails(
    judgement: Judgement, interval: tuple[float, float] | None, asked: tuple[str, ...], expected: str | None
) -> None:
    one = DatasetReview("bccd", True, [Verdict("a", judgement, interval=interval)])
    why = failures(replace(EMPTY, datasets=[one]), 0.8, asked)
    assert (len(why), expected in "".join(why)) == (1, True) if expected else why == []


def test_the_check_fails_on_stale_results_and_guards_if_asked() -> None:
    one = DatasetReview("bccd", True, guards=[Guard("copies", "1", "0", False)])
    stale = Freshness("locks/bccd/dvc.lock", "bccd", (Stale("train", ()),))
    review = replace(EMPTY, datasets=[one], freshness=[Freshness("dvc.lock", "rendered"), stale])
    assert failures(review, 0.8, ()) == []
    assert failures(review, 0.8, ("guards", "stale")) == [
        "bccd: a guard fails: copies",
        "the committed results of bccd are not those of this code (locks/bccd/dvc.lock): "
        "run it again as locks/README.md says, and commit its lock, metrics/ and plots/",
    ]
    assert "no dvc.lock" in failures(EMPTY, 0.8, ("stale",))[0]
