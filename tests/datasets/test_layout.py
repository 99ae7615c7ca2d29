import os
from pathlib import Path

import pytest

from bloodcells.core.errors import InputError
from bloodcells.datasets.layout import all_files, copy_files, find_layout, layout_files
from tests.support import smallset
from tests.support.smallset import LAYOUT


@pytest.mark.parametrize("below", [".", "dataset-master", "one/two/three"])
def test_the_layout_is_found_at_the_top_and_below(tmp_path: Path, below: str) -> None:
    smallset.write(tmp_path / below)
    smallset.write(tmp_path / "other", {"labels.csv": b"a table without images"})
    assert find_layout(tmp_path, LAYOUT.required) == tmp_path / below


def test_a_folder_without_the_layout_is_an_error_that_lists_its_content(tmp_path: Path) -> None:
    smallset.write(tmp_path, {"labels.csv": b"", "pictures/a.jpg": b""})
    with pytest.raises(InputError, match=r"JPEGImages and labels.csv.*found: labels.csv, pictures"):
        find_layout(tmp_path, LAYOUT.required)


def test_links_are_not_searched(tmp_path: Path) -> None:
    smallset.write(tmp_path / "elsewhere")
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="found: link"):
        find_layout(tmp_path / "top", LAYOUT.required)


def test_two_layouts_are_an_error(tmp_path: Path) -> None:
    smallset.write(tmp_path / "a")
    smallset.write(tmp_path / "b")
    with pytest.raises(InputError, match=r"several folders .*\(a, b\)"):
        find_layout(tmp_path, LAYOUT.required)


def test_only_the_layout_is_listed_and_copied(tmp_path: Path) -> None:
    beside = {"README.md": b"", ".DS_Store": b"", ".git/HEAD": b"", "JPEGImages-old/a.jpg": b""}
    within = {"JPEGImages/.DS_Store": b"", "JPEGImages/Thumbs.db": b"", "Annotations/._a.xml": b""}
    source = smallset.write(tmp_path / "source", smallset.FILES | beside | within)
    copy_files(layout_files(LAYOUT, source, source), tmp_path / "copy")
    assert smallset.read(tmp_path / "copy") == smallset.FILES
    assert set(all_files(source)) == {*smallset.FILES, *beside, *within} - {".git/HEAD"}


def test_annotations_are_optional(tmp_path: Path) -> None:
    smallset.write(tmp_path, {"labels.csv": b"", "JPEGImages/a.jpg": b""})
    root = find_layout(tmp_path, LAYOUT.required)
    assert set(layout_files(LAYOUT, root, tmp_path)) == {"labels.csv", "JPEGImages/a.jpg"}


def test_a_link_that_leads_out_is_an_error(tmp_path: Path) -> None:
    source = smallset.write(tmp_path / "source")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (source / "JPEGImages" / "link.jpg").symlink_to(secret)
    with pytest.raises(InputError, match=r"link\.jpg is a link"):
        layout_files(LAYOUT, source, source)
    copies = copy_files(layout_files(LAYOUT, source, source, allow_links=True), tmp_path / "copy")
    assert not copies["JPEGImages/link.jpg"].is_symlink()
    assert copies["JPEGImages/link.jpg"].read_text() == "secret"


def test_a_link_within_the_folder_is_copied_as_a_file(tmp_path: Path) -> None:
    source = smallset.write(tmp_path / "source")
    (source / "JPEGImages" / "link.jpg").symlink_to("BloodImage_00000.jpg")
    copies = copy_files(layout_files(LAYOUT, source, source), tmp_path / "copy")
    assert not copies["JPEGImages/link.jpg"].is_symlink()
    assert copies["JPEGImages/link.jpg"].read_bytes() == smallset.FILES["JPEGImages/BloodImage_00000.jpg"]


@pytest.mark.parametrize("part", ["Annotations", "JPEGImages"])
def test_a_linked_folder_is_an_error(tmp_path: Path, part: str) -> None:
    source = smallset.write(tmp_path / "source")
    (source / part).rename(tmp_path / "elsewhere")
    (source / part).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=f"{part} is a link"):
        layout_files(LAYOUT, source, source)


def test_a_pipe_is_an_error(tmp_path: Path) -> None:
    source = smallset.write(tmp_path / "source")
    os.mkfifo(source / "JPEGImages" / "pipe.jpg")
    with pytest.raises(InputError, match=r"pipe\.jpg is not a file"):
        layout_files(LAYOUT, source, source)


@pytest.mark.parametrize("target", ["nowhere.jpg", "gone.jpg"])
def test_a_broken_link_is_an_error(tmp_path: Path, target: str) -> None:
    source = smallset.write(tmp_path / "source")
    (source / "JPEGImages" / "gone.jpg").symlink_to(target)
    with pytest.raises(InputError, match=r"gone\.jpg is not a file"):
        layout_files(LAYOUT, source, source)
