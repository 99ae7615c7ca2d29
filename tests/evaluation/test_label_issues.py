import dataclasses

import numpy as np
import pytest

from bloodcells.core.errors import InputError
from bloodcells.evaluation.label_issues import contradicting_duplicates, label_issues
from bloodcells.inference.predictions import Predictions
from tests.support.smallset import CLASSES

SHIFT = 1  # a planted label is the next class after the true one


def mislabeled() -> tuple[Predictions, list[int]]:
    """Make 60 cells whose true class has more than half of the probability, nine of them with another label."""
    random = np.random.default_rng(7)
    truth = random.integers(0, 4, 60)
    probabilities = random.dirichlet(np.ones(4), 60).round(3) * 0.5
    probabilities[np.arange(60), truth] += 0.5
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = truth.copy()
    wrong = random.choice(60, 9, replace=False)
    labels[wrong] = (labels[wrong] + SHIFT) % 4
    images = [f"{i}.jpg" for i in range(60)]
    p = Predictions.from_probabilities(images, np.arange(60) % 5, labels, probabilities, CLASSES)
    return p, sorted(wrong.tolist())


def test_planted_wrong_labels_come_first_with_the_true_class() -> None:
    p, wrong = mislabeled()
    random = np.random.default_rng(1)
    models = {}
    for name in ("one", "two", "three"):  # each with probabilities of its own
        probabilities = p.probabilities + random.uniform(0, 0.3, p.probabilities.shape)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        models[name] = Predictions.from_probabilities(p.images, p.folds, p.actual, probabilities, CLASSES)
    first = label_issues(models, {}).head(len(wrong))
    assert sorted(int(image.removesuffix(".jpg")) for image in first["image"]) == wrong
    assert first["rank"].tolist() == list(range(1, 10))
    for row in first.itertuples():
        cell = p.images.index(row.image)
        assert row.label == p.classes[p.actual[cell]]
        assert row.predicted_label == p.classes[(p.actual[cell] - SHIFT) % 4]
        assert row.fold == p.folds[cell]


def test_label_quality_is_the_normalized_margin() -> None:
    """It is (1 + probability of the label - largest other probability) / 2, the mean over the models."""
    p, wrong = mislabeled()
    found = label_issues({"one": p}, {}).set_index("image")
    for cell in wrong:
        label = p.probabilities[cell, p.actual[cell]]
        other = np.delete(p.probabilities[cell], p.actual[cell]).max()
        assert found.label_quality[f"{cell}.jpg"] == pytest.approx((1 + label - other) / 2)
        assert found.self_confidence[f"{cell}.jpg"] == label
    assert found["label_quality"].is_monotonic_increasing


def confidently_contradicted(p: Predictions) -> set[str]:
    """Return the cells that confident learning flags, by its definition.

    A class is confident if its probability reaches the mean probability that cells with this label give it; the most
    probable confident class of a flagged cell is not its label (Northcutt et al. 2021, section 3.1).
    """
    thresholds = np.array([p.probabilities[p.actual == k, k].mean() for k in range(4)])
    confident = np.where(p.probabilities >= thresholds, p.probabilities, -1)
    flagged = (confident.max(axis=1) > 0) & (confident.argmax(axis=1) != p.actual)
    return {p.images[cell] for cell in np.flatnonzero(flagged)}


def test_models_that_flag_a_label_by_confident_learning_are_counted() -> None:
    p, _ = mislabeled()
    found = label_issues({"one": p, "two": p}, {}).set_index("image")
    expected = confidently_contradicted(p)
    assert 0 < len(expected) < len(found)
    assert set(found.index[found["n_models_flagging"] == 2]) == expected
    assert set(found["n_models_flagging"]) == {0, 2}


