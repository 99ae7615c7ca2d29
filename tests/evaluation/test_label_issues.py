import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from bloodcells.core.errors import InputError
from bloodcells.evaluation.label_issues import columns, confidently_against, doubts, margins, table, twins
from bloodcells.inference.predictions import Predictions, predictions


def mislabelled() -> tuple[Predictions, list[int]]:
    """Make 60 cells whose class has more than half of the probability, nine of them under another label."""
    rng = np.random.default_rng(7)
    truth = rng.integers(0, 4, 60)
    chances = rng.dirichlet(np.ones(4), 60).round(3) * 0.5
    chances[np.arange(60), truth] += 0.5
    chances /= chances.sum(axis=1, keepdims=True)
    labels = truth.copy()
    wrong = rng.choice(60, 9, replace=False)
    labels[wrong] = (labels[wrong] + 1) % 4
    return predictions([f"{i}.jpg" for i in range(60)], np.arange(60) % 5, labels, chances), sorted(wrong.tolist())


def test_margins_and_confident_doubts_are_those_of_cleanlab() -> None:
    """As cleanlab 2.9.0 gives: 2 get_label_quality_scores(…, method="normalized_margin") - 1, and
    find_label_issues(…, filter_by="confident_learning")."""
    p, _ = mislabelled()
    assert margins(p)[:6] == pytest.approx([0.2805, -0.727, 0.2034, 0.4155, 0.252, 0.472], abs=1e-4)
    assert np.flatnonzero(confidently_against(p)).tolist() == [1, 17, 21, 27, 41, 48, 55]


def test_a_class_without_a_cell_is_never_the_confident_one() -> None:
    p = predictions(["a", "b"], [0, 0], [0, 0], [[0.4, 0.6, 0, 0], [0.9, 0.1, 0, 0]])
    assert confidently_against(p).tolist() == [False, False]


def test_planted_wrong_labels_come_first_and_the_true_class_is_suggested() -> None:
    p, wrong = mislabelled()
    rng = np.random.default_rng(1)
    models = {}
    for name in ("one", "two", "three"):  # each as sure in its own way
        chances = p.probabilities + rng.uniform(0, 0.3, p.probabilities.shape)
        models[name] = predictions(p.images, p.folds, p.actual, chances / chances.sum(axis=1, keepdims=True))
    found = doubts(models, {})
    first = found[: len(wrong)]
    assert sorted(int(doubt.image.removesuffix(".jpg")) for doubt in first) == wrong
    for doubt in first:
        row = p.images.index(doubt.image)
        assert doubt.label == p.classes[p.actual[row]]
        assert doubt.suggested == p.classes[(p.actual[row] - 1) % 4]
        assert doubt.fold == p.folds[row]


CHANCES = {  # of the label eosinophil and of three other classes, by three models
    "all against, mildly": ([0.45, 0.55, 0, 0], [0.45, 0.55, 0, 0], [0.4, 0.6, 0, 0]),
    "two against, strongly": ([0.05, 0.95, 0, 0], [0.05, 0, 0.95, 0], [0.55, 0.45, 0, 0]),
    "one against, strongly": ([0.01, 0.99, 0, 0], [0.6, 0.4, 0, 0], [0.6, 0.4, 0, 0]),
    "none against": ([0.9, 0.1, 0, 0], [0.9, 0.1, 0, 0], [0.9, 0.1, 0, 0]),
    "all against, strongly": ([0.1, 0, 0, 0.9], [0.1, 0, 0, 0.9], [0.1, 0, 0, 0.9]),
}


def three() -> dict[str, Predictions]:
    count = len(CHANCES)
    return {
        name: predictions([*CHANCES], np.zeros(count), np.zeros(count), [rows[i] for rows in CHANCES.values()])
        for i, name in enumerate(("one", "two", "three"))
    }


def test_agreement_of_the_models_comes_before_the_margin() -> None:
    found = doubts(three(), {})
    assert [doubt.image for doubt in found] == [
        "all against, strongly",
        "all against, mildly",
        "two against, strongly",
    ]
    assert [doubt.against for doubt in found] == [3, 3, 2]
    assert [doubt.suggested for doubt in found] == ["neutrophil", "lymphocyte", "lymphocyte"]
    strong, mild, _ = found
    assert strong.margin == pytest.approx(-0.8)
    assert mild.margin == pytest.approx((-0.1 - 0.1 - 0.2) / 3)
    assert mild.chances == (0.45, 0.45, 0.4)
    assert (strong.label_chance, strong.suggested_chance) == pytest.approx((0.1, 0.9))


def test_one_model_alone_doubts_what_it_calls_otherwise() -> None:
    found = doubts({"one": three()["one"]}, {})
    assert {doubt.image for doubt in found} == {*CHANCES} - {"none against"}


def test_a_cell_under_two_labels_is_in_doubt_even_where_the_models_agree() -> None:
    found = doubts(three(), {"none against": "all against, strongly", "all against, strongly": "none against"})
    last = found[-1]
    assert (last.image, last.against, last.suggested) == ("none against", 0, "")
    assert (last.twin, last.twin_label) == ("all against, strongly", "eosinophil")
    assert found[0].twin == "none against"


def test_twins_are_alike_and_under_different_labels() -> None:
    p = predictions(["a", "b", "c", "d"], [0] * 4, [0, 1, 0, 2], np.full((4, 4), 0.25))
    alike: NDArray[np.float32] = np.eye(4, dtype=np.float32)
    for one, other, how in ((0, 1, 0.8), (0, 2, 0.99), (0, 3, 0.9), (1, 2, 0.7)):
        alike[one, other] = alike[other, one] = how
    assert twins(p, alike, 0.75) == {"a": "d", "b": "a", "d": "a"}


def test_models_tested_on_other_cells_are_refused() -> None:
    models = three()
    models["two"] = dataclasses.replace(models["two"], actual=models["two"].actual + 1)
    with pytest.raises(InputError, match="two was tested on other cells than one"):
        doubts(models, {})


def test_the_table_has_a_column_per_model_and_rounded_figures() -> None:
    models = three()
    rows = table(doubts(models, {}))
    head = columns(list(models))
    assert all(len(row) == len(head) for row in rows)
    mild = dict(zip(head, rows[1], strict=True))
    assert mild["rank"] == 2
    assert mild["margin"] == -0.1333
    assert mild["self_confidence"] == 0.4333
    assert (mild["one"], mild["three"]) == (0.45, 0.4)
    assert mild["twin"] == ""
