import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bloodcells.core.errors import InputError
from bloodcells.datasets.fingerprint import (
    Checksums,
    Fingerprint,
    hash_files,
    read_checksums,
    read_fingerprint,
    verify,
)

ROOT = Path(__file__).parents[2]
CHECKSUMS = ROOT / "datasets" / "bccd" / "source" / "files.md5"
PUBLISHED = "5509ad5d0a27f562a049d08381f3a988.dir"

# `dvc add` of DVC 3.67.1 gave this hash, this size and this object for these files.
ADDED = {
    "labels.csv": ",Image,Category\r\n,0,NEUTROPHIL\r\n",
    "JPEGImages/b.jpg": "b",
    "JPEGImages-old/b.jpg": "old",
    "JPEGImages/Zelle ä.jpg": "umlaut",
    "Annotations/b.xml": "",
    "README": "read me\n",
}
ADDED_FINGERPRINT = "6d96f864f67874241b42b32d97c446ab.dir"
ADDED_OBJECT = (
    '[{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "Annotations/b.xml"}, '
    '{"md5": "149603e6c03516362a8da23f624db945", "relpath": "JPEGImages-old/b.jpg"}, '
    '{"md5": "e4f7981a7e3b887516e863b95c969e50", "relpath": "JPEGImages/Zelle \\u00e4.jpg"}, '
    '{"md5": "92eb5ffee6ae2fec3ad71c777531578f", "relpath": "JPEGImages/b.jpg"}, '
    '{"md5": "2eb6f3d85c8037648139f3ae51ee5274", "relpath": "README"}, '
    '{"md5": "e86e43c16bd0935333bb8c444f356b4e", "relpath": "labels.csv"}]'
)


def test_the_fingerprint_is_the_one_that_dvc_computes(tmp_path: Path) -> None:
    for name, text in ADDED.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    checksums = hash_files({name: tmp_path / name for name in ADDED})
    assert checksums.fingerprint() == ADDED_FINGERPRINT
    assert checksums.size == 50


def test_checksums_are_read_from_dvcs_cache(tmp_path: Path) -> None:
    (tmp_path / "object.dir").write_text(ADDED_OBJECT)
    checksums = read_checksums(tmp_path / "object.dir")
    assert checksums is not None
    assert checksums.fingerprint() == ADDED_FINGERPRINT


def test_the_committed_checksums_are_those_of_the_published_set() -> None:
    checksums = read_checksums(CHECKSUMS)
    assert checksums is not None
    assert checksums.fingerprint() == PUBLISHED
    assert len(checksums.md5s) == 710
    assert read_fingerprint(PUBLISHED, ROOT / "data.dvc").md5 == PUBLISHED


@pytest.mark.parametrize("text", ["", "no checksums\n", "[1, 2]", '[{"md5": 1}]', "[", "\x00\n"])
def test_a_file_without_checksums_gives_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "checksums").write_text(text)
    checksums = read_checksums(tmp_path / "checksums")
    assert checksums is None or not checksums.md5s
    assert read_checksums(tmp_path / "absent") is None


def test_number_and_size_come_from_the_dvc_file_with_the_same_hash(tmp_path: Path) -> None:
    path = tmp_path / "data.dvc"
    path.write_text(f"outs:\n- md5: {PUBLISHED}\n  size: 8703096\n  nfiles: 710\n  hash: md5\n  path: data\n")
    assert read_fingerprint(PUBLISHED, path) == Fingerprint(PUBLISHED, 710, 8703096)
    assert read_fingerprint(ADDED_FINGERPRINT, path) == Fingerprint(ADDED_FINGERPRINT)
    path.write_text("outs: [")
    assert read_fingerprint(PUBLISHED, path) == Fingerprint(PUBLISHED)


@pytest.mark.parametrize("md5", ["", "latest", PUBLISHED.removesuffix(".dir"), PUBLISHED.upper(), f"../{PUBLISHED}"])
def test_what_is_not_the_hash_of_a_folder_is_an_error(md5: str) -> None:
    with pytest.raises(InputError, match="dvc add data"):
        read_fingerprint(md5, Path("data.dvc"))


def test_any_candidate_may_match() -> None:
    other, pinned = Checksums({"a": "1" * 32}), Checksums({"a": "1" * 32, "README": "2" * 32})
    verify([other, pinned], Fingerprint(pinned.fingerprint()))


def test_candidates_after_a_match_are_not_computed() -> None:
    def candidates() -> Iterator[Checksums]:
        yield Checksums({"a": "1" * 32})
        raise AssertionError("computed another candidate")

    verify(candidates(), Fingerprint(Checksums({"a": "1" * 32}).fingerprint()))


def test_files_that_differ_are_named() -> None:
    expected = Checksums({"same": "1" * 32, "changed": "2" * 32, "lost": "3" * 32})
    found = Checksums({"same": "1" * 32, "changed": "9" * 32, "new": "4" * 32})
    with pytest.raises(InputError) as error:
        verify([found], Fingerprint(expected.fingerprint()), [None, found, expected])
    lines = str(error.value).splitlines()[1:]
    assert [line.strip() for line in lines] == ["differs: changed", "missing: lost", "not pinned: new"]


def test_a_renamed_file_is_a_difference() -> None:
    expected = Checksums({"a": "1" * 32})
    with pytest.raises(InputError, match="missing: a"):
        verify([Checksums({"b": "1" * 32})], Fingerprint(expected.fingerprint()), [expected])


def test_at_most_ten_files_that_differ_are_named() -> None:
    expected = Checksums({f"{i:02}": "1" * 32 for i in range(25)})
    with pytest.raises(InputError) as error:
        verify([Checksums({})], Fingerprint(expected.fingerprint()), [expected])
    lines = str(error.value).splitlines()
    assert len(lines) == 12
    assert lines[-1].strip() == "and 15 more"


def test_without_checksums_the_numbers_of_files_are_named() -> None:
    stranger = Checksums({"b": "2" * 32})
    with pytest.raises(InputError, match=r"found 1 files of 5 bytes, pinned are 710 files of 8703096 bytes"):
        verify([Checksums({"a": "1" * 32}, 5)], Fingerprint(PUBLISHED, 710, 8703096), [None, stranger])


@pytest.mark.skipif(not (ROOT / "../shared/bccd/dataset-master").is_dir(), reason="needs the published data set")
def test_the_published_set_has_the_published_fingerprint() -> None:
    folder = ROOT / "../shared/bccd/dataset-master"
    paths = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    checksums = hash_files({path.relative_to(folder).as_posix(): path for path in paths})
    assert (checksums.fingerprint(), checksums.size) == (PUBLISHED, 8703096)
    committed = read_checksums(CHECKSUMS)
    assert committed is not None
    assert json.dumps(committed.md5s, sort_keys=True) == json.dumps(checksums.md5s, sort_keys=True)
