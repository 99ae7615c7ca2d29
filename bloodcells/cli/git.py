"""Git: the repository, its revisions, and the files of a revision in a folder."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bloodcells.core.errors import InputError

MAIN = ("origin/main", "main")
"""Branches to compare with: the first one that exists."""


@dataclass(frozen=True)
class Revision:
    """A commit by its full hash, or with `edited` the working tree based on it; `name` is for the reader."""

    name: str
    commit: str
    edited: bool = False

    @property
    def short(self) -> str:
        """The abbreviated hash."""
        return self.commit[:7]


def repository(start: Path) -> Path:
    """Return the root of the repository that contains the folder `start`.

    Raises:
        InputError: there is no git, no repository, or git does not trust its owner.
    """
    result = _git(start, "rev-parse", "--show-toplevel")
    if result.returncode:
        message = result.stderr.decode(errors="replace").strip()
        if "safe.directory" in message:  # another user's clone: git's own message has the remedy
            raise InputError(message.removeprefix("fatal: "))
        raise InputError(f"{start.resolve()} is not in a git repository: run this in a clone of the project")
    return Path(result.stdout.decode().rstrip("\n"))


def revision(root: Path, name: str) -> Revision:
    """Return the commit that a branch, a tag, a hash or an expression like `HEAD~2` names.

    Raises:
        InputError: it names no commit.
    """
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode:
        fetch = (
            "this clone is shallow, fetch the whole history (`git fetch --unshallow`; in a workflow: `fetch-depth: 0`)"
            if _is_shallow(root)
            else "`git branch --all` lists the branches, `git fetch` fetches those of the remote"
        )
        raise InputError(f"there is no revision {name!r} here: {fetch}")
    return Revision(name, found.stdout.decode().strip())


def working_tree(root: Path) -> Revision:
    """Return the working tree as a revision.

    Raises:
        InputError: there is no commit yet.
    """
    return Revision("working tree", revision(root, "HEAD").commit, edited=True)


def merge_base(root: Path, head: Revision) -> Revision:
    """Return the commit at which `head` left the main branch.

    Raises:
        InputError: there is no main branch, or no such commit in this clone.
    """
    for name in MAIN:
        if _git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").returncode == 0:
            found = _git(root, "merge-base", name, head.commit)
            if found.returncode == 0:
                return Revision(f"merge base with {name}", found.stdout.decode().strip())
            why = f"{head.name} and {name} have no commit in common here"
            break
    else:
        why = f"there is neither {' nor '.join(MAIN)} to compare with"
    if _is_shallow(root):
        raise InputError(
            f"{why}, since this clone is shallow: fetch the whole history (`git fetch --unshallow`; "
            "in a workflow give actions/checkout `fetch-depth: 0`)"
        )
    raise InputError(f"{why}: name the revision to compare with, as in `bloodcells review HEAD~1`")


def lay_out(root: Path, which: Revision, folder: Path) -> None:
    """Write the files of a revision into a new folder; of the working tree, those that git tracks or would track.

    The working tree is not changed. A symbolic link becomes a file with its target, as git does on systems without
    links: a revision may be a stranger's, and through its links, files of this machine would be read and written.

    Raises:
        InputError: git can't provide the files.
    """
    folder.mkdir(parents=True)
    if which.edited:
        listed = _must(which, _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"))
        for name in dict.fromkeys(filter(None, listed.decode(errors="surrogateescape").split("\0"))):
            source = root / name
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_symlink():
                target.write_bytes(os.fsencode(source.readlink()))
            elif source.is_file():
                shutil.copy2(source, target)
    else:
        index = folder.with_name(f"{folder.name}.index")  # a separate one, so that staged changes stay staged
        for arguments in (("read-tree", which.commit), ("checkout-index", "--all", f"--prefix={folder.resolve()}/")):
            _must(which, _git(root, "-c", "core.symlinks=false", *arguments, GIT_INDEX_FILE=str(index.resolve())))
        index.unlink()


def is_ignored(root: Path, path: Path) -> bool:
    """Return whether git ignores a path inside the repository."""
    return _git(root, "check-ignore", "--quiet", str(path.resolve())).returncode == 0


def _must(which: Revision, ended: subprocess.CompletedProcess[bytes]) -> bytes:
    """Return git's output, or raise InputError if it failed."""
    if ended.returncode:
        message = ended.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise InputError(
            f"git can't lay out the files of {which.name}: {message[0]}; `git fsck` checks this clone, "
            "a fresh one may help"
        )
    return ended.stdout


def changed_lines(base: Path, head: Path) -> dict[str, tuple[int, int]]:
    """Return for each file that differs between two folders the lines added and removed; binary files have none."""
    options = ("--no-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--numstat", "-z")
    result = _git(base.parent, "diff", *options, str(base), str(head))
    fields = result.stdout.decode(errors="surrogateescape").split("\0")
    changed = {}
    # with -z and --no-index, git prints "added<TAB>removed<TAB>", then the two paths as separate fields
    for numbers, before, after in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        added, removed, _ = numbers.split("\t")
        name = Path(before).relative_to(base) if after == "/dev/null" else Path(after).relative_to(head)
        changed[name.as_posix()] = (_number(added), _number(removed))
    return dict(sorted(changed.items()))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0  # "-" for a binary file


def _is_shallow(root: Path) -> bool:
    return _git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"


def _git(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *arguments], cwd=root, env=os.environ | environment, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise InputError("git is not installed: a review needs it") from None
