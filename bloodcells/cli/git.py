"""Revisions of a git repository: which two are compared, and the files of each, laid out in a folder."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bloodcells.core.errors import InputError

MAIN = ("origin/main", "main")
"""The branches against which is reviewed, the first that there is."""


@dataclass(frozen=True)
class Revision:
    """A commit by its full hash, or with `edited` the working tree upon it; `name` as the reader knows it."""

    name: str
    commit: str
    edited: bool = False

    @property
    def short(self) -> str:
        """The hash as git abbreviates it."""
        return self.commit[:7]


def repository(start: Path) -> Path:
    """Give the root of the repository in which the folder `start` lies.

    Raises:
        InputError: there is no git, no repository, or one of somebody whom git does not trust.
    """
    result = _git(start, "rev-parse", "--show-toplevel")
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip()
        if "safe.directory" in said:  # somebody else's clone: git's own words tell what to do
            raise InputError(said.removeprefix("fatal: "))
        raise InputError(f"{start.resolve()} is in no git repository: run this in a clone of the project")
    return Path(result.stdout.decode().rstrip("\n"))


def revision(root: Path, name: str) -> Revision:
    """Give the commit that a branch, a tag, a hash or an expression like `HEAD~2` names.

    Raises:
        InputError: it names none.
    """
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode:
        fetch = (
            "this clone is shallow, fetch the whole history (`git fetch --unshallow`; in a workflow: `fetch-depth: 0`)"
            if _is_shallow(root)
            else "`git branch --all` lists the branches, `git fetch` brings those of the remote"
        )
        raise InputError(f"there is no revision {name!r} here: {fetch}")
    return Revision(name, found.stdout.decode().strip())


def working_tree(root: Path) -> Revision:
    """Give the working tree as a revision. Raises InputError before the first commit."""
    return Revision("working tree", revision(root, "HEAD").commit, edited=True)


def merge_base(root: Path, head: Revision) -> Revision:
    """Give the commit at which `head` left the main branch.

    Raises:
        InputError: there is no main branch, or no such commit here, as in a shallow clone.
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
    """Write the files of a revision into a new folder: of the working tree those that git tracks or would.

    The working tree itself is left as it is. A link becomes a file that holds where it leads, as git does where a
    system has none: a revision may be a stranger's, and by its links files of this machine would be read and written.

    Raises:
        InputError: git can't give the files.
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
        index = folder.with_name(f"{folder.name}.index")  # one of its own, so that what is staged stays so
        for arguments in (("read-tree", which.commit), ("checkout-index", "--all", f"--prefix={folder.resolve()}/")):
            _must(which, _git(root, "-c", "core.symlinks=false", *arguments, GIT_INDEX_FILE=str(index.resolve())))
        index.unlink()


def _must(which: Revision, ended: subprocess.CompletedProcess[bytes]) -> bytes:
    """Give what git said where it ended well; else raise InputError."""
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines() or ["it ended without a word"]
        raise InputError(
            f"git can't lay out the files of {which.name}: {said[0]}; `git fsck` tells whether this clone is whole, "
            "a fresh one mends it"
        )
    return ended.stdout


def changed_lines(base: Path, head: Path) -> dict[str, tuple[int, int]]:
    """Count for each file in which two folders differ the lines that came and those that went.

    A file that is no text counts none.
    """
    options = ("--no-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--numstat", "-z")
    result = _git(base.parent, "diff", *options, str(base), str(head))
    fields = result.stdout.decode(errors="surrogateescape").split("\0")
    changed = {}
    # with -z and --no-index git gives "came<TAB>went<TAB>", then the two paths as fields of their own
    for numbers, before, after in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        came, went, _ = numbers.split("\t")
        name = Path(before).relative_to(base) if after == "/dev/null" else Path(after).relative_to(head)
        changed[name.as_posix()] = (_number(came), _number(went))
    return dict(sorted(changed.items()))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0  # of a binary file git says "-"


def _is_shallow(root: Path) -> bool:
    return _git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"


def _git(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *arguments], cwd=root, env=os.environ | environment, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise InputError("there is no program git: install it, since a review reads two revisions with it") from None
