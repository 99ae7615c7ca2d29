"""The canonical layout of raw data: a label table, its images, their annotations; and where a folder has it."""

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from bloodcells.core.errors import InputError

LABELS = "labels.csv"
IMAGES = "JPEGImages"
ANNOTATIONS = "Annotations"
PARTS = (ANNOTATIONS, IMAGES, LABELS)
NEEDED = (IMAGES, LABELS)
"""The parts that every set has; annotations are optional."""

DEPTH = 3
"""So many folders deep the layout may lie: archives wrap it in a folder, Kaggle in two."""

_VERSION_CONTROL = {".dvc", ".git", ".hg"}


def find(top: Path, needed: Collection[str] = NEEDED) -> Path:
    """Find the folder that holds all of `needed`: `top` itself, or the nearest below it.

    Raises:
        InputError: there is none, or there are several equally near.
    """
    level = [top]
    for _ in range(DEPTH + 1):
        fitting = [folder for folder in level if all((folder / part).exists() for part in needed)]
        if len(fitting) > 1:
            places = ", ".join(folder.relative_to(top).as_posix() for folder in fitting)
            raise InputError(f"the layout is there more than once ({places}): name the one that is meant")
        if fitting:
            return fitting[0]
        level = [
            child for folder in level for child in sorted(folder.iterdir()) if child.is_dir() and not child.is_symlink()
        ]
    names = sorted(child.name for child in top.iterdir())
    holds = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    raise InputError(f"no {' and '.join(sorted(needed))} in one folder (it holds {holds or 'nothing'})")


def part_files(root: Path, top: Path, links: bool = False) -> dict[str, Path]:
    """List the files of the layout in `root`, by their paths relative to it, but what file managers leave there.

    Args:
        root: folder with the layout.
        top: folder that it was found in.
        links: whether links to files may lead out of `top`, as those into DVC's cache do.

    Raises:
        InputError: an entry is no file, or a link that leads out of `top` and may not.
    """
    files = {}
    for part in PARTS:
        for path in _walk(root / part):
            if litter(path.name):
                continue
            if (
                path.is_symlink()
                and not (links and path.is_file())
                and not path.resolve().is_relative_to(top.resolve())
            ):
                raise InputError(f"{path} is a link that leads out of {top}: put the file itself in its place")
            if not path.is_file():
                raise InputError(f"{path} is no file: put the file itself in its place")
            files[path.relative_to(root).as_posix()] = path
    return files


def litter(name: str) -> bool:
    """Tell whether a file of this name is a file manager's, which comes and goes by itself."""
    return name in {".DS_Store", "Thumbs.db", "desktop.ini"} or name.startswith("._")


def all_files(folder: Path) -> dict[str, Path]:
    """List the plain files of `folder`, in the layout or not, as DVC does: without version control's own."""
    return {path.relative_to(folder).as_posix(): path for path in _walk(folder) if path.is_file()}


def copy(files: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    """Copy `files`, named by their paths relative to `folder`, and give the copies by the same names."""
    copies = {name: folder / name for name in files}
    for name, path in files.items():
        copies[name].parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copies[name])  # contents alone: a read-only source makes no read-only copy
    return copies


def _walk(path: Path) -> Iterator[Path]:
    """Give all that lies below `path` and is no folder, or `path` itself; folders behind links are not entered."""
    if path.is_symlink() or not path.is_dir():
        if os.path.lexists(path):
            yield path
        return
    for parent, folders, names in os.walk(path):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = sorted(set(folders) - set(links) - _VERSION_CONTROL)
        yield from (Path(parent, name) for name in sorted(names + links))
