import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics

from bloodcells.evaluation import metrics as scores
from bloodcells.evaluation.bootstrap import SCORES, Bootstrap, bootstrap

Indices = NDArray[np.int64]


def made_up(cells: int = 347, models: int = 3, seed: int = 3) -> tuple[Indices, Indices]:
    """Cells of the real set's shares, and models that are right in four of five and share some errors."""
    random = np.random.default_rng(seed)
    actual = random.choice(4, cells, p=[0.25, 0.1, 0.06, 0.59])
    hard = random.random(cells) < 0.2
    said = np.array([np.where(hard & (random.random(cells) < 0.8), random.integers(0, 4, cells), actual)] * models)
    wrong = random.random((models, cells)) < 0.1
    return actual, np.where(wrong, random.integers(0, 4, (models, cells)), said)


def one_class(right: int, cells: int, resamples: int = 20_000) -> Bootstrap:
    return bootstrap(np.zeros(cells), np.where(np.arange(cells) < right, 0, 1)[None], 2, resamples, seed=1)


def test_scores_are_those_of_the_libraries() -> None:
    actual, predicted = made_up()
    drawn = bootstrap(actual, predicted, 4, 10, seed=1)
    for model, said in enumerate(predicted):
        matrix = scores.confusion(actual, said, 4)
        assert drawn.score("accuracy", model).value == pytest.approx(metrics.accuracy_score(actual, said))
        assert drawn.score("mean sensitivity", model).value == pytest.approx(
            metrics.balanced_accuracy_score(actual, said)
        )
        assert drawn.score("mean specificity", model).value == pytest.approx(scores.mean_specificity(matrix))
        assert drawn.score("macro F1", model).value == pytest.approx(metrics.f1_score(actual, said, average="macro"))
    above = metrics.f1_score(actual, predicted[2], average="macro") - metrics.f1_score(
        actual, predicted[0], average="macro"
    )
    assert drawn.difference("macro F1", 0, 2).value == pytest.approx(above)


def test_a_class_without_a_cell_is_left_out_of_the_means() -> None:
    actual, said = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 1, 0])
    drawn = bootstrap(actual, said[None], 3, 10, seed=1)
    assert drawn.score("mean sensitivity", 0).value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert drawn.score("mean specificity", 0).value == pytest.approx((1 / 2 + 1 + 4 / 5) / 3)
    assert drawn.score("macro F1", 0).value == pytest.approx(
        metrics.f1_score(actual, said, average="macro", labels=[0, 1])
    )


@pytest.mark.parametrize("right", [300, 170])
def test_within_one_class_it_is_the_bootstrap_of_scipy(right: int) -> None:
    answers = (np.arange(347) < right).astype(float)
    of = stats.bootstrap((answers,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(7))
    drawn = one_class(right, 347).score("accuracy", 0)
    assert (drawn.low, drawn.high) == pytest.approx(tuple(of.confidence_interval), abs=0.003)


def test_the_spread_is_that_of_the_strata_s_binomials() -> None:
    """The mean sensitivity's variance is the sum of p (1 - p) / n over the classes, by their number squared."""
    actual, predicted = made_up()
    drawn = bootstrap(actual, predicted, 4, 20_000, seed=1)
    counts = np.bincount(actual, minlength=4)
    for model, said in enumerate(predicted):
        found = np.array([(said[actual == label] == label).mean() for label in range(4)])
        variance = (found * (1 - found) / counts).sum() / 16
        spread = SCORES["mean sensitivity"](drawn.resampled[:, model]).var()
        assert spread == pytest.approx(variance, rel=0.05)


def test_a_difference_s_spread_is_that_of_paired_cells() -> None:
    """Within a class the variance is that of the cells' differences, -1, 0 or 1: much less than for unpaired models."""
    actual, predicted = made_up()
    drawn = bootstrap(actual, predicted, 4, 20_000, seed=1)
    apart = (predicted[1] == actual).astype(float) - (predicted[0] == actual)
    variance = sum(apart[actual == label].var() * (actual == label).sum() for label in range(4)) / len(actual) ** 2
    accuracy = SCORES["accuracy"](drawn.resampled)
    assert (accuracy[:, 1] - accuracy[:, 0]).var() == pytest.approx(variance, rel=0.05)
    assert variance < 0.7 * (accuracy[:, 0].var() + accuracy[:, 1].var())


def test_the_intervals_are_those_of_drawing_cell_by_cell() -> None:
    actual, predicted = made_up(cells=60)
    random = np.random.default_rng(5)
    places = [np.flatnonzero(actual == label) for label in range(4)]
    values = []
    for _ in range(4000):
        cells = np.concatenate([random.choice(place, len(place)) for place in places])
        matrices = [scores.confusion(actual[cells], said[cells], 4) for said in predicted]
        values.append(scores.mean_specificity(matrices[2]) - scores.mean_specificity(matrices[0]))
    of = bootstrap(actual, predicted, 4, 20_000, seed=1).difference("mean specificity", 0, 2)
    assert (of.low, of.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=0.006)


def test_every_resample_has_the_counts_of_the_classes() -> None:
    actual, predicted = made_up()
    drawn = bootstrap(actual, predicted, 4, 500, seed=1)
    assert drawn.resampled.shape == (500, 3, 4, 4)
    assert (drawn.resampled.sum(axis=-1) == np.bincount(actual)).all()
    assert len(np.unique(drawn.resampled.reshape(500, -1), axis=0)) == 500


def test_a_difference_from_itself_is_none_and_turns_its_sign_with_the_models() -> None:
    actual, predicted = made_up()
    drawn = bootstrap(actual, predicted, 4, 2000, seed=1)
    self = drawn.difference("macro F1", 1, 1)
    assert (self.value, self.low, self.high) == (0, 0, 0)
    to, fro = drawn.difference("macro F1", 0, 1), drawn.difference("macro F1", 1, 0)
    assert (fro.value, fro.low, fro.high) == pytest.approx((-to.value, -to.high, -to.low))


def test_the_seed_decides_and_the_order_of_the_cells_does_not() -> None:
    actual, predicted = made_up()
    first = bootstrap(actual, predicted, 4, 200, seed=1)
    turned = bootstrap(actual[::-1], predicted[:, ::-1], 4, 200, seed=1)
    assert (first.resampled == turned.resampled).all()
    assert not (first.resampled == bootstrap(actual, predicted, 4, 200, seed=2).resampled).all()


def test_ten_thousand_resamples_are_never_laid_out_cell_by_cell() -> None:
    actual, predicted = (np.tile(cells, 100) for cells in made_up())
    tracemalloc.start()
    drawn = bootstrap(actual, predicted, 4, 10_000, seed=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(drawn.resampled) == 10_000
    assert peak < 10_000 * 34_700 / 10  # a tenth of a byte per cell and resample


def test_without_cells_there_is_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="no cells"):
        bootstrap([], np.zeros((2, 0)), 4, 10, seed=1)
