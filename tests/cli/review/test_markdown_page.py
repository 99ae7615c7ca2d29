import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from bloodcells.cli.git import Revision
from bloodcells.cli.review.changes import ABSENT, WHOLE, Change, CodeChange, DataChange, Retraining
from bloodcells.cli.review.findings import DatasetReview, Picture, Review, compare, failures
from bloodcells.cli.review.html_page import web_page
from bloodcells.cli.review.lock_status import LockStatus, Stale
from bloodcells.cli.review.markdown_page import comment, markdown
from bloodcells.cli.review.snapshot import LabelChange, Results, RunCheck, Snapshot
from bloodcells.cli.review.verdicts import Flip, Judgment, Verdict
from bloodcells.evaluation.metrics import headline
from bloodcells.inference.predictions import Predictions
from tests.cli.review.committed import hashes, image, predictions

HEADINGS = [
    "Better or worse",
    "Parameters",
    "Data",
    "Metrics",
    "Code",
    "Do the committed results belong to this code?",
    "Checks",
    "Pictures",
]
BASE, HEAD = Revision("main", "a" * 40), Revision("working tree", "b" * 40, edited=True)
EMPTY = Review(BASE, HEAD, [], {}, {}, [], [])


def found(base: dict[str, Predictions], head: dict[str, Predictions], **more: object) -> DatasetReview:
    """Return the findings about a data set with only these predictions."""
    snapshots = [
        Snapshot({}, {}, {"bccd": Results(figures, one, files=hashes(one))}, {})
        for one in (base, head)
        for figures in ({model: headline(p) for model, p in one.items()},)
    ]
    (one,) = compare(snapshots[0], snapshots[1], resamples=500, seed=1)
    return replace(one, **more)  # type: ignore[arg-type]


def page_of(*datasets: DatasetReview, **more: object) -> str:
    return markdown(replace(EMPTY, datasets=datasets, **more))  # type: ignore[arg-type]


def section(page: str, title: str) -> str:
    return page.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0].strip()


def test_sections_are_always_there_in_one_order() -> None:
    full = page_of(
        found({"resnet": predictions(wrong=range(9))}, {"resnet": predictions(numbers=range(3, 70))}),
        parameters={"params.yaml": [Change("train.epochs", 1, 2)]},
        code=[CodeChange("stages/train.py", 1, 0, ("train",))],
        locks=[LockStatus("dvc.lock", "bccd")],
    )
    for page in (markdown(EMPTY), full):
        assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == HEADINGS
        assert not re.search(r"\bnan\b", page, re.IGNORECASE)


def test_the_summary_has_the_verdicts_the_changes_and_what_is_wrong() -> None:
    base = {"resnet": predictions(wrong=range(20)), "efficientnet": predictions(), "alexnet": predictions(wrong=[1])}
    head = {"resnet": predictions(), "efficientnet": predictions(wrong=range(20)), "alexnet": predictions(wrong=[2])}
    checks = [RunCheck("copies", "1", "0", False), RunCheck("pairs", "0", "0", True)]
    page = page_of(
        found(base, head, checks=checks),
        parameters={"params.yaml": [Change("train.epochs", 40, 60)]},
        code=[CodeChange("bloodcells/a.py", 1, 0, ("clean", "train")), CodeChange("stages/train.py", 1, 0, ("train",))],
        locks=[LockStatus("dvc.lock", "bccd", (Stale("train", ("params",)),))],
        failures=["resnet is_bad"],
    )
    first = page.split("\n## ", maxsplit=1)[0].replace("\n  ", " ").splitlines()
    assert first == [
        "# Review: working tree on `bbbbbbb` against `aaaaaaa` (`main`)",
        "",
        "- **bccd**: efficientnet (−25.0 points) **▼ worse**; resnet (+25.0 points) **▲ better**; "
        "alexnet ≈ within noise.",
        "- **Changed**: `train.epochs` 40 → 60; 2 code files, used by clean and train.",
        "- **Stale**: the committed results of `bccd` don't belong to this code.",
        "- **Checks**: 1 of 2 failed on bccd.",
        "- **Fails**: resnet is_bad.",
    ]


