import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics

from bloodcells.evaluation.selective_prediction import answers, risk_coverage
from bloodcells.inference import selective as abstention
from bloodcells.inference.predictions import Predictions, predictions
from bloodcells.inference.selective import NEVER, Rule, cells_needed, confidence, fit_threshold, rules_by_fold
from bloodcells.inference.temperature import temperature_scaled, fit_temperature


def made_up(cells: int = 120, seed: int = 0) -> Predictions:
    random = np.random.default_rng(seed)
    chances = random.dirichlet(np.full(4, 0.3), cells)
    actual = [random.choice(4, p=row) for row in chances]
    return predictions([f"{i}.jpg" for i in range(cells)], np.arange(cells) % 3, actual, chances)


def test_the_threshold_is_the_smallest_that_keeps_the_risk() -> None:
    confidence = [0.95, 0.9, 0.8, 0.7, 0.6]
    right = [True, True, False, True, False]
    assert fit_threshold(confidence, right, risk=0.05) == 0.8001  # 2 answers, none wrong
    assert fit_threshold(confidence, right, risk=0.25) == 0.6001  # 4, one wrong: just that share
    assert fit_threshold(confidence, right, risk=0.24) == 0.8001
    assert fit_threshold(confidence, right, risk=0.3) == 0.6001


def test_many_cells_must_show_the_risk_and_no_smaller_threshold_would() -> None:
    random = np.random.default_rng(1)
    confidence = random.uniform(0.3, 1, 400)
    right = random.random(400) < np.sqrt(confidence)

    def upper_bound(threshold: float) -> float:
        found = answers(confidence, right, threshold)
        # one-sided with 90 % is two-sided with 80 %
        return float(binomtest(found.wrong, found.answered).proportion_ci(0.8).high)

    found = fit_threshold(confidence, right, risk=0.1)
    assert 0.3 < found < 0.99
    assert upper_bound(found) <= 0.1
    assert min(upper_bound(threshold) for threshold in np.linspace(0, found - 1e-4, 300)) > 0.1


def test_it_takes_so_many_answers_to_show_a_risk() -> None:
    assert cells_needed(0.05) == 45  # 0.95^45 = 0.0994 and 0.95^44 = 0.1047
    sure = np.full(45, 0.9)
    assert fit_threshold(sure, np.ones(45, bool), risk=0.05) == 0
    assert fit_threshold(sure, np.arange(45) > 0, risk=0.05) == NEVER  # one wrong of 45 may well be 10 % of all
    assert fit_threshold(sure[1:], np.arange(44) > 0, risk=0.05) == 0  # fewer can't show it: the mere share counts


def test_on_other_cells_the_risk_is_kept_nine_times_in_ten() -> None:
    random = np.random.default_rng(3)
    kept = 0
    for _ in range(200):
        confidence = np.where(random.random(150) < 0.7, 0.9, 0.5)  # two groups: so one threshold of any use
        right = random.random(150) < np.where(confidence > 0.7, 0.97, 0.6)
        threshold = fit_threshold(confidence, right, risk=0.05)
        true_risk = 0.0 if threshold > 0.9 else 0.03 if threshold > 0.5 else 0.3 * 0.4 + 0.7 * 0.03
        kept += true_risk <= 0.05
    assert kept >= 180


def test_where_no_threshold_keeps_the_risk_nothing_is_answered() -> None:
    found = fit_threshold([1.0, 0.9], [False, True], risk=0.1)
    assert found == NEVER
    assert answers([1.0, 0.9], [False, True], found).answered == 0
    assert fit_threshold([], [], risk=0.1) == NEVER


def test_answers_count_coverage_and_risk_with_their_intervals() -> None:
    found = answers([0.9, 0.8, 0.8, 0.4], [True, False, True, False], 0.8)
    assert (found.cells, found.answered, found.wrong) == (4, 3, 1)
    assert (found.coverage, found.risk) == (3 / 4, 1 / 3)
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    assert abstention.Answers(300, 263, 81).risk_interval == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert abstention.Answers(148, 15, 0).coverage_interval == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert answers([0.9, 0.8], [True, False], np.array([0.95, 0.5])) == abstention.Answers(2, 1, 1)
    none = answers([0.5], [True], 0.6)
    assert (none.coverage, none.risk, none.risk_interval) == (0, None, None)


def test_the_curve_of_risk_and_coverage_is_that_of_precision_and_of_every_threshold() -> None:
    random = np.random.default_rng(2)
    confidence = np.round(random.uniform(0.3, 1, 60), 1)  # many are equal
    right = random.random(60) < confidence
    coverage, risk = risk_coverage(confidence, right)
    precision, _, thresholds = metrics.precision_recall_curve(right, confidence)
    assert (1 - risk)[::-1] == pytest.approx(precision[:-1])
    assert coverage[::-1] == pytest.approx([(confidence >= threshold).mean() for threshold in thresholds])
    assert coverage[-1] == 1


def test_a_rule_is_the_threshold_of_cooled_probabilities() -> None:
    p = made_up()
    rule = Rule.fit(p, risk=0.2)
    assert rule.temperature == fit_temperature(p.probabilities, p.actual)
    sure = temperature_scaled(p.probabilities, rule.temperature).max(axis=1).round(4)
    assert rule.threshold == fit_threshold(sure, p.predicted == p.actual, 0.2)
    assert 0.3 < rule.threshold < 1


def test_a_wrong_answer_just_below_the_threshold_stays_below_when_it_is_rounded() -> None:
    # 0.89996 is shown as 0.9000: a threshold of 0.9 would let it in again.
    chances = np.array([[0.95, 0.05, 0, 0], [0.95, 0.05, 0, 0], [0.89996, 0.10004, 0, 0]])
    sure = confidence(chances)
    assert sure[2] == 0.9
    threshold = fit_threshold(sure, [True, True, False], risk=0.1)
    assert (sure >= threshold).tolist() == [True, True, False]


def test_the_rule_of_a_fold_knows_no_label_of_its_cells() -> None:
    p = made_up()
    homes = (np.arange(120) + 1) % 3
    rules = rules_by_fold(p, homes, [0, 1, 2], risk=0.1)
    relabelled = predictions(p.images, p.folds, np.where(homes == 1, (p.actual + 1) % 4, p.actual), p.probabilities)
    again = rules_by_fold(relabelled, homes, [0, 1, 2], risk=0.1)
    assert again[1] == rules[1]
    assert again[0] != rules[0]
    assert len({*rules.values()}) == 3


def test_a_fold_that_leaves_no_cell_to_fit_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs cells"):
        rules_by_fold(made_up(), np.zeros(120), [0], risk=0.1)
