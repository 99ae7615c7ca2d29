import os
from pathlib import Path

import pytest

from bloodcells.cli.predict.images import find_sources
from bloodcells.core.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.JPG", "a.png", "sub/a.png", "sub/deeper/c.tiff", "notes.txt", ".hidden.png", ".git/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_gives_its_images_and_those_below_in_order(folder: Path) -> None:
    found = [source.path.relative_to(folder).as_posix() for source in find_sources([folder])]
    assert found == ["a.png", "b.JPG", "sub/a.png", "sub/deeper/c.tiff"]


def test_what_is_named_is_taken_whatever_its_name_and_each_once(folder: Path) -> None:
    named = [folder / "notes.txt", folder / "b.JPG", folder / "missing.png", folder / "b.JPG", folder / "sub"]
    found = [source.path for source in find_sources(named)]
    assert found == [*named[:3], folder / "sub" / "a.png", folder / "sub" / "deeper" / "c.tiff"]


def test_the_pictures_of_a_run_are_no_images_of_the_next(folder: Path) -> None:
    sources = find_sources([folder], apart=folder / "deep" / ".." / "sub")
    assert [source.path.name for source in sources] == ["a.png", "b.JPG"]


def test_no_two_pictures_have_one_path(folder: Path) -> None:
    other = folder / "sub" / "b.JPG"
    other.touch()
    sources = find_sources([folder / "a.png", folder / "sub", folder / "b.JPG", folder / "sub" / "deeper"])
    assert [source.picture.as_posix() for source in sources] == [
        "a.png.png",
        "a.png-2.png",
        "b.JPG.png",
        "deeper/c.tiff.png",
        "b.JPG-2.png",
    ]


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="contains no images"):
        find_sources([tmp_path])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_is_an_error(folder: Path) -> None:
    (folder / "sub").chmod(0)
    try:
        with pytest.raises(InputError, match="sub can't be read: Permission denied"):
            find_sources([folder])
    finally:
        (folder / "sub").chmod(0o700)