def test_the_summary_names_another_machine() -> None:
    machines = Change("machine", "A, 2 threads", "B_, 4 threads")
    page = page_of(
        DatasetReview("a", True, retraining=Retraining(3)),
        DatasetReview("b", True, retraining=Retraining(3, 3, machines)),
        DatasetReview("c", True, retraining=Retraining(3, 1, machines)),
    )
    assert [line for line in page.replace("\n  ", " ").splitlines() if "Retrained" in line] == [
        "- **Retrained**: 3 networks of a, on the same machine.",
        "- **Retrained**: 3 networks of b, on another machine (A, 2 threads → B\\_, 4 threads).",
        "- **Retrained**: 3 networks of c, 1 of them on another machine (A, 2 threads → B\\_, 4 threads).",
    ]


def test_the_summary_where_nothing_changed() -> None:
    page = page_of(found({"resnet": predictions()}, {"resnet": predictions()}), locks=[LockStatus("dvc.lock", "bccd")])
    assert "- **bccd**: no result changed.\n- **Changed**: no parameter, no data, no code.\n- **Up to date**" in page
    assert section(page, "Better or worse") == "No result changed."


def test_the_table_of_verdicts_has_points_interval_p_and_flips() -> None:
    base, head = (
        {"a": predictions(wrong=range(20)), "b": predictions()},
        {"a": predictions(), "b": predictions(confidence=0.75)},
    )
    text = section(page_of(found(base, head)), "Better or worse")
    assert text.startswith("**bccd**, on the 80 cells that both predicted:\n\n| model | verdict ")
    (row,) = [line for line in text.splitlines() if line.startswith("| a ")]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[:2] + cells[3:] == ["a", "▲ better", "< 0.001", "+20 −0"]
    assert cells[2].startswith("+25.0 (+")
    assert "| b     | = same predictions |                        |         |         |" in text
    assert "<summary>a on bccd: 20 now correct, 0 now wrong</summary>" in text
    assert f"- **now correct** (5), eosinophil predicted as lymphocyte before: `{image(0)}`" in text.replace("\n ", "")
    assert "below 0.05 is better or worse" in " ".join(text.split())


def test_the_same_predictions_with_other_probabilities() -> None:
    text = section(page_of(found({"a": predictions()}, {"a": predictions(confidence=0.75)})), "Better or worse")
    assert "No prediction changed; probabilities changed by at most 0.0500." in text.splitlines()
    assert "<summary>bccd: 1 file of results differs</summary>\n\n`plots/bccd/predictions/a.csv`" in text
    assert "interval" not in text


def test_relabeled_cells_and_tables_that_cannot_be_read_are_noted() -> None:
    one = found(
        {"a": predictions()}, {"a": predictions(labels={0: 3})}, unreadable=["main: plots/x.csv is not a table"]
    )
    text = section(page_of(one), "Better or worse")
    assert "on the 79 cells" in text
    assert "Left out above: 1 cell with another label than at the base." in text
    assert "main: plots/x.csv is not a table" in text


def test_a_model_tested_on_other_cells_than_the_rest_is_named() -> None:
    few = predictions(numbers=range(20))
    base = {"a": predictions(), "b": predictions()}
    page = page_of(found(base, {"a": few, "b": predictions()}))
    assert "- **Changed**: bccd is tested on 60 cells fewer." in page
    assert "**a** is tested on other cells than at the base: 0 more and 60 fewer." in " ".join(page.split())
    assert "tested on other cells" not in page_of(found(base, {"a": few, "b": few}))


def test_metrics_that_changed_have_their_intervals_and_the_change() -> None:
    text = section(page_of(found({"a": predictions(wrong=[1])}, {"a": predictions()})), "Metrics")
    assert "| accuracy         | 0.988 (0.933 to 0.998) | 1.000 (0.954 to 1.000) | +0.0125 |" in text
    assert "cells" not in text


