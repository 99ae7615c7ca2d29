"""Each check of the data on correct splits, and on the fault that it is there for."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bloodcells.evaluation import data_checks
from bloodcells.evaluation.checks import Check, check_table, failure
from bloodcells.evaluation.data_checks import Cell, SplitRow
from bloodcells.splits.folds import assign_folds, split_cells
from bloodcells.splits.resampling import resample

PUBLISHED = {"neutrophil": 206, "eosinophil": 88, "lymphocyte": 33, "monocyte": 20}
DROPPED = {"double": 15, "null": 46, "basophil": 3}
DOWN, UP = {"neutrophil": 0.1}, {"eosinophil": 0.8, "lymphocyte": 0.8, "monocyte": 0.8}
N_SPLITS, THRESHOLD = 5, 0.75

Splits = dict[int, list[SplitRow]]


def split(
    down: dict[str, float] = DOWN, up: dict[str, float] = UP, groups: NDArray[np.int64] | None = None
) -> tuple[list[Cell], Splits]:
    """Split cells in the published numbers as the pipeline does."""
    labels = [label for label, count in PUBLISHED.items() for _ in range(count)]
    groups = np.arange(len(labels)) if groups is None else groups
    folds = assign_folds(labels, groups, N_SPLITS, seed=1)
    cells = [Cell(f"{i}.jpg", label, int(fold)) for i, (label, fold) in enumerate(zip(labels, folds, strict=True))]
    splits = {}
    for fold in range(N_SPLITS):
        parts = split_cells(labels, groups, folds, fold, validation=0.125, downsample=down, oversample=up, seed=1)
        named = {"train": parts.resampled, "validation": parts.validation, "test": parts.test}
        splits[fold] = [SplitRow(cells[i].image, labels[i], part) for part, rows in named.items() for i in rows]
    return cells, splits


@pytest.fixture(scope="module")
def correct() -> tuple[list[Cell], Splits]:
    return split()


@pytest.fixture
def cells(correct: tuple[list[Cell], Splits]) -> list[Cell]:
    return [*correct[0]]


@pytest.fixture
def splits(correct: tuple[list[Cell], Splits]) -> Splits:
    """Correct splits, for a test to spoil."""
    return {fold: [*rows] for fold, rows in correct[1].items()}


def failed(checks: list[Check]) -> list[str]:
    return [check.description for check in checks if not check.passed]


def failed_of_splits(
    cells: list[Cell], splits: Splits, down: dict[str, float] = DOWN, up: dict[str, float] = UP
) -> list[str]:
    return failed(
        [
            *data_checks.overlap(splits),
            *data_checks.folds(cells, splits),
            *data_checks.copies(splits),
            *data_checks.resampling(cells, splits, down, up),
        ]
    )


def value(checks: list[Check], description: str) -> float:
    (found,) = [check.value for check in checks if description in check.description]
    return found


def test_splits_of_the_pipeline_pass(cells: list[Cell], splits: Splits) -> None:
    assert failed_of_splits(cells, splits) == []
    trained = [[row.image for row in rows if row.part == "train"] for rows in splits.values()]
    copies = sum(len(images) - len(set(images)) for images in trained)
    assert value(data_checks.copies(splits), "in training") == copies > 500
    left_out = value(data_checks.resampling(cells, splits, DOWN, UP), "neutrophil left out")
    assert left_out == pytest.approx(0.1, abs=0.005)


def test_oversampling_before_the_split_fails(cells: list[Cell]) -> None:
    """A fault of the original report: it made copies first and split them afterwards, into all parts."""
    copied = resample([cell.label for cell in cells], DOWN, UP, seed=1)
    random = np.random.default_rng(1)
    splits = {
        fold: [
            SplitRow(cells[i].image, cells[i].label, part)
            for i, part in zip(copied, random.choice(["train", "validation", "test"], len(copied)), strict=True)
        ]
        for fold in range(N_SPLITS)
    }
    assert {"images in more than one part of a split", "oversampled copies outside training"} <= set(
        failed_of_splits(cells, splits)
    )


def test_one_tested_cell_in_training_fails(cells: list[Cell], splits: Splits) -> None:
    tested = next(row for row in splits[2] if row.part == "test")
    splits[2].append(tested._replace(part="train"))
    assert value(data_checks.overlap(splits), "more than one part") == 1
    assert "images in more than one part of a split" in failed_of_splits(cells, splits)


def test_a_copy_in_validation_fails(cells: list[Cell], splits: Splits) -> None:
    splits[0].append(next(row for row in splits[0] if row.part == "validation"))
    assert failed_of_splits(cells, splits) == ["oversampled copies outside training"]


def test_leaving_out_twenty_percent_instead_of_ten_fails() -> None:
    """A fault of the original report: 10 % in its text, 20 % in its code."""
    cells, splits = split(down={"neutrophil": 0.2})
    assert "fraction of neutrophil left out of training" in failed_of_splits(cells, splits)
    assert failed_of_splits(cells, splits, down={"neutrophil": 0.2}) == []


def test_leaving_cells_out_before_the_split_fails() -> None:
    """Test and validation parts then lack cells too, although training looks as it should."""
    cells, splits = split(down={})
    neutrophils = [cell.image for cell in cells if cell.label == "neutrophil"]
    gone = set(np.random.default_rng(0).choice(neutrophils, 21, replace=False))
    splits = {fold: [row for row in rows if row.image not in gone] for fold, rows in splits.items()}
    assert {"cells not tested exactly once, in their fold", "cells that test parts lack or repeat"} <= set(
        failed_of_splits(cells, splits, up={})
    )


def test_leaving_out_another_class_fails() -> None:
    cells, splits = split(down={**DOWN, "monocyte": 0.5})
    assert "cells of other classes left out of training" in failed_of_splits(cells, splits)


def test_oversampling_too_little_fails() -> None:
    cells, splits = split(up={**UP, "monocyte": 0.5})
    assert failed_of_splits(cells, splits) == ["training rows that clean.oversample does not explain"]


def test_a_cell_tested_in_another_fold_or_with_another_label_fails(cells: list[Cell], splits: Splits) -> None:
    moved = [cells[0]._replace(fold=(cells[0].fold + 1) % N_SPLITS), *cells[1:]]
    assert value(data_checks.folds(moved, splits), "not tested") == 1
    relabeled = [cells[0]._replace(label="monocyte"), *cells[1:]]
    assert failed(data_checks.folds(relabeled, splits)) == [
        "cells not tested exactly once, in their fold",
        "rows of splits that belong to no kept cell",
    ]


def similar(count: int, *pairs: tuple[int, int], by: float = 0.9) -> NDArray[np.float32]:
    """Return similarities of images that differ, apart from the given pairs."""
    result = np.full((count, count), 0.2, dtype=np.float32)
    np.fill_diagonal(result, 1)
    for one, other in pairs:
        result[one, other] = result[other, one] = by
    return result


def one_split(parts: str) -> tuple[list[Cell], Splits]:
    """Return cells whose parts in one split are given by letters: t(rain), v(alidation), e(valuated), - (left out)."""
    named = {"t": "train", "v": "validation", "e": "test"}
    cells = [Cell(f"{i}.jpg", "monocyte", int(part != "e")) for i, part in enumerate(parts)]
    return cells, {0: [SplitRow(c.image, c.label, named[p]) for c, p in zip(cells, parts, strict=True) if p in named]}


@pytest.mark.parametrize("parts", ["tetttt", "tvtttt", "tevttt"])
def test_a_near_duplicate_in_another_part_fails(parts: str) -> None:
    cells, splits = one_split(parts)
    found = data_checks.near_duplicates(cells, similar(6, (1, 5), (0, 4)), splits, THRESHOLD)
    assert failed(found) == [
        "near-duplicate pairs in different parts of a split",
        "largest similarity of two images in different parts",
    ]
    assert [check.value for check in found] == pytest.approx([1, 0.9, 2])


@pytest.mark.parametrize("parts", ["tettte", "tvtttv", "te-tt-"])
def test_near_duplicates_in_the_same_part_or_left_out_pass(parts: str) -> None:
    cells, splits = one_split(parts)
    found = data_checks.near_duplicates(cells, similar(6, (1, 5)), splits, THRESHOLD)
    assert failed(found) == []
    assert value(found, "in total") == 1
    assert value(found, "largest similarity") == pytest.approx(0.2)


def test_images_as_similar_as_the_threshold_pass() -> None:
    cells, splits = one_split("tetttt")
    similarity = similar(6, (1, 5), by=THRESHOLD)
    assert failed(data_checks.near_duplicates(cells, similarity, splits, THRESHOLD)) == []
    assert len(failed(data_checks.near_duplicates(cells, similarity, splits, THRESHOLD - 0.01))) == 2


def test_planted_near_duplicates_pass_only_if_the_split_keeps_them_together() -> None:
    count = sum(PUBLISHED.values())
    pairs = [(i, i + 1) for i in range(0, 60, 2)]
    groups = np.arange(count)
    groups[1:60:2] = groups[0:60:2]
    for grouping, passes in ((groups, True), (None, False)):
        cells, splits = split(groups=grouping)
        found = data_checks.near_duplicates(cells, similar(count, *pairs), splits, THRESHOLD)
        assert (failed(found) == []) == passes
        assert value(found, "in total") == len(pairs)


def test_lost_rows_fail() -> None:
    rows = sum(PUBLISHED.values()) + sum(DROPPED.values())
    assert failed(data_checks.counts(rows, PUBLISHED, DROPPED, published=PUBLISHED | DROPPED)) == []
    assert failed(data_checks.counts(rows + 1, PUBLISHED, DROPPED, published=None)) == [
        "rows of the label table neither kept nor dropped"
    ]


def test_other_counts_than_the_published_ones_fail_if_the_files_are_published() -> None:
    rows = sum(PUBLISHED.values()) + sum(DROPPED.values())
    other = {**PUBLISHED, "neutrophil": 205, "monocyte": 21}
    assert failed(data_checks.counts(rows, other, DROPPED, published=None)) == []
    found = data_checks.counts(rows, other, DROPPED, published=PUBLISHED | DROPPED)
    assert failed(found) == ["rows that differ from the published counts"]
    assert found[-1].value == 2
    corrected = [("neutrophil", "monocyte")]
    assert failed(data_checks.counts(rows, other, DROPPED, PUBLISHED | DROPPED, corrected)) == []
    fewer, drop = {**PUBLISHED, "neutrophil": 205}, [("neutrophil", "drop")]
    assert failed(data_checks.counts(rows, fewer, {**DROPPED, "drop": 1}, PUBLISHED | DROPPED, drop)) == []


CHECKS = [
    Check("a", "faults", 3, "0", False, "remove them"),
    Check("b", "fraction", 0.098765, "≤ 0.1"),
    Check("b", "for information", 1234),
]


def test_the_table_of_checks_says_which_passed() -> None:
    assert check_table(CHECKS) == [
        ("a", "faults", "3", "0", "no"),
        ("b", "fraction", "0.098765", "≤ 0.1", "yes"),
        ("b", "for information", "1234", "", ""),
    ]


def test_the_first_failure_is_described_with_its_remedy() -> None:
    assert failure(CHECKS) == "faults: found 3, allowed 0; remove them"
    assert failure([*CHECKS, CHECKS[0]]) == "faults: found 3, allowed 0 (and 1 more); remove them"
    assert failure(CHECKS[1:]) == ""
