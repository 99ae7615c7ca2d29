import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics

from bloodcells.evaluation.bootstrap import (
    SCORES,
    Bootstrap,
    bootstrap,
    clustered_proportion,
    percentile_estimate,
    resample_counts,
)
from bloodcells.evaluation.intervals import expanded_tail

Indices = NDArray[np.int64]


def random_predictions(cells: int = 347, models: int = 3, seed: int = 3) -> tuple[Indices, Indices]:
    """Return cells in the proportions of the real data set, and models that are mostly correct and share errors."""
    random = np.random.default_rng(seed)
    actual = random.choice(4, cells, p=[0.25, 0.1, 0.06, 0.59])
    hard = random.random(cells) < 0.2
    shared = np.where(hard & (random.random(cells) < 0.8), random.integers(0, 4, cells), actual)
    wrong = random.random((models, cells)) < 0.1
    return actual, np.where(wrong, random.integers(0, 4, (models, cells)), np.array([shared] * models))


def one_class(correct: int, cells: int, resamples: int = 20_000) -> Bootstrap:
    return bootstrap(np.zeros(cells), np.where(np.arange(cells) < correct, 0, 1)[None], 2, resamples, seed=1)


def mean_specificity(actual: Indices, predicted: Indices) -> float:
    return float(np.mean([metrics.recall_score(actual != label, predicted != label) for label in range(4)]))


def test_scores_agree_with_scikit_learn() -> None:
    actual, predicted = random_predictions()
    drawn = bootstrap(actual, predicted, 4, 10, seed=1)
    for model, of_model in enumerate(predicted):
        for score, expected in (
            ("accuracy", metrics.accuracy_score(actual, of_model)),
            ("mean sensitivity", metrics.balanced_accuracy_score(actual, of_model)),
            ("mean specificity", mean_specificity(actual, of_model)),
            ("macro F1", metrics.f1_score(actual, of_model, average="macro")),
        ):
            assert drawn.score(score, model).value == pytest.approx(expected)
    first, _, second = (metrics.f1_score(actual, of_model, average="macro") for of_model in predicted)
    assert drawn.difference("macro F1", 0, 2).value == pytest.approx(second - first)


def test_a_class_without_cells_is_left_out_of_the_means() -> None:
    actual, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 1, 0])
    drawn = bootstrap(actual, predicted[None], 3, 10, seed=1)
    assert drawn.score("mean sensitivity", 0).value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert drawn.score("mean specificity", 0).value == pytest.approx((1 / 2 + 1 + 4 / 5) / 3)
    assert drawn.score("macro F1", 0).value == pytest.approx(
        metrics.f1_score(actual, predicted, average="macro", labels=[0, 1])
    )