def test_a_new_model_has_no_metrics_at_the_base() -> None:
    page = page_of(found({}, {"a": predictions()}))
    assert "| a     | + new   |" in section(page, "Better or worse")
    assert "| accuracy         | none | 1.000 (0.954 to 1.000) |   |" in section(page, "Metrics")


def test_the_same_change_in_a_kept_run_is_shown_once() -> None:
    change = [Change("train.epochs", 40, 60), Change("models.x.weights", ABSENT, "imagenet")]
    text = section(page_of(parameters={"params.yaml": change, "locks/bccd/params.yaml": list(change)}), "Parameters")
    assert "| `train.epochs`     |   40 |         60 |" in text
    assert "| `models.x.weights` | none | `imagenet` |" in text
    assert text.endswith("The same in `locks/bccd/params.yaml`.")


def test_an_added_or_removed_parameter_file_is_one_line() -> None:
    added, removed = [Change(WHOLE, ABSENT, {"a": 1})], [Change(WHOLE, {"a": 1}, ABSENT)]
    page = page_of(parameters={"locks/x/params.yaml": added, "locks/y/params.yaml": removed})
    assert section(page, "Parameters") == "`locks/x/params.yaml` is new.\n\n`locks/y/params.yaml` is removed."
    assert "- **Changed**: `locks/x/params.yaml` is new; `locks/y/params.yaml` is removed.\n" in page


def test_an_added_model_is_shown_by_its_parameters() -> None:
    added = [Change("models.vgg.architecture", ABSENT, "vgg11"), Change("models.vgg.weights", ABSENT, "none")]
    page = page_of(parameters={"params.yaml": added, "locks/bccd/params.yaml": added[:1]})
    text = section(page, "Parameters")
    assert "| `models.vgg.weights`      | none |  `none` |" in text
    assert "is new" not in page
    first = " ".join(page.split())
    assert "**Changed**: `models.vgg.architecture` none → `vgg11`; `models.vgg.weights` none → `none`; 1 param" in first
    gone = section(page_of(parameters={"params.yaml": [Change("models.vgg.weights", "none", ABSENT)]}), "Parameters")
    assert "is removed" not in gone
    assert "`models.vgg.weights`" in gone


def test_added_removed_and_relabeled_cells() -> None:
    one = found({"a": predictions(numbers=range(10))}, {"a": predictions(numbers=range(1, 13), labels={4: 3}, fold=1)})
    page = page_of(one, pins={"data.dvc": [Change("md5", "1.dir", "2.dir")]})
    assert (
        "the pin `data.dvc`; bccd is tested on 3 cells more and 1 cell fewer and has 1 cell relabeled and "
        "9 cells in another fold."
    ) in page.replace("\n  ", " ")
    text = section(page, "Data")
    assert "| md5 | `1.dir` | `2.dir` |".replace("md5", "`md5`") in text
    assert (
        f"<summary>3 cells tested now and not before</summary>\n\n`{image(10)}`, `{image(11)}`, `{image(12)}`" in text
    )
    assert f"| `{image(4)}` | `eosinophil` | `neutrophil` |" in text
    assert "9 cells tested in another fold." in text


def test_what_new_labels_did_to_each_model() -> None:
    labels = dict.fromkeys((0, 4, 8), 1)  # eosinophils that become lymphocytes
    base = {"a": predictions(wrong=(0, 4)), "b": predictions()}  # a predicts lymphocyte for two of them
    head = {"a": predictions(labels=labels), "b": predictions(labels=labels, wrong=[8])}
    text = section(page_of(found(base, head)), "Better or worse")
    assert "| a     |           1 of 3 |           2 of 3 |           3 of 3 |" in text
    assert "| b     |           3 of 3 |           0 of 3 |           2 of 3 |" in text
    assert "the base's accuracy on the cells of both changes by a +1.2 and b −3.8 points." in " ".join(text.split())


