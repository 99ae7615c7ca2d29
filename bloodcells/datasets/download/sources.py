"""The sources of a pinned data set, and the order in which they are tried."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from bloodcells.core.errors import DISK_FULL, InputError
from bloodcells.datasets.download.archives import is_archive, unpack
from bloodcells.datasets.download.http import RETRY_POLICY, RetryPolicy, download, redact_url
from bloodcells.datasets.fingerprint import Checksums, Fingerprint, hash_files, verify
from bloodcells.datasets.layout import Layout, all_files, copy_files, find_layout, is_os_junk, layout_files

_OTHER_SOURCES = (
    "put the data set into data/, or name a copy in BLOODCELLS_MIRROR (a folder, a zip or tar, or the URL of one)"
)


@dataclass(frozen=True)
class Published:
    """Where a data set is published.

    Attributes:
        layout: what is where in it.
        images: URL of an archive of the images and annotations.
        labels: URLs of the label table, or of an archive that contains it; each is tried if the ones before it fail.
        kaggle: the data set's Kaggle handle.
    """

    layout: Layout
    images: str
    labels: tuple[str, ...] = ()
    kaggle: str | None = None


@dataclass(frozen=True)
class Source:
    """A place that may have the data set.

    Attributes:
        name: name in messages.
        get: returns a folder that contains the layout; may use the empty folder that it is given.
        remedy: what the user can do if the source fails.
        pinned_whole: whether the fingerprint covers the whole folder, including files outside the layout.
    """

    name: str
    get: Callable[[Path], Path]
    remedy: str
    pinned_whole: bool = False


def choose_sources(
    local: Path,
    mirror: str | None,
    published: Published,
    policy: RetryPolicy = RETRY_POLICY,
    cached: Mapping[str, Path] | None = None,
    origin: Path | None = None,
) -> list[Source]:
    """Return the sources to try in order: only the one that the user chose, or else local copies and the public ones.

    Args:
        local: a folder that comes first if it exists.
        mirror: a folder, an archive or a URL that the user chose.
        published: the public sources.
        policy: how often to retry a download.
        cached: the pinned files in DVC's cache, by their path in the data set.
        origin: the folder like `local` in the repository from which an experiment was sent to a temporary folder.
    """
    if os.path.lexists(local):
        remedy = (
            f"restore {local}/ (`dvc checkout {local}.dvc` if DVC has it), run `dvc add {local}` if you meant to "
            f"change it, or move {local}/ away to download the data set"
        )
        return [Source(f"{local}/", lambda scratch: _folder(local), remedy, pinned_whole=True)]
    if mirror and mirror.strip():
        remedy = "correct it, name another one in BLOODCELLS_MIRROR, or unset that to download the data set"
        name = redact_url(mirror) if _is_url(mirror) else mirror
        return [Source(f"BLOODCELLS_MIRROR ({name})", lambda scratch: _mirror(mirror.strip(), scratch, policy), remedy)]
    handle = published.kaggle
    files = [Source("DVC's cache", lambda scratch: _restore(cached, scratch), _OTHER_SOURCES, True)] if cached else []
    if origin is not None and origin.is_dir():
        files.insert(0, Source(str(origin), lambda scratch: origin, _OTHER_SOURCES, pinned_whole=True))
    return [
        *files,
        Source("git mirrors", lambda scratch: _git(published, scratch, policy), _OTHER_SOURCES),
        *([Source("Kaggle", lambda scratch: _kaggle(handle, policy), _OTHER_SOURCES)] if handle else []),
    ]


def fetch(
    sources: Sequence[Source],
    layout: Layout,
    folder: Path,
    scratch: Path,
    expected: Fingerprint,
    known: Sequence[Checksums | None] = (),
) -> None:
    """Fill an empty folder with the layout from the first source that has the expected files.

    The folder stays empty until all files have been verified.

    Args:
        sources: the sources in order.
        layout: what to take from them.
        folder: the folder to fill.
        scratch: an empty folder for downloads on the same disk; the caller removes it.
        expected: the fingerprint of the files.
        known: checksums that may be those of the expected files, to name the files that differ.

    Raises:
        InputError: no source has the files; the message has the reason for each, and the remedy.
    """
    reasons = []
    for number, source in enumerate(sources):
        print(f"trying {source.name}", flush=True)
        own_scratch = scratch / str(number)
        own_scratch.mkdir(parents=True)
        try:
            verified = _verified_copy(source, layout, own_scratch, expected, known)
        except InputError as error:
            reasons.append(f"{source.name}: {error}")
            if number + 1 < len(sources):
                print(reasons[-1], flush=True)
            continue
        for part in verified.iterdir():
            part.rename(folder / part.name)
        print(f"{source.name}: verified all files against data.dvc ({expected.md5})")
        return
    if len(sources) == 1:
        raise InputError(f"{reasons[0]}\n{sources[0].remedy}")
    tried = "\n".join(f"- {reason}" for reason in reasons)
    raise InputError(f"no source has the data set:\n{tried}\nrun it again with network access, {sources[-1].remedy}")


def _verified_copy(
    source: Source, layout: Layout, scratch: Path, expected: Fingerprint, known: Sequence[Checksums | None]
) -> Path:
    """Copy the layout from a source, verify the copy, and return its folder."""
    work, copy = scratch / "work", scratch / "copy"
    work.mkdir()
    try:
        top = source.get(work)
        root = find_layout(top, layout.required)
        copies = copy_files(layout_files(layout, root, top, allow_links=source.pinned_whole), copy)
        verify(_candidates(root, top if source.pinned_whole else root, copies), expected, known)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        where = f": {error.filename}" if error.filename else ""
        raise InputError(f"{error.strerror or error}{where}") from None
    return copy


def _candidates(root: Path, whole: Path, copies: dict[str, Path]) -> Iterator[Checksums]:
    """Yield what may have been pinned: the layout alone, or the layout and the files beside it (a README, say)."""
    yield hash_files(copies)
    for base in dict.fromkeys((root, whole)):
        prefix = "" if base == root else root.relative_to(base).as_posix() + "/"
        copied = {prefix + name: path for name, path in copies.items()}
        found = all_files(base)
        yield hash_files(found | copied)
        yield hash_files({name: path for name, path in found.items() if not is_os_junk(path.name)} | copied)


def find_in_cache(pinned: Checksums | None, cache: Path) -> dict[str, Path] | None:
    """Return where DVC's cache holds each pinned file, or None if it lacks one."""
    files = {name: cache / md5[:2] / md5[2:] for name, md5 in pinned.md5s.items()} if pinned else {}
    return files if files and all(path.is_file() for path in files.values()) else None


