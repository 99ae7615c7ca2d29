"""What a folder contains: images, tables, annotations, and what is none of these."""

import hashlib
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from tqdm import tqdm

from bloodcells.core.errors import InputError
from bloodcells.datasets.layout import is_os_junk
from bloodcells.datasets.matching import IMAGE_SUFFIXES, is_image

TABLES = (".csv", ".tab", ".tsv", ".txt")
ANNOTATIONS = (".json", ".xml")

DEEP = (0.0, 65535.0)
"""Limits that show all values of a 16-bit image."""

Opener = Callable[[Path, tuple[float, float] | None], Image.Image]
"""Decodes an image as RGB, given the limits of 16-bit values; raises InputError if the pipeline can't use the file."""

_FOREIGN_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "__pycache__", "node_modules"}
_SAMPLE = 96  # side of the sample of pixels
_COVERED = 0.95


@dataclass(frozen=True)
class ImageFile:
    """An image of the folder.

    Attributes:
        name: its path below the folder.
        size: width and height, (0, 0) if it can't be decoded.
        md5: of its bytes.
        colors: how many colors a sample of its pixels has.
        shades: how many coarse colors make up nearly all of the sample.
        brightest: the largest value of a 16-bit image, to within 1/255 of all values; 0 for an image with 8 bits.
        problem: why the pipeline can't use it; empty if it can.
    """

    name: str
    size: tuple[int, int] = (0, 0)
    md5: str = ""
    colors: int = 0
    shades: int = 0
    brightest: int = 0
    problem: str = ""

    @property
    def folder(self) -> str:
        """The path of its folder, `.` for the folder itself."""
        return str(PurePosixPath(self.name).parent)

    @property
    def stem(self) -> str:
        """Its name without folder and extension."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """Its extension, in lower case."""
        return PurePosixPath(self.name).suffix.lower()


@dataclass(frozen=True)
class Scan:
    """The content of a folder; all names are paths below it, with `/`.

    Attributes:
        folder: the folder.
        images: files with the suffix of an image.
        tables: files that may hold a table.
        annotations: files that may hold boxes.
        others: all other files, but for `junk`.
        skipped: what was not looked at, by the reason.
        junk: number of hidden files, and of those that operating systems leave.
    """

    folder: Path
    images: tuple[ImageFile, ...] = ()
    tables: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    skipped: dict[str, list[str]] = field(default_factory=dict)
    junk: int = 0


def scan(folder: Path, open_image: Opener, progress: bool = True) -> Scan:
    """Look at everything in a folder and below it; links to folders are not followed.

    Args:
        folder: the folder.
        open_image: how the pipeline opens an image.
        progress: show a progress bar on a terminal.

    Raises:
        InputError: the folder is missing or not a folder, or one below it can't be read.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "is missing"
        raise InputError(f"{folder} {what}: name the folder that holds the images and their labels")
    skipped: dict[str, list[str]] = {}
    names, junk = [], 0
    for name, reason in _walk(folder):
        if reason is None:
            names.append(name)
        elif reason:
            skipped.setdefault(reason, []).append(name)
        else:
            junk += 1
    names.sort(key=natural_order)
    pictures = [name for name in names if is_image(name)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looked = pool.map(lambda name: _look(folder, name, open_image), pictures)
        images = tuple(tqdm(looked, total=len(pictures), desc="look", unit="image", disable=None if progress else True))
    tables = tuple(name for name in names if name.lower().endswith(TABLES))
    annotations = tuple(name for name in names if name.lower().endswith(ANNOTATIONS))
    others = tuple(name for name in names if not name.lower().endswith((*IMAGE_SUFFIXES, *TABLES, *ANNOTATIONS)))
    return Scan(folder, images, tables, annotations, others, skipped, junk)


def natural_order(name: str) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts names as people do: 2 before 10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in re.split(r"(\d+)", name))


def _walk(top: Path) -> Iterator[tuple[str, str | None]]:
    """Yield the path of each entry that is not a folder, and why it is skipped: None if it isn't, empty for junk."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            raise InputError(f"{folder} can't be read: {error.strerror}; change its permissions") from None
        for entry in entries:
            name = Path(entry.path).relative_to(top).as_posix()
            if entry.name.startswith((".", "~$")) or is_os_junk(entry.name):
                yield name, ""
            elif entry.is_dir(follow_symlinks=False):
                if entry.name.casefold() in _FOREIGN_FOLDERS:
                    yield name, ""
                else:
                    waiting.append(Path(entry.path))
            else:
                yield name, _reason_to_skip(entry)


def _reason_to_skip(entry: "os.DirEntry[str]") -> str | None:
    if not entry.name.isprintable():  # bytes that are not UTF-8 are surrogates, which can't be printed either
        return "a name with characters that can't be printed: rename it"
    try:
        mode = entry.stat().st_mode
    except OSError:
        return "a link that leads nowhere"
    if stat.S_ISDIR(mode):
        return "a link to a folder: links are not followed"
    return None if stat.S_ISREG(mode) else "not a file but a device, pipe or socket"


def _look(folder: Path, name: str, open_image: Opener) -> ImageFile:
    """Decode and hash an image."""
    path, limits = folder / name, None
    try:
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        try:
            image = open_image(path, None)
        except InputError:
            image, limits = open_image(path, DEEP), DEEP
    except OSError as error:
        return ImageFile(name, problem=f"can't be read: {error.strerror}")
    except InputError as error:
        problem = str(error).removeprefix(f"{path} ")
        return _look_anyway(ImageFile(name, md5=md5, problem=problem), path)
    brightest = 0
    if limits:
        peak = max(high for _, high in image.getextrema())  # type: ignore[misc]
        brightest = round(peak / 255 * DEEP[1])
        image = image.point([min(255, value * 255 // max(peak, 1)) for value in range(256)] * 3)
    return ImageFile(name, image.size, md5, *_sample(image), brightest)


def _look_anyway(file: ImageFile, path: Path) -> ImageFile:
    """Sample an image that the pipeline can't use, if it can be decoded at all: a mask may be grayscale."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                size, (colors, shades) = image.size, _sample(image.convert("RGB"))
    except Exception:  # Pillow raises almost anything on a broken file, and what is wrong is known already
        return file
    return replace(file, size=size, colors=colors, shades=shades)


def _sample(image: Image.Image) -> tuple[int, int]:
    """Return how many colors a sample of the pixels has, and how many coarse ones cover nearly all of it."""
    size = (min(image.width, _SAMPLE), min(image.height, _SAMPLE))
    pixels = np.asarray(image.resize(size, Image.Resampling.NEAREST), dtype=np.int64).reshape(-1, 3)
    colors = len(np.unique(pixels @ (1 << 16, 1 << 8, 1)))
    counts = np.sort(np.unique((pixels >> 5) @ (64, 8, 1), return_counts=True)[1])[::-1]
    return colors, 1 + int(np.searchsorted(np.cumsum(counts), _COVERED * len(pixels)))