def test_corrections_of_labels_are_listed_with_their_reader() -> None:
    changes = [
        LabelChange("<a>.jpg", "monocyte", "neutrophil", "AB", "lobes | three", "corrections/ab.csv"),
        LabelChange("b.jpg", "monocyte", "drop", "AB", "", "corrections/ab.csv"),
        LabelChange("c.jpg", "monocyte", "unsure", "AB", "", "corrections/ab.csv"),
    ]
    data = DataChange(corrections=tuple(changes[:1] + changes[2:]), withdrawn=tuple(changes[1:2]))
    page = page_of(DatasetReview("bccd", True, data=data))
    assert "**Changed**: bccd has 1 cell relabeled." in page
    text = section(page, "Data")
    assert "1 label corrected:\n\n| image " in text
    assert "| `<a>.jpg` | monocyte | neutrophil | AB     | lobes \\| three |" in text
    assert "Readers are unsure about 1 cell: `c.jpg`." in text
    assert "1 label no longer corrected:" in text


def test_other_classes_are_named() -> None:
    p = predictions()
    head = replace(predictions(confidence=0.8), classes=(*p.classes[:3], "basophil"))
    text = page_of(found({"a": p}, {"a": head}))
    assert "| a     | ? not comparable |" in text
    assert "The classes were eosinophil, lymphocyte, monocyte and neutrophil, and are now" in text


def test_dropped_rows_and_counts_are_changes_of_the_data() -> None:
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


def test_a_comment_has_no_pictures_and_is_cut_to_the_limit() -> None:
    short = page_of(found({}, {}, pictures=[Picture("a.png", "Accuracy")]))
    assert comment(short) == short.replace("![Accuracy](a.png)\n", "")
    flips = [Flip(image(n), "monocyte", "eosinophil" + "é" * (n % 7), "monocyte") for n in range(2000)]
    kinds = tuple(replace(flip, label=f"{flip.label}{n}") for n, flip in enumerate(flips))
    long = page_of(DatasetReview("bccd", True, [Verdict("a", Judgment.NOISE, fixed=kinds)]))
    text = comment(long)
    assert len(long.encode()) > 65536
    assert 59000 < len(text.encode()) < 60500
    kept, _, note = text.partition("\n</details>\n")
    assert long.startswith(kept)
    assert note.strip().startswith("**Cut here**")


def test_images_are_named_up_to_a_limit() -> None:
    text = page_of(found({"a": predictions(numbers=[0])}, {"a": predictions(numbers=range(80))}))
    assert f"`{image(50)}` and 29 more" in text.replace("\n", " ")
    assert image(51) not in text


def test_stale_stages_with_the_same_reason_are_listed_together() -> None:
    stale = [Stale(f"train@resnet-{fold}", ("stages/train.py", "parameters train")) for fold in range(5)]
    one = LockStatus("dvc.lock", "bccd", (*stale, Stale("compare", ())))
    text = section(page_of(found({}, {"a": predictions()}), locks=[one]), HEADINGS[5])
    assert text.splitlines()[2:] == [
        "- train (5 stages): stages/train.py, parameters train",
        "- compare: because of those above",
    ]
    other = section(page_of(locks=[LockStatus("dvc.lock", "", failure="dvc.yaml is_invalid")]), HEADINGS[5])
    assert other == "**unknown** (`dvc.lock`): DVC can't tell: dvc.yaml is_invalid"


def test_names_of_stages_stay_text() -> None:
    name = "<h1>Approved</h1> ![x](https://elsewhere/x.png)"
    code = [CodeChange("stages/a.py", 1, 1, (name,))]
    page = page_of(code=code, locks=[LockStatus("dvc.lock", "bccd", (Stale(name, ()),))])
    assert page.replace("\n  ", " ").count(r"\<h1>Approved\</h1> !\[x](https://elsewhere/x.png)") == 3
    assert "<h1>Approved" not in web_page(page, {})


