import errno
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from bloodcells.core.errors import InputError
from bloodcells.core.files import atomic_folder, atomic_write, read_csv, write_csv, write_json, write_text


class StopHereError(Exception):
    pass


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_comes_whole_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "er" / "a.txt", "first")
    write_text(tmp_path / "deep" / "er" / "a.txt", "seçond\n")
    assert (tmp_path / "deep" / "er" / "a.txt").read_bytes() == "seçond\n".encode()
    assert names(tmp_path) == ["deep", "deep/er", "deep/er/a.txt"]


@pytest.mark.parametrize("error", [StopHereError(), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)), atomic_write(path) as part:
        part.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "a") as part:
        (part / "old").write_text("")
    with pytest.raises(StopHereError), atomic_folder(tmp_path / "a") as part:
        (part / "new").write_text("half")
        raise StopHereError
    assert names(tmp_path) == ["a", "a/old"]


def test_a_folder_is_replaced_with_all_that_was_in_it(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "a") as part:
            (part / name).write_text("")
    assert names(tmp_path) == ["a", "a/new"]


def test_what_fails_halfway_into_a_table_leaves_no_table(tmp_path: Path) -> None:
    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        raise StopHereError

    with pytest.raises(StopHereError):
        write_csv(tmp_path / "a.csv", ["n"], rows())
    assert names(tmp_path) == []


def test_a_full_disk_names_the_target_and_not_the_file_beside(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, atomic_folder(tmp_path / "outer"):
        write_csv_on_a_full_disk(tmp_path / "outer" / "a.csv")
    assert caught.value.filename == str(tmp_path / "outer")
    assert names(tmp_path) == ["outer"] or names(tmp_path) == []


def write_csv_on_a_full_disk(path: Path) -> None:
    with atomic_write(path):
        raise OSError(errno.ENOSPC, "No space left on device")  # as a failed write does: without a name


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"accuracy": math.nan})
    assert names(tmp_path) == []
    write_json(tmp_path / "a.json", {"accuracy": 0.5})
    assert json.loads((tmp_path / "a.json").read_text()) == {"accuracy": 0.5}


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(path, ["image", "labels"], [("a.jpg", "x, y"), ('b "c".jpg', "z\nz")])
    assert b"\r" not in path.read_bytes()
    assert read_csv(path, ["labels"]) == [
        {"image": "a.jpg", "labels": "x, y"},
        {"image": 'b "c".jpg', "labels": "z\nz"},
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is missing"),
        (b"", "no column image, label"),
        (b"image,lable\na,b\n", "no column label"),
        (b"image,label\na,b\nc\n", "line 3"),
        (b"image,label\na,b,c\n", "line 2"),
        (b"image,label\n\xff\xfe,b\n", "is not a table"),
        (b'image,label\n"' + b"a" * 200_000, "is not a table"),
    ],
)
def test_a_broken_table_is_an_error_with_a_remedy(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "a.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_csv(path, ["image", "label"])
    assert str(path) in str(caught.value)
    assert "dvc repro" in str(caught.value)


def test_a_folder_that_can_not_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption between the two renames brings the old folder back."""
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old.txt").touch()
    replace = Path.replace

    def interrupted(self: Path, other: Path) -> Path:
        if other == target and self.name == target.name:
            raise KeyboardInterrupt
        return replace(self, other)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_folder(target) as folder:
        (folder / "new.txt").touch()
    assert [path.name for path in target.iterdir()] == ["old.txt"]
