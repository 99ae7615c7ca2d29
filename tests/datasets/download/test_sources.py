import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bloodcells.core.errors import InputError
from bloodcells.datasets.download.http import RetryPolicy
from bloodcells.datasets.download.sources import Published, choose_sources, fetch
from bloodcells.datasets.fingerprint import Checksums, Fingerprint
from tests.support import smallset
from tests.support.kaggle_site import HANDLE, publish, serving_kaggle
from tests.support.loopback import Site, content, status
from tests.support.smallset import LAYOUT

POLICY = RetryPolicy(connect=5, read=5, attempts=3, backoff=0)
CHANGED = smallset.FILES | {"JPEGImages/BloodImage_00001.jpg": b"another image"}


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with serving_kaggle(tmp_path / "home", monkeypatch) as site:
        yield site


@pytest.fixture
def pinned(tmp_path: Path) -> Checksums:
    return smallset.checksums(tmp_path / "pinned")


class Room:
    """An empty folder, and how to fill it from a source."""

    def __init__(self, path: Path, pinned: Checksums) -> None:
        self.folder, self.scratch, self.local = path / "raw", path / "scratch", path / "data"
        self.folder.mkdir()
        self.pinned = pinned

    def fetch(self, mirror: str | None = None, published: Published = Published(LAYOUT, "")) -> None:  # noqa: B008
        sources = choose_sources(self.local, mirror, published, POLICY)
        fetch(sources, LAYOUT, self.folder, self.scratch, Fingerprint(self.pinned.fingerprint()), [self.pinned])

    def files(self) -> dict[str, bytes]:
        return smallset.read(self.folder)


@pytest.fixture
def room(tmp_path: Path, pinned: Checksums) -> Room:
    return Room(tmp_path, pinned)


def on_git(site: Site, files: dict[str, bytes] = smallset.FILES) -> Published:
    """Publish as the git mirrors do: images in an archive with a README and a table of its own, labels as a file."""
    images = {name: body for name, body in files.items() if name != "labels.csv"}
    beside = {"README.md": b"read me", "labels.csv": b"not the one", ".gitignore": b""}
    archive = site.put("/owner/dataset/tar.gz/commit", content(smallset.tar(images | beside)))
    table = site.put("/owner/other/commit/_inputs/labels.csv", content(files["labels.csv"]))
    return Published(LAYOUT, archive, (table,), HANDLE)


# Local folder


def test_a_local_folder_comes_before_a_mirror(room: Room) -> None:
    smallset.write(room.local)
    room.fetch(mirror="nowhere")
    assert room.files() == smallset.FILES


def test_other_files_in_a_local_folder_are_an_error_without_fallback(room: Room, tmp_path: Path) -> None:
    smallset.write(room.local, CHANGED)
    with pytest.raises(InputError, match=r"differs: JPEGImages/BloodImage_00001\.jpg") as error:
        room.fetch(mirror=str(tmp_path / "pinned"))
    assert "dvc add" in str(error.value)
    assert room.files() == {}


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_an_empty_local_folder_is_an_error(room: Room, make: Any) -> None:
    make(room.local)
    with pytest.raises(InputError, match="data/: "):
        room.fetch()


@pytest.mark.parametrize("top", [".", "dataset-master"])
def test_a_local_folder_may_be_pinned_with_other_files(tmp_path: Path, top: str) -> None:
    files = {f"{top}/{name}".removeprefix("./"): body for name, body in smallset.FILES.items()}
    room = Room(tmp_path, smallset.checksums(tmp_path / "data", files | {"README.md": b"own cells"}))
    room.fetch()
    assert room.files() == smallset.FILES


def test_all_pinned_files_are_verified(tmp_path: Path) -> None:
    room = Room(tmp_path, smallset.checksums(tmp_path / "data", smallset.FILES | {"README.md": b"own cells"}))
    (room.local / "README.md").write_bytes(b"changed")
    with pytest.raises(InputError, match=r"differs: README\.md"):
        room.fetch()


