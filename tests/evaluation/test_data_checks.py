"""Each guard on files as they should be, and on the fault that it is there for."""

from itertools import permutations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from bloodcells.core.classes import CLASSES
from bloodcells.evaluation import checks as guards
from bloodcells.evaluation.checks import Cell, Finding, Row
from bloodcells.imaging.near_duplicates import similarity
from bloodcells.inference.predictions import Predictions, predictions
from bloodcells.splits.folds import assign_folds, split_cells
from bloodcells.splits.resampling import resample

PUBLISHED = {"neutrophil": 206, "eosinophil": 88, "lymphocyte": 33, "monocyte": 20}
DOWN, UP = {"neutrophil": 0.1}, {"eosinophil": 0.8, "lymphocyte": 0.8, "monocyte": 0.8}
FOLDS = 5

Dealt = tuple[list[Cell], dict[int, list[Row]]]


def made(down: dict[str, float] = DOWN, up: dict[str, float] = UP) -> Dealt:
    """Deal cells in the published numbers as the pipeline does."""
    labels = [label for label, count in PUBLISHED.items() for _ in range(count)]
    groups = np.arange(len(labels))
    dealt = assign_folds(labels, groups, FOLDS, seed=1)
    cells = [Cell(f"{i}.jpg", label, int(fold)) for i, (label, fold) in enumerate(zip(labels, dealt, strict=True))]
    splits = {}
    for fold in range(FOLDS):
        parts = split_cells(labels, groups, dealt, fold, validation=0.125, downsample=down, oversample=up, seed=1)
        named = {"train": parts.resampled, "validation": parts.validation, "test": parts.test}
        splits[fold] = [Row(cells[i].image, labels[i], part) for part, indices in named.items() for i in indices]
    return cells, splits


@pytest.fixture(scope="module")
def unspoilt() -> Dealt:
    return made()


@pytest.fixture
def dealt(unspoilt: Dealt) -> Dealt:
    """What the pipeline deals, for a test to spoil."""
    cells, splits = unspoilt
    return [*cells], {fold: [*rows] for fold, rows in splits.items()}


def failed(findings: list[Finding]) -> list[str]:
    return [finding.what for finding in findings if not finding.holds]


def of_splits(
    cells: list[Cell], splits: dict[int, list[Row]], down: dict[str, float] = DOWN, up: dict[str, float] = UP
) -> list[str]:
    return failed(
        [
            *guards.sides(splits),
            *guards.folds(cells, splits),
            *guards.copies(splits),
            *guards.resampling(cells, splits, down, up),
        ]
    )


def figure(findings: list[Finding], what: str) -> float:
    (found,) = [finding.figure for finding in findings if what in finding.what]
    return found


def test_splits_as_the_pipeline_makes_them_pass(dealt: Dealt) -> None:
    cells, splits = dealt
    assert of_splits(cells, splits) == []
    in_training = figure(guards.copies(splits), "in training")
    trained = [row.image for rows in splits.values() for row in rows if row.part == "train"]
    assert in_training == len(trained) - sum(
        len({row.image for row in rows if row.part == "train"}) for rows in splits.values()
    )
    assert in_training > 500
    assert figure(guards.resampling(cells, splits, DOWN, UP), "neutrophil left out") == pytest.approx(0.1, abs=0.005)


def test_oversampling_before_the_split_is_caught(dealt: Dealt) -> None:
    """A fault of the original report: copies were made first and then dealt, so that they stood on both sides."""
    cells, _ = dealt
    labels = [cell.label for cell in cells]
    copied = resample(labels, DOWN, UP, seed=1)
    rng = np.random.default_rng(1)
    splits = {
        fold: [
            Row(cells[i].image, cells[i].label, part)
            for i, part in zip(copied, rng.choice(["train", "validation", "test"], len(copied)), strict=True)
        ]
        for fold in range(FOLDS)
    }
    assert {"images on two sides of a split", "oversampled copies outside training"} <= set(of_splits(cells, splits))


def test_one_tested_cell_in_training_is_caught(dealt: Dealt) -> None:
    cells, splits = dealt
    tested = next(row for row in splits[2] if row.part == "test")
    splits[2].append(tested._replace(part="train"))
    assert figure(guards.sides(splits), "two sides") == 1
    assert "images on two sides of a split" in of_splits(cells, splits)


def test_a_copy_in_validation_alone_is_caught(dealt: Dealt) -> None:
    cells, splits = dealt
    splits[0].append(next(row for row in splits[0] if row.part == "validation"))
    assert of_splits(cells, splits) == ["oversampled copies outside training"]


def test_twenty_percent_left_out_where_ten_are_told_is_caught() -> None:
    """A fault of the original report: 10 % in its text, 20 % in its code."""
    cells, splits = made(down={"neutrophil": 0.2})
    assert "share of neutrophil left out of training" in of_splits(cells, splits)
    assert of_splits(cells, splits, down={"neutrophil": 0.2}) == []


