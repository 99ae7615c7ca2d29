"""Where the bytes of a pinned set may come from, and in which order."""

import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from bloodcells.core.errors import InputError
from bloodcells.datasets.download.archives import is_archive, unpack
from bloodcells.datasets.download.http import PATIENCE, Patience, download, shown
from bloodcells.datasets.fingerprint import Listing, Pin, hold, list_files
from bloodcells.datasets.layout import IMAGES, LABELS, all_files, copy, find, litter, part_files

_ELSEWHERE = (
    "put the set into data/, or name a copy in BLOODCELLS_MIRROR (a folder, a zip or tar, or an address of one)"
)


@dataclass(frozen=True)
class Published:
    """Where a set is published."""

    images: str = "https://codeload.github.com/cosmicad/dataset/tar.gz/bebbc655aa704b3afc7cc617cc4169ab49469c1d"
    """Address of an archive with the images and the annotations."""
    labels: tuple[str, ...] = (
        "https://raw.githubusercontent.com/dhruvp/wbc-classification/0b22eb2084b1004d464fb5ab87adc85ab94b2079/_inputs/labels.csv",
        "https://codeload.github.com/dhruvp/wbc-classification/tar.gz/0b22eb2084b1004d464fb5ab87adc85ab94b2079",
    )
    """Addresses of the label table or of an archive that has it somewhere; the next where one is not there."""
    kaggle: str = "paultimothymooney/blood-cells"
    """Kaggle's handle of the set."""


PUBLISHED = Published()


@dataclass(frozen=True)
class Source:
    """One place that the set may come from."""

    name: str
    get: Callable[[Path], Path]
    """Gives a folder that has the layout in it; may use the empty folder that it is given."""
    remedy: str
    """What a user can do where the source is wrong."""
    pinned_whole: bool = False
    """Whether the whole of that folder is what was pinned, with what it has beside the layout."""


def choose(
    local: Path,
    mirror: str | None,
    published: Published = PUBLISHED,
    patience: Patience = PATIENCE,
) -> list[Source]:
    """List the sources to try, best first: the one that the user chose and no other, else the public ones."""
    if os.path.lexists(local):
        remedy = (
            f"restore {local}/ (where DVC has it: `dvc checkout {local}.dvc`), "
            f"run `dvc add {local}` if the change is meant, or move {local}/ away to have the set downloaded"
        )
        return [Source(f"{local}/", lambda scratch: _folder(local), remedy, pinned_whole=True)]
    if mirror and mirror.strip():
        remedy = "mend it, name another in BLOODCELLS_MIRROR, or unset that to have the set downloaded"
        name = shown(mirror) if _is_web(mirror) else mirror
        return [
            Source(f"BLOODCELLS_MIRROR ({name})", lambda scratch: _mirror(mirror.strip(), scratch, patience), remedy)
        ]
    return [
        Source("git mirrors", lambda scratch: _git(published, scratch, patience), _ELSEWHERE),
        Source("Kaggle", lambda scratch: _kaggle(published.kaggle, patience), _ELSEWHERE),
    ]


def fetch(
    sources: Sequence[Source], folder: Path, scratch: Path, pin: Pin, known: Sequence[Listing | None] = ()
) -> None:
    """Fill the empty `folder` with the layout from the first of `sources` that has what is pinned.

    Nothing is put into `folder` before all of it was held against the pin.

    Args:
        sources: where to look, best first.
        folder: where the layout goes.
        scratch: an empty folder for what is downloaded and unpacked, on the same disk; the caller removes it.
        pin: what the files must hash to.
        known: listings in which the pinned files may stand, so that those that differ can be named.

    Raises:
        InputError: no source has it; the message has the reason for each, and what to do.
    """
    reasons = []
    for number, source in enumerate(sources):
        print(f"looking in {source.name}", flush=True)
        own = scratch / str(number)
        own.mkdir(parents=True)
        try:
            copies = _held(source, own, pin, known)
        except InputError as error:
            reasons.append(f"{source.name}: {error}")
            if number + 1 < len(sources):
                print(reasons[-1], flush=True)
            continue
        for part in copies.iterdir():
            part.rename(folder / part.name)
        print(f"{source.name}: all files are those that are pinned ({pin.md5})")
        return
    if len(sources) == 1:
        raise InputError(f"{reasons[0]}\n{sources[0].remedy}")
    tried = "\n".join(f"- {reason}" for reason in reasons)
    raise InputError(f"no source has the set:\n{tried}\nrun it again where there is a network, {sources[-1].remedy}")