@pytest.mark.parametrize("pinned_with", [{}, {"README.md": b"own cells"}])
def test_os_junk_is_ignored(tmp_path: Path, pinned_with: dict[str, bytes]) -> None:
    room = Room(tmp_path, smallset.checksums(tmp_path / "data", smallset.FILES | pinned_with))
    (room.local / "JPEGImages" / ".DS_Store").write_bytes(b"came by itself")
    room.fetch()
    assert room.files() == smallset.FILES


def test_a_local_folder_may_have_links_into_a_cache(room: Room, tmp_path: Path) -> None:
    smallset.write(tmp_path / "cache")
    smallset.write(room.local)
    for path in room.local.rglob("*.jpg"):
        path.unlink()
        path.symlink_to(tmp_path / "cache" / path.relative_to(room.local))
    room.fetch()
    assert room.files() == smallset.FILES
    assert not any(path.is_symlink() for path in room.folder.rglob("*"))


# Mirror of the user's choice


@pytest.mark.parametrize("top", ["", "dataset-master"])
def test_a_mirror_may_be_a_folder(room: Room, tmp_path: Path, top: str) -> None:
    folder = smallset.write(tmp_path / "mirror" / top)
    smallset.write(tmp_path / "mirror", {"README.md": b"", ".git/HEAD": b""})
    room.fetch(mirror=str(tmp_path / "mirror"))
    assert room.files() == smallset.FILES
    assert smallset.read(folder).items() >= smallset.FILES.items()


def test_a_read_only_mirror_makes_no_read_only_copy(room: Room, tmp_path: Path) -> None:
    for path in smallset.write(tmp_path / "mirror").rglob("*.jpg"):
        path.chmod(0o444)
    room.fetch(mirror=str(tmp_path / "mirror"))
    assert all(path.stat().st_mode & 0o200 for path in room.folder.rglob("*"))


@pytest.mark.parametrize(
    "archive",
    [
        ("set.zip", smallset.zipped(smallset.FILES, top="dataset-master/")),
        ("set.tar", smallset.tar(smallset.FILES, mode="w")),
        ("set.tgz", smallset.tar(smallset.FILES)),
        ("set.tar.xz", smallset.tar(smallset.FILES, top="", mode="w:xz")),
        ("no ending", smallset.zipped(smallset.FILES)),
    ],
)
@pytest.mark.parametrize("kind", ["path", "file", "http"])
def test_a_mirror_may_be_an_archive(
    room: Room, site: Site, tmp_path: Path, kind: str, archive: tuple[str, bytes]
) -> None:
    name, body = archive
    path = tmp_path / name
    path.write_bytes(body)
    site.put("/" + name.replace(" ", "%20"), content(body))
    mirrors = {"path": str(path), "file": path.as_uri(), "http": f"{site.address}/{name}"}
    room.fetch(mirror=mirrors[kind])
    assert room.files() == smallset.FILES


def test_a_mirror_may_be_a_url_without_a_path(room: Room, site: Site) -> None:
    site.put("/", content(smallset.zipped(smallset.FILES)))
    room.fetch(mirror=site.address)
    assert room.files() == smallset.FILES


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (CHANGED, "differs: JPEGImages/BloodImage_00001.jpg"),
        ({**smallset.FILES, "JPEGImages/x.jpg": b""}, "not pinned: JPEGImages/x.jpg"),
        (
            {name: body for name, body in smallset.FILES.items() if "xml" not in name},
            "missing: Annotations/BloodImage_00000.xml",
        ),
    ],
)
def test_other_files_in_a_mirror_are_an_error_without_fallback(
    room: Room, site: Site, changed: dict[str, bytes], expected: str
) -> None:
    url = site.put("/set.zip", content(smallset.zipped(changed)))
    with pytest.raises(InputError, match=expected) as error:
        room.fetch(mirror=url, published=on_git(site))
    assert "BLOODCELLS_MIRROR" in str(error.value)
    assert str(error.value).count("\n") == 2
    assert room.files() == {}
    assert set(site.requests) == {"/set.zip"}