def test_leaving_cells_out_before_the_split_is_caught() -> None:
    """Test and validation parts then lack cells too, though training looks as it should."""
    cells, splits = made(down={})
    rng = np.random.default_rng(0)
    neutrophils = [cell.image for cell in cells if cell.label == "neutrophil"]
    gone = set(rng.choice(neutrophils, 21, replace=False))
    splits = {fold: [row for row in rows if row.image not in gone] for fold, rows in splits.items()}
    assert {"cells not tested in their fold alone", "cells that test parts lack or have twice"} <= set(
        of_splits(cells, splits, up={})
    )


def test_another_class_left_out_or_too_little_repeated_is_caught() -> None:
    cells, splits = made(down={**DOWN, "monocyte": 0.5})
    assert "cells of other classes left out of training" in of_splits(cells, splits)
    cells, splits = made(up={**UP, "monocyte": 0.5})
    assert of_splits(cells, splits) == ["rows of training against clean.oversample"]


def test_a_cell_tested_in_another_fold_or_under_another_label_is_caught(dealt: Dealt) -> None:
    cells, splits = dealt
    other = [cells[0]._replace(fold=(cells[0].fold + 1) % FOLDS), *cells[1:]]
    assert figure(guards.folds(other, splits), "not tested") == 1
    relabelled = [cells[0]._replace(label="monocyte"), *cells[1:]]
    assert failed(guards.folds(relabelled, splits)) == [
        "cells not tested in their fold alone",
        "rows of splits that no kept cell has",
    ]


@pytest.mark.parametrize(("left", "top"), [(40, 30), (60, 20)], ids=["not moved", "moved by a quarter of the frame"])
def test_a_near_duplicate_across_a_split_is_caught(left: int, top: int) -> None:
    noise = np.random.default_rng(0).normal(0, 1, (11, 120, 160))
    smears = np.asarray(gaussian_filter(noise, (0, 1.5, 1.5)) * 200 + 128, dtype=np.float32)
    images = [smear[30:90, 40:120] for smear in smears] + [smears[3][top : top + 60, left : left + 80] * 0.9 + 8]
    alike = similarity(np.stack(images))
    cells = [Cell(f"{i}.jpg", "monocyte", i % 3) for i in range(len(images))]

    def sides(tested: set[int]) -> dict[int, list[Row]]:
        return {0: [Row(c.image, c.label, "test" if i in tested else "train") for i, c in enumerate(cells)]}

    apart = guards.near_duplicates(cells, alike, sides({0, 3}), 0.75)
    assert failed(apart) == [
        "near-duplicate pairs on two sides of a split",
        "largest similarity of two images on two sides",
    ]
    assert apart[0].figure == 1
    assert apart[1].figure == pytest.approx(float(alike[3, 11]), abs=1e-4)
    together = guards.near_duplicates(cells, alike, sides({0, 3, 11}), 0.75)
    assert failed(together) == []
    assert figure(together, "in all") == 1
    left_out = {0: [row for row in sides({0, 3})[0] if row.image != "11.jpg"]}  # as downsampling does
    assert failed(guards.near_duplicates(cells, alike, left_out, 0.75)) == []


def test_what_a_random_holdout_would_split_is_the_mean_of_many() -> None:
    count = 100
    cells = [Cell(f"{i}.jpg", "monocyte", 0) for i in range(count)]
    alike = np.eye(count, dtype=np.float32)
    for i in range(0, 60, 2):
        alike[i, i + 1] = alike[i + 1, i] = 0.9
    found = guards.near_duplicates(cells, alike, {}, 0.75)
    rng = np.random.default_rng(0)
    split_pairs = []
    for _ in range(4000):
        held = np.zeros(count, np.bool_)
        held[rng.permutation(count)[:10]] = True  # 35 of 347 are a tenth
        split_pairs.append(np.count_nonzero(held[0:60:2] != held[1:60:2]))
    assert figure(found, "holdout") == pytest.approx(np.mean(split_pairs), abs=0.15)


def test_a_change_when_computed_again_is_caught() -> None:
    table = np.array([[0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]])
    assert failed(guards.deterministic("resnet", table, table + 4e-7)) == []
    for again in (table + np.array([0.01, -0.01, 0, 0]), table * np.nan):
        assert failed(guards.deterministic("resnet", table, again)) == ["resnet: largest change when computed again"]


def test_classes_in_another_order_are_caught() -> None:
    assert failed(guards.class_order([CLASSES, CLASSES])) == []
    assert guards.class_order([CLASSES, CLASSES[::-1]])[0].figure == 1


def said(sure: float, names: tuple[int, ...] = (0, 1, 2, 3), cells: dict[str, int] = PUBLISHED) -> Predictions:
    """Predict each cell's own class for a share `sure` of the cells, any class for the others, renamed by `names`."""
    actual = np.repeat([CLASSES.index(label) for label in cells], list(cells.values()))
    rng = np.random.default_rng(0)
    own = np.where(rng.random(len(actual)) < sure, actual, rng.integers(0, 4, len(actual)))
    chances = np.full((len(actual), 4), 0.1)
    chances[np.arange(len(actual)), np.array(names)[own]] = 0.7
    return predictions([f"{i}.jpg" for i in range(len(actual))], np.zeros(len(actual)), actual, chances)