def _restore(files: Mapping[str, Path], scratch: Path) -> Path:
    for name, path in files.items():
        target = scratch / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return scratch


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise InputError(f"{path} is not a folder")
    return path


def _is_url(mirror: str) -> bool:
    return re.match(r"https?://", mirror.strip(), re.IGNORECASE) is not None


def _mirror(mirror: str, scratch: Path, policy: RetryPolicy) -> Path:
    if _is_url(mirror):
        name = Path(urlsplit(mirror).path).name
        archive = scratch / (name if name.strip(".") else "archive")
        download(mirror, archive, policy)
        return _unpacked(archive, scratch)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", mirror)
    if scheme and scheme[1].lower() == "file":
        path = Path(url2pathname(urlsplit(mirror).path))
    elif scheme and "://" in mirror:
        raise InputError(f"URLs with {scheme[1]}:// are not supported: use http, https or file")
    else:
        path = Path(mirror).expanduser()
    if path.is_dir():
        return path
    if not path.is_file():
        raise InputError(f"{path.resolve()} does not exist")
    return _unpacked(path, scratch)


def _unpacked(archive: Path, scratch: Path) -> Path:
    folder = scratch / f"{archive.name}.unpacked"
    folder.mkdir()
    unpack(archive, folder)
    return folder


def _git(published: Published, scratch: Path, policy: RetryPolicy) -> Path:
    archive = scratch / "images.tar.gz"
    download(published.images, archive, policy)
    folder = find_layout(_unpacked(archive, scratch), (published.layout.images,))
    if published.labels:
        table = published.layout.labels
        _label_table(published.labels, table, scratch, policy).replace(folder / table)
    return folder


def _label_table(urls: Sequence[str], table: str, scratch: Path, policy: RetryPolicy) -> Path:
    reasons = []
    for number, url in enumerate(urls):
        path = scratch / f"labels-{number}"
        try:
            download(url, path, policy)
            if not is_archive(path):
                return path
            folder = scratch / f"labels-{number}-unpacked"
            unpack(path, folder, lambda name: name.rpartition("/")[2] == table)
            return find_layout(folder, (table,)) / table
        except InputError as error:
            reasons.append(str(error))
    raise InputError("; ".join(reasons))


def _kaggle(handle: str, policy: RetryPolicy) -> Path:
    from bloodcells.datasets.download import kaggle  # noqa: PLC0415  importing kagglehub takes a second

    return kaggle.download(handle, policy)
