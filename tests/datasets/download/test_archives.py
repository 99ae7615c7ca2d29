import io
import random
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from bloodcells.core.errors import InputError
from bloodcells.datasets.download.archives import is_archive, unpack
from tests.support import smallset

OUTSIDE = ["../evil.txt", "JPEGImages/../../evil.txt", "HERE/evil.txt", "..\\evil.txt", "C:\\evil.txt", "\\evil.txt"]


def packed(kind: str, files: dict[str, bytes]) -> bytes:
    if kind == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, body in files.items():
                info = zipfile.ZipInfo("x")
                info.compress_type = zipfile.ZIP_DEFLATED
                info.filename = name  # zipfile would normalize the name
                archive.writestr(info, body)
        return buffer.getvalue()
    return smallset.tar(files, top="", mode=kind)


@pytest.mark.parametrize("kind", ["zip", "w", "w:gz", "w:xz", "w:bz2"])
def test_every_kind_of_archive_is_unpacked(tmp_path: Path, kind: str) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(packed(kind, smallset.FILES))
    assert is_archive(archive)
    unpack(archive, tmp_path / "out")
    assert smallset.read(tmp_path / "out") == smallset.FILES


def test_only_wanted_members_are_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(packed("w:gz", smallset.FILES))
    unpack(archive, tmp_path / "out", lambda name: name == "labels.csv")
    assert set(smallset.read(tmp_path / "out")) == {"labels.csv"}


@pytest.mark.parametrize("kind", ["zip", "w:gz"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_member_that_leads_out_is_an_error(tmp_path: Path, kind: str, name: str) -> None:
    archive = tmp_path / "in" / "archive"
    archive.parent.mkdir()
    archive.write_bytes(packed(kind, {"JPEGImages/a.jpg": b"a", name.replace("HERE", str(tmp_path)): b"evil"}))
    with pytest.raises(InputError, match=r"evil\.txt.*(leads out|absolute)"):
        unpack(archive, tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(tarfile.SYMTYPE, "a link to '/etc/passwd'"), (tarfile.LNKTYPE, "a link"), (tarfile.FIFOTYPE, "a special file")],
)
def test_links_and_devices_in_a_tar_are_errors(tmp_path: Path, kind: bytes, expected: str) -> None:
    archive = tmp_path / "archive.tar"
    with tarfile.open(archive, "w") as tar:
        info = tarfile.TarInfo("JPEGImages/a.jpg")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(InputError, match=rf"'JPEGImages/a\.jpg' is {expected}"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_errors(tmp_path: Path, mode: int) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        info = zipfile.ZipInfo("JPEGImages/a.jpg")
        info.external_attr = (mode | 0o777) << 16
        zipped.writestr(info, "/etc/passwd")
    with pytest.raises(InputError, match=r"'JPEGImages/a\.jpg' is a"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", ["zip", "w:gz"])
def test_a_decompression_bomb_is_an_error(tmp_path: Path, kind: str) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(packed(kind, {"a": b"small", "bomb": b"\0" * 1_000_000, "c": b""}))
    assert archive.stat().st_size < 10_000
    with pytest.raises(InputError, match="'bomb' exceeds the limit of 500000 bytes"):
        unpack(archive, tmp_path / "out", limit=500_000)
    assert set(smallset.read(tmp_path / "out")) == {"a"}


@pytest.mark.parametrize("kind", ["zip", "w:gz", "w:xz"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_truncated_archive_is_an_error(tmp_path: Path, kind: str, share: float) -> None:
    archive = tmp_path / "archive"
    whole = packed(kind, {"a.jpg": random.Random(1).randbytes(50_000)})
    archive.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"archive is (damaged|neither)"):
        unpack(archive, tmp_path / "out")


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(packed("w", {"a": b"", "a/b": b""}))
    with pytest.raises(InputError, match="'a/b' can't be unpacked"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("body", [b"", b"<html>not found</html>", b"\x1f\x8b", b"PK\x03\x04"])
def test_what_is_not_an_archive_is_an_error(tmp_path: Path, body: bytes) -> None:
    archive = tmp_path / "page"
    archive.write_bytes(body)
    with pytest.raises(InputError, match="page is"):
        unpack(archive, tmp_path / "out")
