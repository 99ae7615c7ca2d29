"""Safe unpacking of zip and tar archives from untrusted sources."""

import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bloodcells.core.errors import DISK_FULL, InputError

SIZE_LIMIT = 2**30
"""An archive that unpacks to more bytes is refused; the published set has under 9 million."""

_MAX_MEMBERS = 100_000

_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)
"""What the libraries raise for damaged, encrypted or unsupported content (NotImplementedError is a RuntimeError)."""


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    kind: str
    """`file`, `folder`, or a description of anything else."""
    open: Callable[[], IO[bytes] | None]


def is_archive(path: Path) -> bool:
    """Return whether the content of a file is that of a zip or tar, compressed or not, possibly damaged."""
    try:
        return tarfile.is_tarfile(path) or zipfile.is_zipfile(path)
    except _BROKEN:
        return True


def unpack(
    archive: Path, folder: Path, wanted: Callable[[str], bool] = lambda name: True, limit: int = SIZE_LIMIT
) -> None:
    """Unpack the files of `archive` whose names are `wanted` into `folder`.

    Raises:
        InputError: the file is not an archive or is damaged; or a member is a link or a device, leads out of the
            folder, or exceeds `limit` bytes together with those before it. The message names the member.
    """
    total = count = 0
    name = None
    try:
        for member in _members(archive):
            name = member.name
            count += 1
            total += member.size
            fault = _fault(member)
            if fault is None and (total > limit or count > _MAX_MEMBERS):
                fault = f"exceeds the limit of {limit} bytes or {_MAX_MEMBERS} files: unpack it and name the folder"
            if fault is not None:
                raise InputError(f"{archive.name}: the member {name!r} {fault}")
            if member.kind == "file" and wanted(name):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                source = member.open()
                assert source is not None, "a plain file has content"
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
    except _BROKEN as error:
        where = f" at or after the member {name!r}" if name else ""
        raise InputError(f"{archive.name} is damaged or can't be read{where} ({error})") from None
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise InputError(f"{archive.name}: the member {name!r} can't be unpacked ({error.strerror or error})") from None


def _fault(member: _Member) -> str | None:
    parts = re.split(r"[/\\]", member.name)
    if parts[0] == "" or re.match(r"[A-Za-z]:", member.name):
        return "has an absolute path: do not trust this archive"
    if ".." in parts:
        return "leads out of its folder: do not trust this archive"
    if member.kind not in ("file", "folder"):
        return f"is {member.kind}: pack the files themselves"
    return None


def _members(archive: Path) -> Iterator[_Member]:
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            for info in tar:
                yield _Member(info.name, info.size, _tar_kind(info), lambda info=info: tar.extractfile(info))  # type: ignore[misc]
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                yield _Member(entry.filename, entry.file_size, _zip_kind(entry), lambda entry=entry: zipped.open(entry))  # type: ignore[misc]
    else:
        raise InputError(f"{archive.name} is neither a zip nor a tar: check its address")


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return f"a link to {info.linkname!r}"
    if info.isdir():
        return "folder"
    return "file" if info.isreg() else "a special file"


def _zip_kind(entry: zipfile.ZipInfo) -> str:
    mode = entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a link"
    if entry.is_dir():
        return "folder"
    return "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "a special file"