@pytest.mark.parametrize("correct", [300, 170])
def test_within_one_class_the_interval_agrees_with_scipy(correct: int) -> None:
    hits = (np.arange(347) < correct).astype(float)
    of = stats.bootstrap((hits,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(7))
    drawn = one_class(correct, 347).score("accuracy", 0)
    assert (drawn.low, drawn.high) == pytest.approx(tuple(of.confidence_interval), abs=0.003)


def test_the_variance_of_mean_sensitivity_is_that_of_binomials() -> None:
    """It is the sum of p (1 - p) / n over the classes, divided by their number squared."""
    actual, predicted = random_predictions()
    drawn = bootstrap(actual, predicted, 4, 20_000, seed=1)
    support = np.bincount(actual, minlength=4)
    for model, of_model in enumerate(predicted):
        sensitivity = np.array([(of_model[actual == label] == label).mean() for label in range(4)])
        variance = (sensitivity * (1 - sensitivity) / support).sum() / 16
        resampled = SCORES["mean sensitivity"](drawn.resampled[:, model])
        assert resampled.var() == pytest.approx(variance, rel=0.05)


def test_the_variance_of_a_difference_is_that_of_paired_cells() -> None:
    """Within a class it is that of the differences of the cells, -1, 0 or 1: much less than for unpaired models."""
    actual, predicted = random_predictions()
    drawn = bootstrap(actual, predicted, 4, 20_000, seed=1)
    difference = (predicted[1] == actual).astype(float) - (predicted[0] == actual)
    within = sum(difference[actual == label].var() * (actual == label).sum() for label in range(4))
    variance = within / len(actual) ** 2
    accuracy = SCORES["accuracy"](drawn.resampled)
    assert (accuracy[:, 1] - accuracy[:, 0]).var() == pytest.approx(variance, rel=0.05)
    assert variance < 0.7 * (accuracy[:, 0].var() + accuracy[:, 1].var())


def test_intervals_agree_with_resampling_cell_by_cell() -> None:
    actual, predicted = random_predictions(cells=60)
    random = np.random.default_rng(5)
    places = [np.flatnonzero(actual == label) for label in range(4)]
    values = []
    for _ in range(4000):
        cells = np.concatenate([random.choice(place, len(place)) for place in places])
        wrong = predicted[:, cells] != actual[cells]
        # mean specificity by hand: predictions of a class that are wrong, out of all cells of the other classes
        specificity = [
            np.mean(
                [1 - (of_model & (predicted[model][cells] == c)).sum() / (actual[cells] != c).sum() for c in range(4)]
            )
            for model, of_model in enumerate(wrong)
        ]
        values.append(specificity[2] - specificity[0])
    of = bootstrap(actual, predicted, 4, 20_000, seed=1).difference("mean specificity", 0, 2)
    assert (of.low, of.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=0.006)


def test_each_resample_has_the_observed_class_counts() -> None:
    actual, predicted = random_predictions()
    drawn = bootstrap(actual, predicted, 4, 500, seed=1)
    assert drawn.resampled.shape == (500, 3, 4, 4)
    assert (drawn.resampled.sum(axis=-1) == np.bincount(actual)).all()
    assert len(np.unique(drawn.resampled.reshape(500, -1), axis=0)) == 500


def test_a_difference_is_0_for_one_model_and_changes_its_sign_with_the_order() -> None:
    actual, predicted = random_predictions()
    drawn = bootstrap(actual, predicted, 4, 2000, seed=1)
    same = drawn.difference("macro F1", 1, 1)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    forth, back = drawn.difference("macro F1", 0, 1), drawn.difference("macro F1", 1, 0)
    assert (back.value, back.low, back.high) == pytest.approx((-forth.value, -forth.high, -forth.low))


def test_resamples_depend_on_the_seed_and_not_on_the_order_of_the_cells() -> None:
    actual, predicted = random_predictions()
    first = bootstrap(actual, predicted, 4, 200, seed=1)
    reversed_cells = bootstrap(actual[::-1], predicted[:, ::-1], 4, 200, seed=1)
    assert (first.resampled == reversed_cells.resampled).all()
    assert not (first.resampled == bootstrap(actual, predicted, 4, 200, seed=2).resampled).all()


def test_ten_thousand_resamples_of_many_cells_need_little_memory() -> None:
    actual, predicted = (np.tile(cells, 100) for cells in random_predictions())
    tracemalloc.start()
    drawn = bootstrap(actual, predicted, 4, 10_000, seed=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(drawn.resampled) == 10_000
    assert peak < 10_000 * 34_700 / 10  # a tenth of a byte per cell and resample


def test_no_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="no cells"):
        bootstrap([], np.zeros((2, 0)), 4, 10, seed=1)


# ---- groups of cells


def test_resampled_groups_agree_with_resampling_them_one_by_one() -> None:
    random = np.random.default_rng(5)
    actual, predicted = random_predictions(cells=150)
    groups = random.integers(0, 25, 150)
    values = []
    for _ in range(3000):
        cells = np.concatenate([np.flatnonzero(groups == group) for group in random.integers(0, 25, 25)])
        classes = [actual[cells] == label for label in np.unique(actual[cells])]
        scores = [np.mean([(of[cells] == actual[cells])[of_class].mean() for of_class in classes]) for of in predicted]
        values.append(scores[2] - scores[0])
    of = bootstrap(actual, predicted, 4, 20_000, 1, groups).difference("mean sensitivity", 0, 2)
    tail = expanded_tail(np.bincount(groups))
    assert 0.01 < tail < 0.02
    assert (of.low, of.high) == pytest.approx(tuple(np.quantile(values, [tail, 1 - tail])), abs=0.012)


def test_the_observed_scores_do_not_depend_on_the_groups() -> None:
    actual, predicted = random_predictions()
    grouped = bootstrap(actual, predicted, 4, 10, 1, np.arange(347) // 20)
    assert (grouped.observed == bootstrap(actual, predicted, 4, 10, 1).observed).all()


def test_groups_of_equal_cells_make_the_interval_as_wide_as_that_of_one_cell_each() -> None:
    actual, predicted = random_predictions(cells=60)
    once = bootstrap(actual, predicted, 4, 500, 1, np.arange(60)).score("accuracy", 0)
    fivefold = bootstrap(
        np.repeat(actual, 5), np.repeat(predicted, 5, axis=1), 4, 500, 1, np.repeat(np.arange(60), 5)
    ).score("accuracy", 0)
    assert (fivefold.value, fivefold.low, fivefold.high) == pytest.approx((once.value, once.low, once.high))


def test_resampled_groups_depend_on_the_seed_and_not_on_the_order_of_the_cells() -> None:
    actual, predicted = random_predictions()
    groups = np.arange(347) % 30
    first = bootstrap(actual, predicted, 4, 50, 1, groups)
    backwards = bootstrap(actual[::-1], predicted[:, ::-1], 4, 50, 1, groups[::-1])
    assert (first.resampled == backwards.resampled).all()
    assert not (first.resampled == bootstrap(actual, predicted, 4, 50, 2, groups).resampled).all()


def test_a_single_group_tells_nothing_of_others() -> None:
    actual, predicted = random_predictions()
    drawn = bootstrap(actual, predicted, 4, 50, 1, np.zeros(347))
    score, difference = drawn.score("accuracy", 0), drawn.difference("accuracy", 0, 1)
    assert (score.low, score.high, difference.low, difference.high) == (0, 1, -1, 1)


def test_many_groups_need_little_memory() -> None:
    actual, predicted = (np.tile(cells, 100) for cells in random_predictions())
    tracemalloc.start()
    bootstrap(actual, predicted, 4, 1000, 1, np.arange(34_700) // 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150_000_000


# ---- clustered observations

STRATA = np.repeat([0, 1, 2], [30, 12, 8])


def test_each_stratum_keeps_its_size_and_the_first_row_is_the_observation() -> None:
    counts = resample_counts(STRATA, 200, seed=1)
    assert counts.shape == (201, 50)
    assert (counts[0] == 1).all()
    for stratum, size in enumerate((30, 12, 8)):
        assert (counts[:, stratum == STRATA].sum(axis=1) == size).all()
    assert (counts[1:].max(axis=1) > 1).all()


def test_counts_depend_on_the_seed() -> None:
    assert np.array_equal(resample_counts(STRATA, 20, seed=1), resample_counts(STRATA, 20, seed=1))
    assert not np.array_equal(resample_counts(STRATA, 20, seed=1), resample_counts(STRATA, 20, seed=2))


def test_an_image_with_more_rows_weighs_more() -> None:
    counts = resample_counts([0, 0, 0], 5, seed=1)
    assert clustered_proportion(counts, [3, 0, 1], [4, 1, 1])[0] == pytest.approx(4 / 6)


def test_clustered_intervals_agree_with_resampling_image_by_image() -> None:
    """Against a loop that draws images, collects all their rows, and counts."""
    random = np.random.default_rng(5)
    sizes = random.integers(0, 6, 60)
    rates = random.random(60)
    rows = [random.random(size) < rate for size, rate in zip(sizes, rates, strict=True)]
    strata = random.integers(0, 2, 60)
    expected = []
    for _ in range(4000):
        drawn = np.concatenate([random.choice(np.flatnonzero(strata == k), (strata == k).sum()) for k in (0, 1)])
        expected.append(np.concatenate([rows[image] for image in drawn]).mean())
    counts = resample_counts(strata, 4000, seed=1)
    of = percentile_estimate(clustered_proportion(counts, [row.sum() for row in rows], sizes))
    assert (of.low, of.high) == pytest.approx(np.quantile(expected, [0.025, 0.975]), abs=0.012)
    assert of.value == np.concatenate(rows).mean()


def test_clustered_intervals_agree_with_scipy_if_each_image_has_one_row() -> None:
    correct = np.random.default_rng(2).random(80) < 0.7
    expected = stats.bootstrap((correct,), np.mean, n_resamples=9999, method="percentile", rng=3).confidence_interval
    counts = resample_counts(np.zeros(80), 10_000, seed=1)
    of = percentile_estimate(clustered_proportion(counts, correct, np.ones(80)))
    assert (of.low, of.high) == pytest.approx((expected.low, expected.high), abs=0.013)


def test_repeated_rows_make_no_interval_narrower() -> None:
    """Ten equal rows per image tell no more than one; as independent rows they would give a third of the width."""
    correct = np.random.default_rng(2).random(80) < 0.7
    counts = resample_counts(np.zeros(80), 4000, seed=1)
    once, tenfold = (
        percentile_estimate(clustered_proportion(counts, rows * correct, np.full(80, rows))) for rows in (1, 10)
    )
    assert tenfold == once


def test_a_difference_of_two_proportions_of_the_same_images_is_paired() -> None:
    correct = np.random.default_rng(2).random(80) < 0.7
    counts = resample_counts(np.zeros(80), 1000, seed=1)
    one = clustered_proportion(counts, correct, np.ones(80))
    other = clustered_proportion(counts, 3 * correct, np.full(80, 3))
    assert percentile_estimate(one - other) == pytest.approx(percentile_estimate(np.zeros(1001)))


def test_resamples_without_rows_are_left_out_and_no_rows_at_all_are_refused() -> None:
    counts = resample_counts([0, 0], 1000, seed=1)
    values = clustered_proportion(counts, [1, 0], [2, 0])
    assert np.isnan(values).any()
    of = percentile_estimate(values)
    assert (of.value, of.low, of.high) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="no rows"):
        clustered_proportion(counts, [0, 0], [0, 0])