def test_results_without_a_lock() -> None:
    review = replace(EMPTY, datasets=[found({}, {"a": predictions()})], locks=[LockStatus("dvc.lock", "rendered")])
    page = markdown(review)
    text = section(page, HEADINGS[5])
    assert (
        text
        == "**rendered** (`dvc.lock`): yes.\n\nNo lock file belongs to bccd: it is unknown what made those results."
    )
    assert "- **No lock**: no lock file belongs to the results of `bccd`.\n" in page
    assert "Up to date" not in page
    (why,) = failures(review, 0.8, ("stale",))
    assert why.startswith("no lock file belongs to the results of bccd, so")
    gone = replace(review, datasets=[found({"a": predictions()}, {})])
    assert failures(gone, 0.8, ("stale",)) == []
    assert "**Up to date**" in markdown(gone)


def test_missing_results_are_named_and_nothing_is_called_up_to_date() -> None:
    lost = tuple(f"plots/rendered/{name}.csv" for name in "abcdefg")
    review = replace(EMPTY, locks=[LockStatus("dvc.lock", "rendered", missing=lost)])
    page = " ".join(markdown(review).split())
    assert "**Missing**: of the committed results of `rendered`: `plots/rendered/a.csv`" in page
    assert "`plots/rendered/c.csv` and 4 more." in page
    assert "Up to date" not in page
    assert "**missing**, although git should have them: `plots/rendered/a.csv`" in page
    (why,) = failures(review, 0.8, ("stale",))
    assert "plots/rendered/e.csv and 2 more: restore them from the base, or run `dvc repro`, and commit" in why


def test_a_kept_run_names_its_commit_and_its_changed_results() -> None:
    default, lock = LockStatus("dvc.lock", "rendered"), "locks/bccd/dvc.lock"
    page = markdown(replace(EMPTY, locks=[default, LockStatus(lock, "bccd", made_by="0f08bb0")]))
    assert "- **Kept run**: the committed results of `bccd` were made by commit `0f08bb0`." in page
    assert "a kept run, made by commit `0f08bb0`. Its code may be older." in " ".join(page.split())
    review = replace(
        EMPTY, locks=[default, LockStatus(lock, "bccd", (Stale("compare", ("x.csv",)),), made_by="0f08bb0")]
    )
    page = markdown(review)
    assert "- **Stale**: the committed results of `bccd` don't belong to the lock file of" in page
    assert "**no**. Results of these stages were changed:\n\n- compare: x.csv" in page
    (why,) = failures(review, 0.8, ("stale",))
    assert why.startswith(
        "the committed results of bccd don't belong to the lock file of their run (locks/bccd/dvc.lock)"
    )


def test_what_dvc_cannot_tell_is_not_called_stale() -> None:
    failed = LockStatus("dvc.lock", "rendered", failure="dvc.yaml is invalid")
    review = replace(EMPTY, locks=[failed])
    page = " ".join(markdown(review).split())
    assert "**Unknown**: DVC can't tell whether the committed results of `rendered` belong to this code." in page
    assert "Stale" not in page
    assert "Up to date" not in page
    assert failures(review, 0.8, ("stale",)) == [
        "DVC can't tell whether the committed results of rendered belong to this code (dvc.lock): dvc.yaml is invalid"
    ]


def test_missing_checks_fail() -> None:
    path = "plots/bccd/report/checks.csv"
    passed = Results(checks=(RunCheck("copies", "0", "0", True),))
    broken = Results(unreadable={path: f"head: {path} is not a table: run `dvc repro`"})
    for base, head, why in (
        (
            passed,
            Results(),
            f"bccd: it is unknown whether the checks passed: {path} has no checks",
        ),
        (broken, Results(), f"{path} has no checks, and had some at the base: run `dvc repro`, and commit it"),
        (Results(), broken, f"head: {path} is not a table: run `dvc repro`"),
        (Results(), Results(), ""),
        (Results(), passed, ""),
    ):
        before, after = (Snapshot({}, {}, {"bccd": results}, {}) for results in (base, head))
        one = compare(before, after, resamples=500, seed=1)
        review = replace(EMPTY, datasets=one)
        assert failures(review, 0.8, ()) == []
        text = failures(review, 0.8, ("checks",))
        assert (len(text), why in "".join(text)) == (bool(why), True)
        page = " ".join(markdown(review).split())
        assert ("**Checks**: unknown for bccd." in page) == bool(why)
        assert path in page or not why


