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
DOWN, UP = 0.1, 0.8
N_SPLITS, THRESHOLD = 5, 0.75

Splits = dict[int, list[SplitRow]]


def split(down: float = DOWN, up: float = UP, groups: list[str] | None = None) -> tuple[list[Cell], Splits]:
    """Split cells in the published numbers as the pipeline does."""
    labels = [label for label, count in PUBLISHED.items() for _ in range(count)]
    groups = [str(i) for i in range(len(labels))] if groups is None else groups
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


def failed_of_splits(cells: list[Cell], splits: Splits, down: float = DOWN, up: float = UP) -> list[str]:
    return failed(
        [
            *data_checks.overlap(splits),
            *data_checks.folds(cells, splits),
            *data_checks.copies(splits),
            *data_checks.resampling(cells, splits, "neutrophil", down, up),
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
    left_out = value(data_checks.resampling(cells, splits, "neutrophil", DOWN, UP), "neutrophil left out")
    assert left_out == pytest.approx(0.1, abs=0.005)


def test_oversampling_before_the_split_fails(cells: list[Cell]) -> None:
    """A fault of the original report: it made copies first and split them afterwards, into all parts."""
    copied = resample([cell.label for cell in cells], "neutrophil", DOWN, UP, seed=1)
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
    cells, splits = split(down=0.2)
    assert "fraction of neutrophil left out of training" in failed_of_splits(cells, splits)
    assert failed_of_splits(cells, splits, down=0.2) == []


def test_leaving_cells_out_before_the_split_fails() -> None:
    """Test and validation parts then lack cells too, although training looks as it should."""
    cells, splits = split(down=0)
    neutrophils = [cell.image for cell in cells if cell.label == "neutrophil"]
    gone = set(np.random.default_rng(0).choice(neutrophils, 21, replace=False))
    splits = {fold: [row for row in rows if row.image not in gone] for fold, rows in splits.items()}
    assert {"cells not tested exactly once, in their fold", "cells that test parts lack or repeat"} <= set(
        failed_of_splits(cells, splits, up=0)
    )


def test_leaving_out_another_class_fails(cells: list[Cell], splits: Splits) -> None:
    training = [row for row in splits[0] if row.part == "train" and row.label == "monocyte"]
    without = [row for row in splits[0] if row != training[0]]
    repeated = len(splits[0]) - len(without)
    splits[0] = [*without, *[training[-1]] * repeated]
    assert failed_of_splits(cells, splits) == ["cells of other classes left out of training"]


def test_oversampling_too_little_fails() -> None:
    cells, splits = split(up=0.5)
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


def near_duplicates(
    cells: list[Cell], similarity: NDArray[np.float32], splits: Splits, threshold: float = THRESHOLD
) -> list[Check]:
    """Run the check on cells that have an image each."""
    images = [cell.image for cell in cells]
    return data_checks.near_duplicates(images, similarity, dict(zip(images, images, strict=True)), splits, threshold)


@pytest.mark.parametrize("parts", ["tetttt", "tvtttt", "tevttt"])
def test_a_near_duplicate_in_another_part_fails(parts: str) -> None:
    cells, splits = one_split(parts)
    found = near_duplicates(cells, similar(6, (1, 5), (0, 4)), splits)
    assert failed(found) == [
        "near-duplicate pairs in different parts of a split",
        "largest similarity of two images in different parts",
    ]
    assert [check.value for check in found] == pytest.approx([1, 0.9, 2])


@pytest.mark.parametrize("parts", ["tettte", "tvtttv", "te-tt-"])
def test_near_duplicates_in_the_same_part_or_left_out_pass(parts: str) -> None:
    cells, splits = one_split(parts)
    found = near_duplicates(cells, similar(6, (1, 5)), splits)
    assert failed(found) == []
    assert value(found, "in total") == 1
    assert value(found, "largest similarity") == pytest.approx(0.2)


def test_images_as_similar_as_the_threshold_pass() -> None:
    cells, splits = one_split("tetttt")
    similarity = similar(6, (1, 5), by=THRESHOLD)
    assert failed(near_duplicates(cells, similarity, splits)) == []
    assert len(failed(near_duplicates(cells, similarity, splits, THRESHOLD - 0.01))) == 2


def test_near_duplicates_of_an_image_with_several_cells_fail_in_any_part_of_one_of_them() -> None:
    _, splits = one_split("ttvv")
    image_of = {"0.jpg": "a", "1.jpg": "b", "2.jpg": "c", "3.jpg": "b"}  # b is in two parts
    for pair, crossing in (((0, 1), 1), ((1, 2), 1), ((0, 2), 1)):
        found = data_checks.near_duplicates(["a", "b", "c"], similar(3, pair), image_of, splits, THRESHOLD)
        assert value(found, "in different parts of a split") == crossing
    together = image_of | {"3.jpg": "c"}
    found = data_checks.near_duplicates(["a", "b", "c"], similar(3, (0, 1)), together, splits, THRESHOLD)
    assert failed(found) == []


def test_a_patient_on_two_sides_fails(cells: list[Cell], splits: Splits) -> None:
    """Each fold's split has its own parts: a patient who is tested in one is trained on in the others."""
    names = [str(i // 3) for i in range(len(cells))]
    grouped, right = split(groups=names)
    patients = {cell.image: (name, cell.image) for cell, name in zip(grouped, names, strict=True)}
    found = data_checks.groups(patients, right)
    assert [(check.value, check.passed) for check in found] == [(0, True), (116, True)]
    tested, trained = (next(row.image for row in right[2] if row.part == part) for part in ("test", "train"))
    planted = patients | {trained: (patients[tested][0], trained)}
    assert failed(data_checks.groups(planted, right)) == ["groups in more than one part of a split"]
    assert value(data_checks.groups(planted, right), "groups in more") >= 2  # the folds that test one of both cells
    assert failed(data_checks.groups(patients, splits)) == ["groups in more than one part of a split"]
    assert data_checks.groups({cell.image: ("", cell.image) for cell in cells}, splits) == []


def test_cells_of_one_image_on_two_sides_fail() -> None:
    _, splits = one_split("ttve")
    together = {"0.jpg": ("", "a"), "1.jpg": ("", "a"), "2.jpg": ("", "b"), "3.jpg": ("", "c")}
    assert [check.value for check in data_checks.groups(together, splits)] == [0, 1]
    divided = data_checks.groups(together | {"1.jpg": ("", "c")}, splits)
    assert failed(divided) == ["images of several cells in more than one part of a split"]


def test_planted_near_duplicates_pass_only_if_the_split_keeps_them_together() -> None:
    count = sum(PUBLISHED.values())
    pairs = [(i, i + 1) for i in range(0, 60, 2)]
    groups = [str(i - i % 2 if i < 60 else i) for i in range(count)]
    for grouping, passes in ((groups, True), (None, False)):
        cells, splits = split(groups=grouping)
        found = near_duplicates(cells, similar(count, *pairs), splits)
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
