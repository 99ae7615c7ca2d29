"""Fingerprint of a folder, as DVC computes it, and verification of files against it."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from bloodcells.core.errors import InputError

_MAX_NAMED = 10  # differing files that a message names; it counts the rest


@dataclass(frozen=True)
class Fingerprint:
    """The hash of a whole folder.

    Attributes:
        md5: 32 hexadecimal digits and `.dir`.
        files: number of files in the folder, where known.
        size: their total size in bytes, where known.
    """

    md5: str
    files: int | None = None
    size: int | None = None


@dataclass(frozen=True)
class Checksums:
    """The MD5 of each file in a folder.

    Attributes:
        md5s: MD5 by the path of the file relative to the folder, with `/` as separator.
        size: total size in bytes, where known.
    """

    md5s: Mapping[str, str]
    size: int | None = None

    def fingerprint(self) -> str:
        """Hash the checksums as DVC does: the MD5 of a JSON list with one object per file, sorted by path."""
        entries = [{"md5": self.md5s[path], "relpath": path} for path in sorted(self.md5s)]
        return hashlib.md5(json.dumps(entries).encode(), usedforsecurity=False).hexdigest() + ".dir"


def read_fingerprint(md5: str, path: Path) -> Fingerprint:
    """Return the fingerprint `md5`, with the number and size of the files if the `.dvc` file at `path` has them.

    Raises:
        InputError: `md5` is not the hash of a folder.
    """
    if not re.fullmatch(r"[0-9a-f]{32}\.dir", md5):
        raise InputError(
            f"{md5!r} is not the hash of a folder (32 hexadecimal digits and .dir): "
            f"run `dvc add data`, with data/ a folder, to write {path}"
        )
    try:
        outs = yaml.safe_load(path.read_text(encoding="utf-8"))["outs"]
        entry = next(out for out in outs if out["md5"] == md5)
        return Fingerprint(md5, entry.get("nfiles"), entry.get("size"))
    except (OSError, ValueError, LookupError, TypeError, StopIteration, yaml.YAMLError):
        return Fingerprint(md5)  # number and size only make messages clearer


def hash_files(files: Mapping[str, Path]) -> Checksums:
    """Hash files, by their path relative to the folder."""
    md5s = {}
    for name, path in files.items():
        with path.open("rb") as file:
            md5s[name] = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return Checksums(md5s, sum(path.stat().st_size for path in files.values()))


def read_checksums(path: Path) -> Checksums | None:
    """Read checksums: lines as md5sum writes them, or the JSON list in DVC's cache.

    Returns None if the file is missing or has neither format; `verify` checks the fingerprint of the checksums anyway.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if text.startswith("["):
            return Checksums({entry["relpath"]: entry["md5"] for entry in json.loads(text)})
        return Checksums({name: md5 for md5, name in (line.split("  ", 1) for line in text.splitlines())})
    except (OSError, ValueError, LookupError, TypeError):
        return None


def verify(candidates: Iterable[Checksums], expected: Fingerprint, known: Iterable[Checksums | None] = ()) -> None:
    """Verify files against a fingerprint.

    Args:
        candidates: checksums of the files; several if it is not known which folder was fingerprinted. They are
            computed lazily, up to the first that matches.
        expected: the fingerprint that one candidate must have.
        known: checksums that may be those of the expected files, to name the files that differ.

    Raises:
        InputError: no candidate has the fingerprint; the message names the files that differ, or counts them.
    """
    found = []
    for candidate in candidates:
        if candidate.fingerprint() == expected.md5:
            return
        found.append(candidate)
    message = f"these are not the files that data.dvc pins ({expected.md5})"
    pinned = next((sums for sums in known if sums is not None and sums.fingerprint() == expected.md5), None)
    if pinned is None:
        numbers = "" if expected.files is None else f", pinned are {expected.files} files of {expected.size} bytes"
        raise InputError(
            f"{message}: found {len(found[0].md5s)} files of {found[0].size} bytes{numbers} "
            "(to see which files differ, the list of the pinned files would have to be in .dvc/cache)"
        )
    # Report the candidate with the fewest differences; on a tie the later one, which covers more files.
    differences = min((_differences(sums.md5s, pinned.md5s) for sums in reversed(found)), key=len)
    more = len(differences) - _MAX_NAMED
    lines = differences[:_MAX_NAMED] + ([f"and {more} more"] if more > 0 else [])
    raise InputError("".join([f"{message}:", *(f"\n  {line}" for line in lines)]))


def _differences(found: Mapping[str, str], pinned: Mapping[str, str]) -> list[str]:
    changed = sorted(name for name in pinned.keys() & found.keys() if pinned[name] != found[name])
    return [
        *(f"differs: {name}" for name in changed),
        *(f"missing: {name}" for name in sorted(pinned.keys() - found.keys())),
        *(f"not pinned: {name}" for name in sorted(found.keys() - pinned.keys())),
    ]
