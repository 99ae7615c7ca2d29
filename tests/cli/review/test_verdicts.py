import pytest
from scipy.stats import binomtest
from tests.cli.review.committed import CELLS, image, said

from bloodcells.cli.review.verdicts import Flip, Judgement, Verdict, moved, verdicts
from bloodcells.inference.predictions import Predictions

ORDER = ("resnet", "efficientnet", "alexnet")


def judge(
    base: dict[str, Predictions], head: dict[str, Predictions], unreadable: tuple[str, ...] = ()
) -> list[Verdict]:
    return verdicts(base, head, frozenset(unreadable), ORDER, resamples=500, seed=1)


def judgement(base: Predictions, head: Predictions) -> Judgement:
    return judge({"resnet": base}, {"resnet": head})[0].judgement


def test_better_worse_and_within_noise() -> None:
    assert judgement(said(wrong=range(10)), said()) is Judgement.BETTER
    assert judgement(said(), said(wrong=range(10))) is Judgement.WORSE
    assert judgement(said(wrong=range(10)), said(wrong=range(5, 15))) is Judgement.NOISE
    assert judgement(said(wrong=range(5)), said()) is Judgement.NOISE  # p = 1/16


def test_six_cells_to_none_are_the_fewest_that_show_a_difference() -> None:
    assert binomtest(0, 6).pvalue < 0.05 < binomtest(0, 5).pvalue
    assert judgement(said(wrong=range(6)), said()) is Judgement.BETTER


def test_holm_corrects_over_the_models_whose_predictions_changed_and_no_others() -> None:
    base = {"resnet": said(wrong=range(6)), "efficientnet": said(), "alexnet": said()}
    alone = judge(base, base | {"resnet": said()})
    assert [one.judgement for one in alone] == [Judgement.BETTER, Judgement.SAME, Judgement.SAME]
    together = judge(base, base | {"resnet": said(), "efficientnet": said(wrong=[1])})
    assert [one.judgement for one in together] == [Judgement.NOISE, Judgement.NOISE, Judgement.SAME]
    assert together[0].compared and together[0].compared.p == pytest.approx(2 * binomtest(0, 6).pvalue)


def test_flipped_cells_are_named_with_what_was_and_is_said() -> None:
    (verdict,) = judge({"resnet": said(wrong=[4, 8])}, {"resnet": said(wrong=[8, 3])})
    assert verdict.fixed == (Flip(image(4), "eosinophil", "lymphocyte", "eosinophil"),)
    assert verdict.broken == (Flip(image(3), "neutrophil", "neutrophil", "eosinophil"),)
    assert verdict.compared
    assert (verdict.compared.a_only, verdict.compared.b_only, verdict.compared.difference) == (1, 1, 0)


def test_only_cells_that_both_predicted_count() -> None:
    base, head = said(wrong=range(10), numbers=range(50)), said(numbers=range(20, 80))
    (verdict,) = judge({"resnet": base}, {"resnet": head})
    assert verdict.compared and verdict.compared.cells == 30
    assert verdict.judgement is Judgement.SAME
    assert verdict.interval is not None  # that of all cells of the head
    assert judgement(said(numbers=range(10)), said(numbers=range(10, 20))) is Judgement.UNCOMPARABLE


def test_relabelled_cells_are_left_out_and_counted() -> None:
    relabelled = dict.fromkeys(range(0, 40, 4), 3)
    (verdict,) = judge({"resnet": said(wrong=range(0, 40, 4))}, {"resnet": said(labels=relabelled)})
    assert verdict.relabelled == 10
    assert verdict.judgement is Judgement.SAME
    assert verdict.compared and verdict.compared.cells == CELLS - 10


def test_models_that_come_go_or_cannot_be_read_and_their_order() -> None:
    p = said()
    judged = judge({"old": p, "alexnet": p}, {"new": p, "alexnet": p}, unreadable=("broken",))
    assert [(one.model, one.judgement) for one in judged] == [
        ("alexnet", Judgement.SAME),
        ("broken", Judgement.UNCOMPARABLE),
        ("new", Judgement.NEW),
        ("old", Judgement.GONE),
    ]
    assert judged[1].interval is None


def test_a_table_that_cannot_be_read_on_one_side_is_never_called_new() -> None:
    (verdict,) = judge({}, {"resnet": said()}, unreadable=("resnet",))
    assert verdict.judgement is Judgement.UNCOMPARABLE
    assert verdict.interval is not None


def test_the_largest_move_of_a_probability_on_shared_cells() -> None:
    assert moved(said(sure=0.7), said(sure=0.8, numbers=range(5))) == pytest.approx(0.1)
    assert moved(said(numbers=[1]), said(numbers=[2], sure=0.9)) == 0
