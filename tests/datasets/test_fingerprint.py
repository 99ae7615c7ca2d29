import json
import os
from pathlib import Path

import pytest

from bloodcells.core.errors import InputError
from bloodcells.datasets.fingerprint import Listing, Pin, hold, list_files, read_listing, read_pin

ROOT = Path(__file__).parents[2]
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
ADDED_PIN = "6d96f864f67874241b42b32d97c446ab.dir"
ADDED_OBJECT = (
    '[{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "Annotations/b.xml"}, '
    '{"md5": "149603e6c03516362a8da23f624db945", "relpath": "JPEGImages-old/b.jpg"}, '
    '{"md5": "e4f7981a7e3b887516e863b95c969e50", "relpath": "JPEGImages/Zelle \\u00e4.jpg"}, '
    '{"md5": "92eb5ffee6ae2fec3ad71c777531578f", "relpath": "JPEGImages/b.jpg"}, '
    '{"md5": "2eb6f3d85c8037648139f3ae51ee5274", "relpath": "README"}, '
    '{"md5": "e86e43c16bd0935333bb8c444f356b4e", "relpath": "labels.csv"}]'
)


def test_files_hash_to_what_dvc_computes(tmp_path: Path) -> None:
    for name, text in ADDED.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    listing = list_files({name: tmp_path / name for name in ADDED})
    assert listing.pin() == ADDED_PIN
    assert listing.size == 50


def test_dvcs_own_listing_is_read(tmp_path: Path) -> None:
    (tmp_path / "object.dir").write_text(ADDED_OBJECT)
    listing = read_listing(tmp_path / "object.dir")
    assert listing is not None
    assert listing.pin() == ADDED_PIN


def test_the_committed_listing_is_that_of_the_published_set() -> None:
    listing = read_listing(ROOT / "bloodcells" / "bccd" / "files.md5")
    assert listing is not None
    assert listing.pin() == PUBLISHED
    assert len(listing.md5s) == 710
    assert read_pin(PUBLISHED, ROOT / "data.dvc").md5 == PUBLISHED


@pytest.mark.parametrize("text", ["", "no listing\n", "[1, 2]", '[{"md5": 1}]', "[", "\x00\n"])
def test_what_is_no_listing_is_none_or_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "listing").write_text(text)
    listing = read_listing(tmp_path / "listing")
    assert listing is None or not listing.md5s
    assert read_listing(tmp_path / "absent") is None


def test_number_and_size_come_from_the_dvc_file_of_the_same_pin(tmp_path: Path) -> None:
    path = tmp_path / "data.dvc"
    path.write_text(f"outs:\n- md5: {PUBLISHED}\n  size: 8703096\n  nfiles: 710\n  hash: md5\n  path: data\n")
    assert read_pin(PUBLISHED, path) == Pin(PUBLISHED, 710, 8703096)
    assert read_pin(ADDED_PIN, path) == Pin(ADDED_PIN)
    path.write_text("outs: [")
    assert read_pin(PUBLISHED, path) == Pin(PUBLISHED)


@pytest.mark.parametrize("md5", ["", "latest", PUBLISHED.removesuffix(".dir"), PUBLISHED.upper(), f"../{PUBLISHED}"])
def test_what_pins_no_folder_is_refused(md5: str) -> None:
    with pytest.raises(InputError, match="dvc add data"):
        read_pin(md5, Path("data.dvc"))


def test_any_of_the_listings_may_fit() -> None:
    other, pinned = Listing({"a": "1" * 32}), Listing({"a": "1" * 32, "README": "2" * 32})
    hold([other, pinned], Pin(pinned.pin()))


def test_listings_after_the_one_that_fits_are_not_made() -> None:
    def listings() -> object:
        yield Listing({"a": "1" * 32})
        raise AssertionError("asked for more")

    hold(listings(), Pin(Listing({"a": "1" * 32}).pin()))  # type: ignore[arg-type]


def test_differing_files_are_named() -> None:
    expected = Listing({"same": "1" * 32, "changed": "2" * 32, "lost": "3" * 32})
    found = Listing({"same": "1" * 32, "changed": "9" * 32, "new": "4" * 32})
    with pytest.raises(InputError) as error:
        hold([found], Pin(expected.pin()), [None, found, expected])
    lines = str(error.value).splitlines()[1:]
    assert [line.strip() for line in lines] == ["differs: changed", "missing: lost", "not pinned: new"]


def test_a_renamed_file_is_a_difference() -> None:
    expected = Listing({"a": "1" * 32})
    with pytest.raises(InputError, match="missing: a"):
        hold([Listing({"b": "1" * 32})], Pin(expected.pin()), [expected])


def test_of_many_differing_files_ten_are_named_and_the_rest_counted() -> None:
    expected = Listing({f"{i:02}": "1" * 32 for i in range(25)})
    with pytest.raises(InputError) as error:
        hold([Listing({})], Pin(expected.pin()), [expected])
    lines = str(error.value).splitlines()
    assert len(lines) == 12
    assert lines[-1].strip() == "and 15 more"


def test_without_a_listing_the_numbers_are_given() -> None:
    stranger = Listing({"b": "2" * 32})
    with pytest.raises(InputError, match=r"found 1 files of 5 bytes; pinned are 710 files of 8703096 bytes"):
        hold([Listing({"a": "1" * 32}, 5)], Pin(PUBLISHED, 710, 8703096), [None, stranger])


@pytest.mark.skipif(not (ROOT / "../shared/bccd/dataset-master").is_dir(), reason="the real set is not here")
def test_the_real_set_has_the_published_pin() -> None:
    folder = ROOT / "../shared/bccd/dataset-master"
    paths = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    listing = list_files({path.relative_to(folder).as_posix(): path for path in paths})
    assert (listing.pin(), listing.size) == (PUBLISHED, 8703096)
    committed = read_listing(ROOT / "bloodcells" / "bccd" / "files.md5")
    assert committed is not None
    assert json.dumps(committed.md5s, sort_keys=True) == json.dumps(listing.md5s, sort_keys=True)
