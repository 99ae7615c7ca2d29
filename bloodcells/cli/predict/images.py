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
class ImageFile:
    """The file of an image.

    Attributes:
        path: of the image.
        figure: of its explanation figure, relative to the folder of these; unique.
    """

    path: Path
    figure: Path


def find_images(paths: Sequence[Path], exclude: Path | None = None) -> list[ImageFile]:
    """List the images, each once: files in the order given, those of a folder sorted by path.

    Folders are searched recursively. Hidden files and files without an image suffix are skipped.

    Args:
        paths: files and folders; a file need not exist.
        exclude: a folder not to search: that of the explanation figures.

    Raises:
        InputError: a folder contains no images, can't be read, or is the excluded one.
    """
    relative: dict[Path, Path] = {}
    for path in paths:
        if exclude and path.resolve() == exclude.resolve():
            raise InputError(f"{path} is to be searched for images, and to hold their figures: name another --explain")
        if not path.is_dir():
            relative.setdefault(path, Path(path.name))
            continue
        found = sorted(_walk(path, exclude))
        if not found:
            raise InputError(
                f"{path} contains no images ({', '.join(SUFFIXES)}): name a folder that does, or the files"
            )
        for image in found:
            relative.setdefault(image, image.relative_to(path))
    taken: Counter[Path] = Counter()
    images = []
    for path, figure in relative.items():
        taken[figure] += 1
        number = f"-{taken[figure]}" if taken[figure] > 1 else ""
        images.append(ImageFile(path, figure.with_name(f"{figure.name}{number}.png")))
    return images


def _walk(folder: Path, exclude: Path | None) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        raise InputError(f"{error.filename} can't be read: {error.strerror}")

    excluded = exclude.resolve() if exclude else None
    for parent, folders, files in os.walk(folder, onerror=unreadable):
        here = Path(parent)
        folders[:] = [name for name in folders if not name.startswith(".") and (here / name).resolve() != excluded]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield here / name
