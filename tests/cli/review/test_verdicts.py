from dataclasses import replace

import pytest
from scipy.stats import binomtest

from bloodcells.cli.review.verdicts import Flip, Judgment, Verdict, moved, verdicts
from bloodcells.inference.predictions import Predictions
from tests.cli.review.committed import CELLS, image, predictions

ORDER = ("resnet", "efficientnet", "alexnet")


def judge(
    base: dict[str, Predictions], head: dict[str, Predictions], unreadable: tuple[str, ...] = ()
) -> list[Verdict]:
    return verdicts(base, head, frozenset(unreadable), ORDER, resamples=500, seed=1)


def judgment(base: Predictions, head: Predictions) -> Judgment:
    return judge({"resnet": base}, {"resnet": head})[0].judgment


def test_better_worse_and_within_noise() -> None:
    assert judgment(predictions(wrong=range(10)), predictions()) is Judgment.BETTER
    assert judgment(predictions(), predictions(wrong=range(10))) is Judgment.WORSE
    assert judgment(predictions(wrong=range(10)), predictions(wrong=range(5, 15))) is Judgment.NOISE
    assert judgment(predictions(wrong=range(5)), predictions()) is Judgment.NOISE  # p = 1/16


def test_cells_of_one_patient_count_together() -> None:
    """Ten cells more are correct, but all of them are of two patients."""
    base, head = {"resnet": predictions(wrong=range(10))}, {"resnet": predictions()}
    groups = {image(number): str(number // 5) for number in range(CELLS)}
    (cells,), (patients,) = judge(base, head), verdicts(base, head, frozenset(), ORDER, 500, 1, groups)
    assert (cells.judgment, patients.judgment) == (Judgment.BETTER, Judgment.NOISE)
    assert patients.compared and patients.compared.groups == 16
    assert patients.compared.p == pytest.approx(0.5)
    assert cells.interval and patients.interval and patients.interval[0] < cells.interval[0]


def test_six_cells_to_none_are_the_fewest_that_are_significant() -> None:
    assert binomtest(0, 6).pvalue < 0.05 < binomtest(0, 5).pvalue
    assert judgment(predictions(wrong=range(6)), predictions()) is Judgment.BETTER


def test_holm_corrects_for_the_models_whose_predictions_changed() -> None:
    base = {"resnet": predictions(wrong=range(6)), "efficientnet": predictions(), "alexnet": predictions()}
    alone = judge(base, base | {"resnet": predictions()})
    assert [one.judgment for one in alone] == [Judgment.BETTER, Judgment.SAME, Judgment.SAME]
    together = judge(base, base | {"resnet": predictions(), "efficientnet": predictions(wrong=[1])})
    assert [one.judgment for one in together] == [Judgment.NOISE, Judgment.NOISE, Judgment.SAME]
    assert together[0].compared and together[0].compared.p == pytest.approx(2 * binomtest(0, 6).pvalue)


def test_flipped_cells_are_named_with_both_predictions() -> None:
    (verdict,) = judge({"resnet": predictions(wrong=[4, 8])}, {"resnet": predictions(wrong=[8, 3])})
    assert verdict.fixed == (Flip(image(4), "eosinophil", "lymphocyte", "eosinophil"),)
    assert verdict.broken == (Flip(image(3), "neutrophil", "neutrophil", "eosinophil"),)
    assert verdict.compared
    assert (verdict.compared.only_first, verdict.compared.only_second, verdict.compared.difference) == (1, 1, 0)


def test_only_cells_that_both_predicted_count() -> None:
    base, head = predictions(wrong=range(10), numbers=range(50)), predictions(numbers=range(20, 80))
    (verdict,) = judge({"resnet": base}, {"resnet": head})
    assert verdict.compared and verdict.compared.cells == 30
    assert verdict.judgment is Judgment.SAME
    assert verdict.interval is not None  # that of all cells of the head
    assert judgment(predictions(numbers=range(10)), predictions(numbers=range(10, 20))) is Judgment.UNCOMPARABLE


def test_relabeled_cells_are_left_out_and_counted() -> None:
    relabeled = dict.fromkeys(range(0, 40, 4), 3)
    (verdict,) = judge({"resnet": predictions(wrong=range(0, 40, 4))}, {"resnet": predictions(labels=relabeled)})
    assert verdict.relabeled == 10
    assert verdict.judgment is Judgment.SAME
    assert verdict.compared and verdict.compared.cells == CELLS - 10
    # the base predicts lymphocyte for these eosinophils; for the head, they are neutrophils, as it predicts
    assert verdict.relabeled_correct == (0, 0, 10)
    seen = predictions(wrong=range(3, 40, 4))  # it predicts eosinophil for neutrophils
    (verdict,) = judge({"resnet": seen}, {"resnet": predictions(labels=dict.fromkeys(range(3, 40, 4), 0))})
    assert verdict.relabeled_correct == (0, 10, 10)


def test_models_of_other_classes_are_not_compared() -> None:
    base, head = predictions(), replace(predictions(), classes=("basophil", *predictions().classes[1:]))
    assert judgment(base, head) is Judgment.UNCOMPARABLE


def test_models_that_are_new_removed_or_unreadable_and_their_order() -> None:
    p = predictions()
    judged = judge({"old": p, "alexnet": p}, {"new": p, "alexnet": p}, unreadable=("broken",))
    assert [(one.model, one.judgment) for one in judged] == [
        ("alexnet", Judgment.SAME),
        ("broken", Judgment.UNCOMPARABLE),
        ("new", Judgment.NEW),
        ("old", Judgment.REMOVED),
    ]
    assert judged[1].interval is None


def test_a_model_with_an_unreadable_table_is_never_called_new() -> None:
    (verdict,) = judge({}, {"resnet": predictions()}, unreadable=("resnet",))
    assert verdict.judgment is Judgment.UNCOMPARABLE
    assert verdict.interval is not None


def test_the_largest_change_of_a_probability_on_shared_cells() -> None:
    assert moved(predictions(confidence=0.7), predictions(confidence=0.8, numbers=range(5))) == pytest.approx(0.1)
    assert moved(predictions(numbers=[1]), predictions(numbers=[2], confidence=0.9)) == 0
