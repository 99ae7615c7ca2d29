from pathlib import Path

import pytest

from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv
from bloodcells.evaluation.clusters import cluster_numbers, count_clusters, read_groups


def cells(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    """Write the columns image, group and file."""
    path = folder / "cells.csv"
    write_csv(path, ("image", "label", "group", "file"), [(image, "a", group, file) for image, group, file in rows])
    return path


def test_a_cell_belongs_to_its_patient_or_else_to_its_image(tmp_path: Path) -> None:
    path = cells(tmp_path, [("1.jpg#0", "", "1.jpg"), ("1.jpg#9", "", "1.jpg"), ("2.jpg", "1.jpg", "2.jpg")])
    groups = read_groups(path)
    assert groups == {"1.jpg#0": "image 1.jpg", "1.jpg#9": "image 1.jpg", "2.jpg": "group 1.jpg"}
    numbers = cluster_numbers(["2.jpg", "1.jpg#9", "1.jpg#0", "3.jpg"], groups)
    assert numbers is not None
    assert numbers[1] == numbers[2]
    assert count_clusters(numbers) == 3


@pytest.mark.parametrize("patients", [("", ""), ("Smith", "Jones"), ("Smith", "")])
def test_cells_that_share_nothing_are_independent(tmp_path: Path, patients: tuple[str, str]) -> None:
    path = cells(tmp_path, [("1.jpg", patients[0], "1.jpg"), ("2.jpg", patients[1], "2.jpg")])
    assert read_groups(path) is None
    assert cluster_numbers(["1.jpg"], None) is None
    assert count_clusters(None) is None


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cells\.csv is missing"):
        read_groups(tmp_path / "cells.csv")