@pytest.mark.parametrize("names", [(1, 0, 2, 3), (0, 2, 1, 3), (3, 0, 2, 1)])
def test_permuted_names_are_caught(names: tuple[int, ...]) -> None:
    """A fault of the original report, whose three permuted rows are the last case."""
    assert failed(guards.names("resnet", said(0.8, names))) == ["resnet: gain by other class names"]


@pytest.mark.parametrize("sure", [0.0, 0.3, 0.8, 1.0])
def test_names_in_order_pass_however_good_the_model(sure: float) -> None:
    assert failed(guards.names("resnet", said(sure))) == []


def test_a_model_that_says_one_class_alone_passes() -> None:
    """It has learned nothing, which no renaming mends: the original report's AlexNet."""
    p = said(1.0)
    for name in range(4):
        chances = np.full((len(p.actual), 4), 0.1)
        chances[:, name] = 0.7
        always = predictions(p.images, p.folds, p.actual, chances)
        (found,) = guards.names("alexnet", always)
        assert found.holds
        assert found.figure == 0


def test_chance_with_few_cells_is_no_permutation() -> None:
    """Networks that know nothing, on the few cells of a small set: less than one in fifty may raise the alarm."""
    few = {"eosinophil": 5, "lymphocyte": 3, "monocyte": 2, "neutrophil": 12}
    actual = np.repeat(range(4), list(few.values()))
    alarms = 0
    for seed in range(300):
        chances = np.random.default_rng(seed).dirichlet(np.ones(4), len(actual))
        p = predictions([str(i) for i in range(len(actual))], actual * 0, actual, chances)
        alarms += len(failed(guards.names("resnet", p)))
    assert alarms <= 6


@pytest.mark.parametrize("names", [(0, 1, 2, 3), (2, 1, 0, 3)], ids=["in order", "permuted"])
def test_the_best_renaming_is_that_of_all_other_orders(names: tuple[int, ...]) -> None:
    p = said(0.4, names)
    shares = np.array([[np.mean(p.predicted[p.actual == a] == b) for b in range(4)] for a in range(4)])
    scores = {order: shares[range(4), order].mean() for order in permutations(range(4))}
    own = scores.pop((0, 1, 2, 3))
    assert guards.names("resnet", p)[0].figure == pytest.approx(max(scores.values()) - own, abs=1e-4)


DROPPED = {"double": 15, "null": 46, "basophil": 3}


def test_rows_that_get_lost_are_caught() -> None:
    assert failed(guards.counts(411, PUBLISHED, DROPPED, published=True)) == []
    assert failed(guards.counts(412, PUBLISHED, DROPPED, published=False)) == [
        "rows of the label table neither kept nor dropped"
    ]


def test_counts_unlike_the_known_ones_are_caught_where_the_data_are_the_published() -> None:
    other = {**PUBLISHED, "neutrophil": 205, "monocyte": 21}
    assert failed(guards.counts(411, other, DROPPED, published=False)) == []
    found = guards.counts(411, other, DROPPED, published=True)
    assert failed(found) == ["rows counted unlike the published figures"]
    assert found[-1].figure == 2


def test_predictions_that_don_t_fit_the_tested_cells_are_caught() -> None:
    cells = [Cell(f"{i}.jpg", CLASSES[i % 4], i % 2) for i in range(8)]

    def predicted(of: list[Cell]) -> Predictions:
        actual = [CLASSES.index(cell.label) for cell in of]
        return predictions([cell.image for cell in of], [cell.fold for cell in of], actual, np.full((len(of), 4), 0.25))

    whole = predicted(cells)
    assert guards.coverage("test", {"a": whole, "b": whole}, cells)[0].holds
    assert guards.coverage("test", {"a": predicted(cells[::2])}, cells[::2])[0].holds
    for fault, wrong in (
        (predicted(cells[1:]), 1),
        (predicted([*cells, Cell("9.jpg", "monocyte", 0)]), 1),
        (predicted([cells[0]._replace(label="monocyte"), *cells[1:]]), 1),
        (predicted([cells[0]._replace(fold=1), *cells[1:]]), 1),
        (predicted(cells[::2]), 4),
    ):
        found = guards.coverage("test", {"a": whole, "b": fault}, cells)
        assert (found[0].figure, found[0].holds) == (wrong, False)


def test_the_table_says_what_holds_and_what_fails() -> None:
    findings = [
        Finding("a", "things that must not be", 3, "0", False, "mend them"),
        Finding("b", "share", 0.098765, "≤ 0.1"),
        Finding("b", "for information", 1234),
    ]
    assert guards.table(findings) == [
        ("a", "things that must not be", "3", "0", "FAILS"),
        ("b", "share", "0.098765", "≤ 0.1", "holds"),
        ("b", "for information", "1234", "", ""),
    ]
