import os
from pathlib import Path

import pytest

from bloodcells.cli.predict.images import find_images
from bloodcells.core.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.JPG", "a.png", "sub/a.png", "sub/deeper/c.tiff", "notes.txt", ".hidden.png", ".git/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_is_searched_recursively_in_order(folder: Path) -> None:
    found = [image.path.relative_to(folder).as_posix() for image in find_images([folder])]
    assert found == ["a.png", "b.JPG", "sub/a.png", "sub/deeper/c.tiff"]


def test_a_file_named_itself_may_have_any_suffix_and_is_listed_once(folder: Path) -> None:
    named = [folder / "notes.txt", folder / "b.JPG", folder / "missing.png", folder / "b.JPG", folder / "sub"]
    found = [image.path for image in find_images(named)]
    assert found == [*named[:3], folder / "sub" / "a.png", folder / "sub" / "deeper" / "c.tiff"]


def test_the_folder_of_explanation_figures_is_not_searched(folder: Path) -> None:
    images = find_images([folder], exclude=folder / "deep" / ".." / "sub")
    assert [image.path.name for image in images] == ["a.png", "b.JPG"]


def test_no_two_figures_have_the_same_path(folder: Path) -> None:
    other = folder / "sub" / "b.JPG"
    other.touch()
    images = find_images([folder / "a.png", folder / "sub", folder / "b.JPG", folder / "sub" / "deeper"])
    assert [image.figure.as_posix() for image in images] == [
        "a.png.png",
        "a.png-2.png",
        "b.JPG.png",
        "deeper/c.tiff.png",
        "b.JPG-2.png",
    ]


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="contains no images"):
        find_images([tmp_path])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_an_error(folder: Path) -> None:
    (folder / "sub").chmod(0)
    try:
        with pytest.raises(InputError, match="sub can't be read: Permission denied"):
            find_images([folder])
    finally:
        (folder / "sub").chmod(0o700)


def test_the_folder_of_the_figures_can_not_be_the_one_that_is_searched(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match="--explain"):
        find_images([tmp_path], exclude=tmp_path)