def _held(source: Source, scratch: Path, pin: Pin, known: Sequence[Listing | None]) -> Path:
    """Copy the layout from a source, hold the copy against the pin, and give its folder."""
    work, copied = scratch / "work", scratch / "copied"
    work.mkdir()
    try:
        top = source.get(work)
        root = find(top)
        copies = copy(part_files(root, top, links=source.pinned_whole), copied)
        hold(_candidates(root, top if source.pinned_whole else root, copies), pin, known)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f": {error.filename}" if error.filename else ""
        raise InputError(f"{error.strerror or error}{where}") from None
    return copied


def _candidates(root: Path, whole: Path, copies: dict[str, Path]) -> Iterator[Listing]:
    """List what may be what was pinned: the layout, or that with all that is beside it (a README, say)."""
    yield list_files(copies)
    for base in dict.fromkeys((root, whole)):
        prefix = "" if base == root else root.relative_to(base).as_posix() + "/"
        copied = {prefix + name: path for name, path in copies.items()}
        found = all_files(base)
        yield list_files(found | copied)
        yield list_files({name: path for name, path in found.items() if not litter(path.name)} | copied)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise InputError(f"{path} is no folder")
    return path


def _is_web(mirror: str) -> bool:
    return re.match(r"https?://", mirror.strip(), re.IGNORECASE) is not None


def _mirror(mirror: str, scratch: Path, patience: Patience) -> Path:
    if _is_web(mirror):
        name = Path(urlsplit(mirror).path).name
        archive = scratch / (name if name.strip(".") else "archive")
        download(mirror, archive, patience)
        return _unpacked(archive, scratch)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", mirror)
    if scheme and scheme[1].lower() == "file":
        path = Path(url2pathname(urlsplit(mirror).path))
    elif scheme and "://" in mirror:
        raise InputError(f"addresses of the kind {scheme[1]}:// are not understood; http, https and file are")
    else:
        path = Path(mirror).expanduser()
    if path.is_dir():
        return path
    if not path.is_file():
        raise InputError(f"there is no {path.resolve()}")
    return _unpacked(path, scratch)


def _unpacked(archive: Path, scratch: Path) -> Path:
    folder = scratch / f"{archive.name}.unpacked"
    folder.mkdir()
    unpack(archive, folder)
    return folder


def _git(published: Published, scratch: Path, patience: Patience) -> Path:
    archive = scratch / "images.tar.gz"
    download(published.images, archive, patience)
    folder = find(_unpacked(archive, scratch), (IMAGES,))
    _label_table(published.labels, scratch, patience).replace(folder / LABELS)
    return folder


def _label_table(addresses: Sequence[str], scratch: Path, patience: Patience) -> Path:
    reasons = []
    for number, address in enumerate(addresses):
        path = scratch / f"labels-{number}"
        try:
            download(address, path, patience)
            if not is_archive(path):
                return path
            folder = scratch / f"labels-{number}-unpacked"
            unpack(path, folder, lambda name: name.rpartition("/")[2] == LABELS)
            return find(folder, (LABELS,)) / LABELS
        except InputError as error:
            reasons.append(str(error))
    raise InputError("; ".join(reasons))


def _kaggle(handle: str, patience: Patience) -> Path:
    from bloodcells.datasets.download import kaggle  # noqa: PLC0415  kagglehub takes a second to import

    return kaggle.download(handle, patience)
