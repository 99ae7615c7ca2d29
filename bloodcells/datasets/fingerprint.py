"""How DVC hashes a folder, and how files are held against such a hash."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from bloodcells.core.errors import InputError

NAMED = 10
"""So many differing files a message names; the rest it counts."""


@dataclass(frozen=True)
class Pin:
    """The hash of a whole folder, with what a `.dvc` file notes beside it."""

    md5: str
    """32 hexadecimal digits and `.dir`."""
    files: int | None = None
    """How many files the folder has, where known."""
    size: int | None = None
    """How many bytes they have together, where known."""


@dataclass(frozen=True)
class Listing:
    """The files of a folder and their hashes."""

    md5s: Mapping[str, str]
    """The path of each file relative to the folder, with `/` between its parts, and its MD5."""
    size: int | None = None
    """Bytes of all files together, where known."""

    def pin(self) -> str:
        """Hash the listing as DVC does: the MD5 of a JSON list, one object per file, sorted by path."""
        entries = [{"md5": self.md5s[path], "relpath": path} for path in sorted(self.md5s)]
        return _md5(json.dumps(entries).encode()) + ".dir"


def read_pin(md5: str, path: Path) -> Pin:
    """Give the pin `md5`, with number and size of the files if the `.dvc` file at `path` notes them for it.

    Raises:
        InputError: `md5` is not the hash of a folder.
    """
    if not re.fullmatch(r"[0-9a-f]{32}\.dir", md5):
        raise InputError(
            f"{md5!r} pins no folder (32 hexadecimal digits and .dir do): "
            f"let `dvc add data` write {path}, with data/ a folder"
        )
    try:
        outs = yaml.safe_load(path.read_text(encoding="utf-8"))["outs"]
        noted = next(out for out in outs if out["md5"] == md5)
        return Pin(md5, noted.get("nfiles"), noted.get("size"))
    except (OSError, ValueError, LookupError, TypeError, StopIteration, yaml.YAMLError):
        return Pin(md5)  # these numbers only make messages clearer


def list_files(files: Mapping[str, Path]) -> Listing:
    """Hash `files`, each named by its path relative to the folder that is pinned."""
    md5s = {}
    for name, path in files.items():
        with path.open("rb") as file:
            md5s[name] = hashlib.file_digest(file, _new_md5).hexdigest()
    return Listing(md5s, sum(path.stat().st_size for path in files.values()))


def read_listing(path: Path) -> Listing | None:
    """Read a listing: lines like md5sum's, or the JSON object that DVC keeps in its cache.

    Gives None where there is no such file or it is neither; who uses it checks its pin anyway.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if text.startswith("["):
            return Listing({entry["relpath"]: entry["md5"] for entry in json.loads(text)})
        return Listing({name: md5 for md5, name in (line.split("  ", 1) for line in text.splitlines())})
    except (OSError, ValueError, LookupError, TypeError):
        return None


def hold(found: Iterable[Listing], pin: Pin, known: Iterable[Listing | None] = ()) -> None:
    """Hold files against a pin.

    Args:
        found: the files as listed; where more than one folder can be what was pinned, one listing of each.
            Those after the first that fits are not asked for.
        pin: what one of them must hash to.
        known: listings in which the pinned files may stand, so that those that differ can be named.

    Raises:
        InputError: none of `found` has this pin; the message names files that differ, or counts them.
    """
    seen = []
    for listing in found:
        if listing.pin() == pin.md5:
            return
        seen.append(listing)
    expected = next((listing for listing in known if listing is not None and listing.pin() == pin.md5), None)
    if expected is None:
        pinned = "" if pin.files is None else f"; pinned are {pin.files} files of {pin.size} bytes"
        raise InputError(
            f"not the files that are pinned ({pin.md5}): "
            f"found {len(seen[0].md5s)} files of {seen[0].size} bytes{pinned} "
            "(which of them differ can't be said: DVC's listing of the pinned files is not in .dvc/cache)"
        )
    # The nearest; of two equally near the later, which knows of more files and so says "differs", not "missing".
    differing = min((_differences(listing.md5s, expected.md5s) for listing in reversed(seen)), key=len)
    more = len(differing) - NAMED
    raise InputError(
        f"not the files that are pinned ({pin.md5}):"
        + "".join(f"\n  {line}" for line in differing[:NAMED])
        + (f"\n  and {more} more" if more > 0 else "")
    )


def _differences(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    differs = sorted(name for name in expected.keys() & found.keys() if expected[name] != found[name])
    return [
        *(f"differs: {name}" for name in differs),
        *(f"missing: {name}" for name in sorted(expected.keys() - found.keys())),
        *(f"not pinned: {name}" for name in sorted(found.keys() - expected.keys())),
    ]


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _new_md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)
