"""Which columns of a table name the images, the labels and the patients."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bloodcells.cli.importing.classes import is_white_cell
from bloodcells.core.errors import InputError
from bloodcells.datasets.labels import suspicious_columns
from bloodcells.datasets.matching import FileNames
from bloodcells.datasets.record import normalize_label
from bloodcells.datasets.tables import Table

_IMAGE_WORDS = {"image", "images", "img", "file", "filename", "filenames", "picture", "photo", "path", "bild", "datei"}
_LABEL_WORDS = {"label", "labels", "class", "classes", "category", "type", "diagnosis", "klasse", "typ", "celltype"}
_PARTS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}
_DECIMAL = re.compile(r"-?\d+[.,]\d*[1-9]\d*(e-?\d+)?", re.IGNORECASE)
_MAX_LABELS = 60  # more than classes may be: some will be dropped or joined
_ENOUGH = 0.5
_EXAMPLES = 3

Matches = tuple[tuple[str, ...], ...]
"""For each row of a table the images that it may mean."""


@dataclass(frozen=True)
class Columns:
    """The columns of a label table.

    Attributes:
        image: names the images.
        label: holds the labels.
        group: holds the patient, slide or acquisition; None without.
        matches: the images that each row may mean.
        suspicious: columns that look like a patient, slide or acquisition, and are not used.
        rivals: other columns that may name the images or hold the labels, but seem less likely.
    """

    image: str
    label: str
    group: str | None
    matches: Matches
    suspicious: tuple[str, ...]
    rivals: tuple[str, ...]

    @property
    def ambiguous(self) -> bool:
        """Whether a row may mean several images."""
        return any(len(images) > 1 for images in self.matches)


def choose_columns(table: Table, files: FileNames, image: str | None, label: str | None, group: str | None) -> Columns:
    """Choose the columns of a label table.

    Args:
        table: the table.
        files: the images that it may name.
        image: the column that names the images, if the user says so.
        label: the column with the labels, if the user says so.
        group: the column with the patient, slide or acquisition, if there is one.

    Raises:
        InputError: there is no such column, or none or several fit; the message says which option decides it.
    """
    for option, name in (("--image-column", image), ("--label-column", label), ("--group", group)):
        if name is not None:
            _check_there(table, option, name)
    by_image = {image: find_matches(table, files, image)} if image else find_image_columns(table, files)
    if not by_image:
        raise InputError(
            f"{table.path}: no column names the images (it has {_examples(table, table.columns)}); "
            "correct the names, or choose the column with --image-column"
        )
    image, *other_images = by_image
    other_images = [name for name in other_images if by_image[name] != by_image[image]]
    _check_best(table, image, other_images, lambda name: _image_rank(table, name, by_image[name]), "--image-column")
    used = {normalize_label(name) for name in (image, group) if name}
    by_label = [label] if label else find_label_columns(table, used)
    if not by_label:
        raise InputError(
            f"{table.path}: no column has two or more values that repeat, as labels do (it has "
            f"{_examples(table, table.columns)}); choose it with --label-column"
        )
    label, *other_labels = by_label
    _check_best(table, label, other_labels, lambda name: _label_rank(table, name), "--label-column")
    return Columns(
        image=image,
        label=label,
        group=group,
        matches=by_image[image],
        suspicious=() if group else tuple(suspicious_columns(table, used=(image, label))),
        rivals=(*other_images, *(name for name in other_labels if any(_label_rank(table, name)[:2]))),
    )


def find_matches(table: Table, files: FileNames, column: str) -> Matches:
    """Return the images that each cell of a column may mean."""
    texts = table.column(column)
    found = iter(files.match(filter(None, texts)))
    return tuple(tuple(next(found)) if text else () for text in texts)


def find_image_columns(table: Table, files: FileNames) -> dict[str, Matches]:
    """Return the columns of which at least half of the cells mean an image, and few the same one; the best first."""
    found = {}
    for name in _named(table):
        matches = find_matches(table, files, name)
        named = [images for images in matches if images]
        filled = sum(map(bool, table.column(name)))
        if named and len(named) >= _ENOUGH * filled and len(set(named)) >= _ENOUGH * len(named):
            found[name] = matches
    return dict(sorted(found.items(), key=lambda item: _image_rank(table, *item), reverse=True))


def find_label_columns(table: Table, used: Iterable[str] = ()) -> list[str]:
    """Return the columns that have few values which repeat; the most likely first."""
    names = [name for name in _named(table) if normalize_label(name) not in used and _may_be_labels(table, name)]
    return sorted(names, key=lambda name: _label_rank(table, name), reverse=True)


def _image_rank(table: Table, name: str, matches: Matches) -> tuple[bool, bool, int]:
    """Names say more than numbers, and a header may say what is in its column."""
    numbers = all(text.isdecimal() for text in table.column(name))
    return not numbers, bool(_words(name) & _IMAGE_WORDS), sum(map(bool, matches))


def _may_be_labels(table: Table, name: str) -> bool:
    values = [normalize_label(text) for text in table.column(name) if text]
    distinct = set(values)
    return (
        2 <= len(distinct) <= min(_MAX_LABELS, _ENOUGH * len(values))
        and not distinct <= _PARTS
        and not any(map(_DECIMAL.fullmatch, distinct))
    )


def _label_rank(table: Table, name: str) -> tuple[bool, bool, bool]:
    values = [text for text in table.column(name) if text]
    known = sum(map(is_white_cell, values)) >= _ENOUGH * len(values)
    return known, bool(_words(name) & _LABEL_WORDS), not all(text.isdecimal() for text in values)


def _check_there(table: Table, option: str, name: str) -> None:
    try:
        table.column(name)
    except InputError:
        columns = ", ".join(filter(None, table.columns))
        raise InputError(f"{option}: {table.path} has no column {name!r}, or several; it has {columns}") from None


def _check_best(table: Table, best: str, others: list[str], rank: Callable[[str], object], option: str) -> None:
    rivals = [name for name in others if rank(name) == rank(best)]
    if rivals:
        raise InputError(
            f"{table.path}: it may be {_examples(table, [best, *rivals], ' or ')}: choose the column with {option}"
        )


def _named(table: Table) -> list[str]:
    """Return the columns whose name stands once."""
    normalized = [normalize_label(name) for name in table.columns]
    return [name for name in table.columns if name and normalized.count(normalize_label(name)) == 1]


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def _examples(table: Table, names: Iterable[str], joint: str = ", ") -> str:
    """Return columns with their first values."""
    shown = []
    for name in names:
        values = dict.fromkeys(filter(None, table.column(name))) if name in _named(table) else {}
        shown.append(f"{name or 'one without a name'} ({', '.join(list(values)[:_EXAMPLES])}, …)")
    return joint.join(shown)
