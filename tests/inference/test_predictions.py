import math
from pathlib import Path

import numpy as np
import pytest

from bloodcells.core.errors import InputError
from bloodcells.inference.predictions import Predictions, read_predictions, worst_mistakes, write_predictions
from tests.support.smallset import CLASSES

COLUMNS = ("images", "folds", "actual", "predicted", "probabilities", "classes")


def random_predictions(cells: int = 60, seed: int = 3, classes: tuple[str, ...] = CLASSES) -> Predictions:
    random = np.random.default_rng(seed)
    actual = random.integers(0, len(CLASSES), cells)
    probabilities = random.dirichlet(np.ones(len(CLASSES)), cells)
    images = [f"BloodImage_{number:05d}.jpg" for number in range(cells)]
    return Predictions.from_probabilities(images, random.integers(0, 5, cells), actual, probabilities, classes)


def columns(p: Predictions) -> list[list[object]]:
    return [np.asarray(getattr(p, name)).tolist() for name in COLUMNS]


def rewrite(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text below the header."""
    header, rows = path.read_text().split("\n", 1)
    assert old in rows
    path.write_text(header + "\n" + rows.replace(old, new, 1))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of two predictions, both correct."""
    probabilities = [[0.7, 0.2, 0.05, 0.05], [0.1, 0.1, 0.8, 0]]
    p = Predictions.from_probabilities(["a.jpg", "b.jpg"], [0, 1], [0, 2], probabilities, CLASSES)
    write_predictions(tmp_path / "p.csv", p)
    return tmp_path / "p.csv"


def test_the_most_probable_class_is_predicted() -> None:
    p = Predictions.from_probabilities(
        ["a", "b"], [0, 0], [3, 1], [[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], CLASSES
    )
    assert p.predicted.tolist() == [3, 0]
    assert p.correct.tolist() == [True, False]


@pytest.mark.parametrize(
    ("folds", "actual", "probabilities", "message"),
    [
        ([0, 0], [1], [[1, 0, 0, 0]], "1 images, 2 folds"),
        ([0], [4], [[1, 0, 0, 0]], "must be 0 to 3"),
        ([0], [-1], [[1, 0, 0, 0]], "must be 0 to 3"),
        ([0], [1], [[3.0, -2.0, 0, 0]], r"a\.jpg are not a distribution"),
        ([0], [1], [[math.nan, 0, 0, 1]], "not a distribution"),
    ],
)
def test_malformed_predictions_are_refused(
    folds: list[int], actual: list[int], probabilities: list[list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Predictions.from_probabilities(["a.jpg"], folds, actual, probabilities, CLASSES)


def test_rows_are_selected_by_mask_or_index_and_joined_in_order() -> None:
    p = random_predictions(9)
    odd = np.arange(9) % 2 == 1
    assert p.select(odd).images == p.images[1::2]
    assert columns(p.select(odd)) == columns(p.select(np.array([1, 3, 5, 7])))
    parts = [p.select(np.arange(4)), p.select(np.arange(4, 9))]
    assert columns(Predictions.concatenate(parts)) == columns(p)


def test_the_worst_mistakes_are_those_with_the_least_probable_actual_class() -> None:
    probabilities = [[0.6, 0.4, 0.0, 0.0], [0.9, 0.1, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.2, 0.2, 0.2, 0.4]]
    p = Predictions.from_probabilities(["a", "b", "c", "d"], [0] * 4, [1, 1, 0, 2], probabilities, CLASSES)
    assert worst_mistakes(p, 12).tolist() == [1, 3, 0]
    assert worst_mistakes(p, 2).tolist() == [1, 3]


def test_a_written_table_is_read_unchanged(tmp_path: Path) -> None:
    p = random_predictions()
    write_predictions(tmp_path / "p.csv", p)
    assert columns(read_predictions(tmp_path / "p.csv")) == columns(p)


def test_the_table_has_the_columns_of_the_contract_and_six_digits(tmp_path: Path) -> None:
    p = Predictions.from_probabilities(["x.jpg"], [4], [3], [[0.1, 0.2, 1 / 30, 2 / 3]], CLASSES)
    write_predictions(tmp_path / "p.csv", p)
    assert (tmp_path / "p.csv").read_text().splitlines() == [
        "image,fold,actual,predicted,eosinophil,lymphocyte,monocyte,neutrophil",
        "x.jpg,4,neutrophil,neutrophil,0.100000,0.200000,0.033333,0.666667",
    ]


@pytest.mark.parametrize("count", [2, 20])
def test_the_classes_are_those_of_the_header(tmp_path: Path, count: int) -> None:
    classes = tuple(f"class {number}" for number in range(count))
    images, actual = [f"{number}.jpg" for number in range(count)], np.arange(count)
    probabilities = np.eye(count)[::-1]
    p = Predictions.from_probabilities(images, actual * 0, actual, probabilities, classes)
    write_predictions(tmp_path / "p.csv", p)
    again = read_predictions(tmp_path / "p.csv")
    assert again.classes == classes
    assert columns(again) == columns(p)


@pytest.mark.parametrize("header", ["a", "a,a", "a,b,b"])
def test_fewer_than_two_classes_or_one_twice_are_an_error(tmp_path: Path, header: str) -> None:
    (tmp_path / "p.csv").write_text(f"image,fold,actual,predicted,{header}\n")
    with pytest.raises(InputError, match=r"p\.csv: its columns are .* one for each class"):
        read_predictions(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.700000,0.200000", "0.200000,0.700000", r"line 2: a\.jpg is predicted eosinophil, but lymphocyte"),
        ("b.jpg", "a.jpg", r"line 3: a\.jpg is predicted twice"),
        ("0.700000", "0.600000", r"line 2: the probabilities of a\.jpg don't sum to 1"),
        ("0.700000", "nan", "don't sum to 1"),
        ("0.700000", "", "line 2: not a row of predictions"),
        ("monocyte,monocyte", "monocyte,basophil", "line 3: not a row of predictions"),
        ("0.700000,", "", "not a row of predictions"),
        ("jpg,0,", f"jpg,{'9' * 20},", "not a row of predictions"),
    ],
)
def test_a_malformed_or_contradictory_row_is_named(table: Path, old: str, new: str, message: str) -> None:
    rewrite(table, old, new)
    with pytest.raises(InputError, match=message):
        read_predictions(table)


def test_validation_parts_may_hold_a_cell_once_in_each_fold(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    probabilities = [[0.7, 0.2, 0.05, 0.05]] * 2
    write_predictions(path, Predictions.from_probabilities(["a.jpg", "a.jpg"], [0, 1], [0, 0], probabilities, CLASSES))
    assert read_predictions(path, validation=True).images == ("a.jpg", "a.jpg")
    with pytest.raises(InputError, match=r"line 3: a\.jpg is predicted twice"):
        read_predictions(path)
    write_predictions(path, Predictions.from_probabilities(["a.jpg", "a.jpg"], [1, 1], [0, 0], probabilities, CLASSES))
    with pytest.raises(InputError, match=r"line 3: a\.jpg is predicted twice"):
        read_predictions(path, validation=True)


def test_a_tie_within_rounding_is_not_a_contradiction(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    write_predictions(path, Predictions.from_probabilities(["a.jpg"], [0], [0], [[0.5, 0.5, 0, 0]], CLASSES))
    rewrite(path, "eosinophil,eosinophil,0.5", "eosinophil,lymphocyte,0.5")
    assert read_predictions(path).predicted.tolist() == [1]


@pytest.mark.parametrize("content", ["", "image,fold\n", "image,fold,actual,predicted,a,b,c,d\n", "\xff\x00"])
def test_a_file_that_is_not_a_table_of_predictions_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"p\.csv.*dvc repro"):
        read_predictions(path)


def test_missing_and_empty_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"p\.csv is missing"):
        read_predictions(tmp_path / "p.csv")
    write_predictions(tmp_path / "p.csv", Predictions.from_probabilities([], [], [], np.zeros((0, 4)), CLASSES))
    with pytest.raises(InputError, match=r"p\.csv holds no predictions"):
        read_predictions(tmp_path / "p.csv")