def test_checks() -> None:
    checks = [RunCheck("copies on two sides", "2", "0", False), RunCheck("pairs", "0", "0", True)]
    text = section(page_of(found({}, {}, checks=checks)), "Checks")
    assert text == "**bccd**: 1 of 2 **failed**:\n\n- copies on two sides: found 2, allowed 0"
    assert "<summary>bccd: all 1 passed</summary>" in page_of(found({}, {}, checks=checks[1:]))


def test_pictures_are_linked() -> None:
    text = section(page_of(found({}, {}, pictures=[Picture("a.png", "Accuracy_")])), "Pictures")
    assert text == "![Accuracy\\_](a.png)"


def test_lines_fit_a_terminal_and_folds_and_tables_render() -> None:
    base = {model: predictions(wrong=range(20)) for model in ("resnet", "efficientnet", "alexnet")}
    head = {model: predictions(wrong=range(10, 50)) for model in base}
    page = page_of(
        found(base, head),
        parameters={"params.yaml": [Change(f"train.a{number}", number, 0.5) for number in range(20)]},
        code=[CodeChange(f"bloodcells/{number}.py", 1, 2, ("clean",)) for number in range(20)],
        locks=[LockStatus("dvc.lock", "bccd", (Stale("train", tuple(f"bloodcells/{n}.py" for n in range(20))),))],
        failures=["resnet on bccd got worse, and a reason may be as long as a reason has to be to be understood"],
    )
    assert max(len(line) for line in page.splitlines() if not line.startswith("<details>")) <= 80
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(page)
    assert html.count("<details>") == html.count("</details>") == 5  # three models, their files, and the files of code
    assert html.count("<table>") == 1 + 1 + 3 + 1
    assert "|" not in html


@pytest.mark.parametrize(
    ("judgment", "interval", "requested", "expected"),
    [
        (Judgment.WORSE, (0.9, 1.0), (), None),
        (Judgment.WORSE, (0.9, 1.0), ("worse",), "a on bccd got worse"),
        (Judgment.NOISE, (0.9, 1.0), ("worse",), None),
        (Judgment.BETTER, (0.79, 0.9), (), "0.790, below 0.8"),
        (Judgment.BETTER, (0.79996, 0.9), (), "0.79996, below 0.8"),
        (Judgment.BETTER, (0.8, 0.9), (), None),
        (Judgment.REMOVED, None, (), None),
        (Judgment.UNCOMPARABLE, None, (), "its predictions can't be read"),
    ],
)
def test_why_a_review_fails(
    judgment: Judgment, interval: tuple[float, float] | None, requested: tuple[str, ...], expected: str | None
) -> None:
    one = DatasetReview("bccd", True, [Verdict("a", judgment, interval=interval)])
    why = failures(replace(EMPTY, datasets=[one]), 0.8, requested)
    assert (len(why), expected in "".join(why)) == (1, True) if expected else why == []


def test_stale_results_and_failed_checks_fail_if_requested() -> None:
    one = DatasetReview("bccd", True, checks=[RunCheck("copies", "1", "0", False)])
    review = replace(EMPTY, datasets=[one], locks=[LockStatus("dvc.lock", "bccd", (Stale("train", ()),))])
    assert failures(review, 0.8, ()) == []
    assert failures(review, 0.8, ("checks", "stale")) == [
        "bccd: a check failed: copies",
        "the committed results of bccd don't belong to this code (dvc.lock): "
        "run `dvc repro`, and commit dvc.lock, metrics/ and plots/",
    ]
    assert "no dvc.lock" in failures(EMPTY, 0.8, ("stale",))[0]