@pytest.mark.parametrize("archive", [smallset.zipped, smallset.tar])
def test_an_archive_that_leads_out_of_its_folder_is_an_error(room: Room, site: Site, archive: Any) -> None:
    body = archive(smallset.FILES | {"../../../../evil": b"evil"}, top="")
    with pytest.raises(InputError, match=r"evil' leads out"):
        room.fetch(mirror=site.put("/set", content(body)))
    assert not list(room.folder.parent.rglob("evil"))
    assert room.files() == {}


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        ("not/there", "/.*not/there does not exist"),
        ("s3://bucket/set.zip", "s3://"),
        ("http://[", "is not a URL"),
        ("http://ä..b/x.zip", "Failed to parse"),
    ],
)
def test_a_wrong_mirror_is_an_error(room: Room, mirror: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        room.fetch(mirror=mirror)


def test_a_mirror_that_returns_a_web_page_is_an_error(room: Room, site: Site) -> None:
    with pytest.raises(InputError, match="neither a zip nor a tar"):
        room.fetch(mirror=site.put("/set.zip", content(b"<html>log in first</html>")))


# Public sources


@pytest.mark.parametrize("mirror", [None, "", " "])
def test_the_git_mirrors_come_first(room: Room, site: Site, mirror: str | None) -> None:
    room.fetch(mirror, on_git(site))
    assert room.files() == smallset.FILES


def test_the_label_table_may_be_deep_in_an_archive(room: Room, site: Site) -> None:
    published = on_git(site)
    gone = site.put("/owner/other/commit/_inputs/labels.csv", status(404))
    table = {"_inputs/labels.csv": smallset.FILES["labels.csv"], "_inputs/images/a.jpeg": b"", "Dockerfile": b""}
    archive = site.put("/owner/other/tar.gz/commit", content(smallset.tar(table)))
    room.fetch(None, Published(LAYOUT, published.images, (gone, archive), HANDLE))
    assert room.files() == smallset.FILES


def on_kaggle(kaggle: Site, files: dict[str, bytes] = smallset.FILES) -> None:
    names = {f"dataset-master/dataset-master/{name}": body for name, body in files.items()}
    beside = {"dataset2-master/dataset2-master/labels.csv": b"", "dataset2-master/images/a.jpeg": b""}
    publish(kaggle, content(smallset.zipped(names | beside)))


@pytest.mark.parametrize("fault", ["404", "500", "cut", "wrong bytes", "no archive", "no table"])
def test_kaggle_comes_next_if_the_git_mirrors_fail(
    room: Room, site: Site, kaggle: Site, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    published = on_git(site, CHANGED if fault == "wrong bytes" else smallset.FILES)
    responses = {"404": status(404), "500": status(500), "cut": content(b"a" * 999, cut=9), "no archive": content(b"a")}
    if fault in responses:
        site.put("/owner/dataset/tar.gz/commit", responses[fault])
    if fault == "no table":
        site.put("/owner/other/commit/_inputs/labels.csv", status(404))
    on_kaggle(kaggle)
    room.fetch(None, published)
    assert room.files() == smallset.FILES
    assert "git mirrors: " in capsys.readouterr().out


def test_if_all_sources_fail_each_reason_is_named(room: Room, site: Site, kaggle: Site) -> None:
    on_kaggle(kaggle, CHANGED)
    with pytest.raises(InputError) as error:
        room.fetch(None, Published(LAYOUT, f"{site.address}/gone", (), HANDLE))
    message = str(error.value)
    assert f"git mirrors: {site.address}/gone: HTTP 404" in message
    assert "Kaggle: these are not the files that data.dvc pins" in message
    assert "differs: JPEGImages/BloodImage_00001.jpg" in message
    assert "BLOODCELLS_MIRROR" in message
    assert room.files() == {}


def test_a_full_disk_ends_the_download(room: Room, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        room.fetch(None, on_git(site))
    assert room.files() == {}
