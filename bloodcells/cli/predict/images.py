"""The images to classify: files as named, and those in folders."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bloodcells.core.errors import InputError

SUFFIXES = (".bmp", ".gif", ".jp2", ".jpe", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Suffixes of images in folders; a file that is named itself may have any suffix."""


@dataclass(frozen=True)
class Source:
    """An image's file, and a path for its explanation figure, relative to their folder, that no other image has."""

    path: Path
    picture: Path


def find_sources(named: Sequence[Path], apart: Path | None = None) -> list[Source]:
    """List the images, each once: files in the order named, those of a folder sorted by path.

    Folders are searched recursively. Hidden files, and those without a suffix of an image, are skipped.

    Args:
        named: files and folders; a file need not exist.
        apart: a folder not to search: that of the explanation figures.

    Raises:
        InputError: a folder holds no image, or can't be read.
    """
    below: dict[Path, Path] = {}
    for path in named:
        if not path.is_dir():
            below.setdefault(path, Path(path.name))
            continue
        inside = sorted(_images(path, apart))
        if not inside:
            raise InputError(
                f"{path} contains no images ({', '.join(SUFFIXES)}): name a folder that does, or the files"
            )
        for image in inside:
            below.setdefault(image, image.relative_to(path))
    taken: Counter[Path] = Counter()
    sources = []
    for path, place in below.items():
        taken[place] += 1
        number = f"-{taken[place]}" if taken[place] > 1 else ""
        sources.append(Source(path, place.with_name(f"{place.name}{number}.png")))
    return sources


def _images(folder: Path, apart: Path | None) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        raise InputError(f"{error.filename} can't be read: {error.strerror}")

    aside = apart.resolve() if apart else None
    for parent, folders, files in os.walk(folder, onerror=unreadable):
        here = Path(parent)
        folders[:] = [name for name in folders if not name.startswith(".") and (here / name).resolve() != aside]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield here / name
