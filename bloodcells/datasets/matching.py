"""Matching the names of images in a label table to files."""

import bisect
import contextlib
import difflib
import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Container, Iterable
from pathlib import Path, PurePosixPath

from bloodcells.datasets.layout import all_files, is_os_junk

IMAGE_SUFFIXES = (".bmp", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends, and bytes of a file name that are not UTF-8."""

_MAX_NAME_BYTES = 255  # on every common file system
_NEIGHBORS = 20  # names in alphabetical order, on each side, among which near misses are looked for
_NUMBER = re.compile(r"(\d{1,18})(?:\.0+)?", re.ASCII)  # pandas writes 17.0 where other rows have no number


def list_files(folder: Path) -> list[str]:
    """List the files below a folder by their relative path, without hidden ones and those of file managers."""
    names = (name for name in all_files(folder) if not is_os_junk(name.rpartition("/")[2]))
    return sorted(name for name in names if not any(part.startswith(".") for part in name.split("/")))


def is_image(name: str) -> bool:
    """Return whether a file has the suffix of an image, in any case."""
    return name.lower().endswith(IMAGE_SUFFIXES)


class FileNames:
    """The files that a label table may name.

    A text names the first of these that exists: the file of exactly this path; an image whose path ends with the text,
    or with which the text ends (`C:\\smears\\a.jpg` for `a.jpg`), in any case and Unicode form; the same without the
    image's suffix; for a number, the image whose name contains it as its only number (17 for `cell-0017.png`).

    A pattern such as `cell-{:04d}.png` says instead which file a number means, and one such as `{}.bmp` which of
    several files a name without suffix means.
    """

    def __init__(self, files: Iterable[str], numbered: str | None = None, folder: str = ".") -> None:
        """Index the files, given by their paths below `folder`; see the class for `numbered`."""
        self._folder = tuple(part for part in _fold(folder).split("/") if part not in ("", "."))
        self._files = {name: name for name in files}
        self._numbered = numbered
        images = [name for name in self._files if is_image(name)]
        stems = [name.rpartition(".")[0] for name in images]
        self._indices = _Index(images, images), _Index(stems, images)
        self._numbers = _by_number(stems, images)
        self._sorted: list[list[tuple[str, str]]] = []

    def match(self, texts: Iterable[str]) -> list[list[str]]:
        """Return for each text of a column the files that it may mean: one, none, or several if it is ambiguous.

        Folders at the start of a text that are not in the files' paths are passed over only if all texts with a folder
        begin like that, or if they are the files' own: of `TRAIN/1.png` and `TEST/1.png`, at most one can be the file
        `1.png`.
        """
        column = [*texts]
        parents = [_fold(text.replace("\\", "/")).split("/")[:-1] for text in column]
        within = [parts for parts in parents if parts] or [[]]
        alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(min(within), max(within), strict=False))
        common = [part for part, _ in alike]
        leads = [common[:end] for end in range(len(common) + 1)]
        tails = [self._folder[start:] for start in range(len(self._folder) + 1)]
        passed = frozenset("/".join([*lead, *tail]) for lead in leads for tail in tails)
        return [self._candidates(text, passed) for text in column]

    def candidates(self, text: str) -> list[str]:
        """Return the files that a text may mean if there are no others."""
        return self.match([text])[0]

    def _candidates(self, text: str, passed: Container[str]) -> list[str]:
        for spelling in self._spellings(text):
            if spelling in self._files:
                return [spelling]
            path = spelling.replace("\\", "/")
            for index in self._indices:
                found = index.find(path, passed)
                if found:
                    return found
        number = _NUMBER.fullmatch(text)
        return (
            self._numbers[int(number[1])] if number and not self._numbered and int(number[1]) in self._numbers else []
        )

    def missing_name(self, text: str) -> str:
        """Return the path that stands for a text which means no file; it stays below the folder of the images.

        Raises:
            ValueError: the text can't be the name of a file; the message is how it begins.
        """
        parts = self._spellings(text)[0 if _NUMBER.fullmatch(text) else -1].replace("\\", "/").split("/")
        parts = [part for part in parts if part not in ("", ".", "..") and not re.fullmatch("[A-Za-z]:", part)]
        if not parts or CONTROL.search(text) or max(len(part.encode()) for part in parts) > _MAX_NAME_BYTES:
            raise ValueError(text[:40])
        return "/".join(parts)

    def near_misses(self, text: str, n: int = 3) -> list[str]:
        """Return up to `n` images whose names are most similar to a text; for a few texts only."""
        if not self._sorted:
            names = [(_fold(PurePosixPath(name).name), name) for name in self._files if is_image(name)]
            self._sorted = [sorted(names), sorted((name[::-1], file) for name, file in names)]
        wanted = _fold(PurePosixPath(text.replace("\\", "/")).name)
        near: dict[str, str] = {}
        for names, start, step in zip(self._sorted, (wanted, wanted[::-1]), (1, -1), strict=True):
            place = bisect.bisect_left(names, (start, ""))
            near |= {name[::step]: file for name, file in names[max(0, place - _NEIGHBORS) : place + _NEIGHBORS]}
        return [near[name] for name in difflib.get_close_matches(wanted, near, n=n, cutoff=0.75)]

    def _spellings(self, text: str) -> list[str]:
        """Return what a text may stand for, by the pattern if there is one; a number stands for nothing else."""
        number = _NUMBER.fullmatch(text)
        spellings = []
        for value in (text, int(number[1]) if number else None):
            with contextlib.suppress(ValueError):  # a pattern for numbers, and a text
                spellings += [self._numbered.format(value)] if self._numbered and value is not None else []
        return spellings if number and spellings else [*spellings, text]


class _Index:
    """Images by their paths, in any case and Unicode form."""

    def __init__(self, paths: list[str], images: list[str]) -> None:
        """Index `images` by `paths`, which are theirs or the same without suffix."""
        self._paths = defaultdict(list)
        self._ends = defaultdict(list)
        for path, image in zip(paths, images, strict=True):
            whole, *ends = _ends(_fold(path))
            self._paths[whole].append((path, image))
            for end in ends:
                self._ends[end].append((path, image))

    def find(self, text: str, passed: Container[str]) -> list[str]:
        """Return the images whose path is the text, ends with it, or, if there are none, is the end of it.

        `passed` are the starts that may be passed over.
        """
        whole, *ends = _ends(_fold(text))
        rest = [end for end in ends if whole[: -len(end) - 1] in passed]
        for index, end in [(self._paths, whole), (self._ends, whole), *((self._paths, end) for end in rest)]:
            if end in index:
                found = index[end]
                exact = [image for path, image in found if f"/{text}".endswith(f"/{path}") or path.endswith(f"/{text}")]
                return exact or [image for _, image in found]
        return []


def _ends(path: str) -> list[str]:
    """Return a path, the same without its first folder, and so on to the name of the file."""
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _fold(text: str) -> str:
    return (
        text.lower() if text.isascii() else unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    )


def _common_start(names: list[str]) -> str:
    first, last = (min(names), max(names)) if names else ("", "")
    return first[: next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]


def _by_number(stems: list[str], images: list[str]) -> dict[int, list[str]]:
    """Index images by the one number in their name, apart from those in what all names begin with."""
    names = [stem.rpartition("/")[2] for stem in stems]
    begin = len(_common_start(names).rstrip("0123456789"))
    numbers = defaultdict(list)
    for name, image in zip(names, images, strict=True):
        found = re.findall(r"[0-9]{1,18}", name[begin:])
        if len(found) == 1:
            numbers[int(found[0])].append(image)
    return dict(numbers)
