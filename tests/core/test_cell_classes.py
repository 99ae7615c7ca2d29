from pathlib import Path

import pytest

from bloodcells.core.cell_classes import read_classes, write_classes
from bloodcells.core.errors import InputError


@pytest.mark.parametrize("classes", [("b", "a"), tuple(f"class {number}" for number in range(20)), ("ä (groß)", "白")])
def test_classes_keep_their_order(tmp_path: Path, classes: tuple[str, ...]) -> None:
    path = tmp_path / "deep" / "classes.json"
    write_classes(path, classes)
    assert read_classes(path) == classes


def test_a_missing_file_is_an_error_that_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"classes\.json is missing: run `dvc repro clean`"):
        read_classes(tmp_path / "classes.json")


@pytest.mark.parametrize("content", ["", "{", '["a"]', "[]", "[1, 2]", '{"a": 1, "b": 2}', '"ab"', "null", "\xff"])
def test_a_damaged_file_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "classes.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"classes\.json holds no class names: run `dvc repro -f clean`"):
        read_classes(path)