def test_a_class_without_cells_is_never_the_confident_one() -> None:
    probabilities = [[0.4, 0.6, 0, 0], [0.9, 0.1, 0, 0], [0, 0, 0.9, 0.1]]
    p = Predictions.from_probabilities(["a", "b", "c"], [0] * 3, [0, 0, 2], probabilities, CLASSES)
    found = label_issues({"one": p}, {})
    assert (found["image"].tolist(), found["n_models_flagging"].tolist()) == (["a"], [0])
    alone = label_issues({"one": p.select(np.arange(2))}, {})  # one class only
    assert (alone["image"].tolist(), alone["n_models_flagging"].tolist()) == (["a"], [0])


PROBABILITIES = {  # three models' for the label eosinophil and the three other classes
    "all contradict, mildly": ([0.45, 0.55, 0, 0], [0.45, 0.55, 0, 0], [0.4, 0.6, 0, 0]),
    "two contradict, strongly": ([0.05, 0.95, 0, 0], [0.05, 0, 0.95, 0], [0.55, 0.45, 0, 0]),
    "one contradicts, strongly": ([0.01, 0.99, 0, 0], [0.6, 0.4, 0, 0], [0.6, 0.4, 0, 0]),
    "none contradicts": ([0.9, 0.1, 0, 0], [0.9, 0.1, 0, 0], [0.9, 0.1, 0, 0]),
    "all contradict, strongly": ([0.1, 0, 0, 0.9], [0.1, 0, 0, 0.9], [0.1, 0, 0, 0.9]),
}


def three_models() -> dict[str, Predictions]:
    count = np.zeros(len(PROBABILITIES))
    return {
        name: Predictions.from_probabilities(
            [*PROBABILITIES], count, count, [rows[i] for rows in PROBABILITIES.values()], CLASSES
        )
        for i, name in enumerate(("one", "two", "three"))
    }


def test_the_number_of_models_comes_before_the_label_quality() -> None:
    found = label_issues(three_models(), {})
    assert found["image"].tolist() == ["all contradict, strongly", "all contradict, mildly", "two contradict, strongly"]
    assert found["n_models_disagreeing"].tolist() == [3, 3, 2]
    assert found["predicted_label"].tolist() == ["neutrophil", "lymphocyte", "lymphocyte"]
    mild = found.iloc[1]
    assert mild.label_quality == pytest.approx(((1 - 0.1) + (1 - 0.1) + (1 - 0.2)) / 6)
    assert mild.self_confidence == pytest.approx(1.3 / 3)
    assert (mild.self_confidence_one, mild.self_confidence_two, mild.self_confidence_three) == (0.45, 0.45, 0.4)


def test_one_model_lists_what_it_predicts_otherwise() -> None:
    found = label_issues({"one": three_models()["one"]}, {})
    assert set(found["image"]) == {*PROBABILITIES} - {"none contradicts"}


def test_a_cell_with_two_labels_is_listed_even_if_no_model_contradicts_it() -> None:
    none, strong = "none contradicts", "all contradict, strongly"
    found = label_issues(three_models(), {none: strong, strong: none})
    last = found.iloc[-1]
    assert (last.image, last.n_models_disagreeing, last.predicted_label) == (none, 0, "")
    assert (last.near_duplicate, last.near_duplicate_label) == (strong, "eosinophil")
    assert found["near_duplicate"].tolist() == [none, "", "", strong]


def test_contradicting_duplicates_are_similar_and_labeled_differently() -> None:
    p = Predictions.from_probabilities(["a", "b", "c", "d"], [0] * 4, [0, 1, 0, 2], np.full((4, 4), 0.25), CLASSES)
    similarity = np.eye(4, dtype=np.float32)
    for one, other, value in ((0, 1, 0.8), (0, 2, 0.99), (0, 3, 0.9), (1, 2, 0.7)):
        similarity[one, other] = similarity[other, one] = value
    assert contradicting_duplicates(p, similarity, 0.75) == {"a": "d", "b": "a", "d": "a"}


def test_models_tested_on_other_cells_are_refused() -> None:
    models = three_models()
    models["two"] = dataclasses.replace(models["two"], actual=models["two"].actual + 1)
    with pytest.raises(InputError, match="two was tested on other cells than one"):
        label_issues(models, {})
