"""The layout of a published data set: a label table, images and annotations; how to find, list and copy it."""

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bloodcells.core.errors import InputError

_MAX_DEPTH = 3  # archives wrap the layout in one folder, Kaggle in two
_VERSION_CONTROL = {".dvc", ".git", ".hg"}
_OS_JUNK = {".DS_Store", "Thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Layout:
    """What is where below the folder of a data set.

    Attributes:
        images: folder of the images.
        labels: the label table.
        optional: files and folders that may be missing, such as annotations.
    """

    images: str
    labels: str
    optional: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """What must be there."""
        return (self.images, self.labels)


def find_layout(top: Path, required: Collection[str]) -> Path:
    """Return the folder that contains all of `required`: `top` itself, or the nearest one below it.

    Raises:
        InputError: there is none, or several at the same depth.
    """
    level = [top]
    for _ in range(_MAX_DEPTH + 1):
        matches = [folder for folder in level if all((folder / part).exists() for part in required)]
        if len(matches) > 1:
            places = ", ".join(folder.relative_to(top).as_posix() for folder in matches)
            raise InputError(f"several folders contain the data set ({places}): name the right one")
        if matches:
            return matches[0]
        level = [
            child for folder in level for child in sorted(folder.iterdir()) if child.is_dir() and not child.is_symlink()
        ]
    names = sorted(child.name for child in top.iterdir())
    content = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    raise InputError(f"no folder contains {' and '.join(sorted(required))} (found: {content or 'nothing'})")


def layout_files(layout: Layout, root: Path, top: Path, allow_links: bool = False) -> dict[str, Path]:
    """List the files of the layout in `root` by their relative path, without OS junk.

    Args:
        layout: what to list.
        root: folder with the layout.
        top: folder in which it was found.
        allow_links: whether links to files may lead out of `top`, as links into DVC's cache do.

    Raises:
        InputError: an entry is not a file, or is a link that leads out of `top`.
    """
    files = {}
    for part in sorted((*layout.optional, *layout.required)):
        for path in _walk(root / part):
            if is_os_junk(path.name):
                continue
            if path.is_symlink() and not ((allow_links and path.is_file()) or _is_inside(path, top)):
                raise InputError(f"{path} is a link that leads out of {top}: replace it with the file")
            if not path.is_file():
                raise InputError(f"{path} is not a file: replace it with the file")
            files[path.relative_to(root).as_posix()] = path
    return files


def is_os_junk(name: str) -> bool:
    """Return whether a file manager creates files of this name by itself."""
    return name in _OS_JUNK or name.startswith("._")


def all_files(folder: Path) -> dict[str, Path]:
    """List all files of `folder` by their relative path as DVC does: without those of version control."""
    return {path.relative_to(folder).as_posix(): path for path in _walk(folder) if path.is_file()}


def copy_files(files: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    """Copy files, given by their relative path, into `folder`, and return the copies in the same way."""
    copies = {name: folder / name for name in files}
    for name, path in files.items():
        copies[name].parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copies[name])  # without permissions: a read-only file gets a writable copy
    return copies


def _is_inside(link: Path, folder: Path) -> bool:
    """Return whether a link leads into a folder; one that leads to itself does not leave it."""
    return Path(os.path.realpath(link)).is_relative_to(os.path.realpath(folder))


def _walk(path: Path) -> Iterator[Path]:
    """Yield everything below `path` that is not a folder, or `path` itself; do not follow links to folders."""
    if path.is_symlink() or not path.is_dir():
        if os.path.lexists(path):
            yield path
        return
    for parent, folders, names in os.walk(path):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = sorted(set(folders) - set(links) - _VERSION_CONTROL)
        yield from (Path(parent, name) for name in sorted(names + links))
