"""The table of answers: what networks of two protocols said of each row of their splits, in several ways."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv, write_csv

Indices = NDArray[np.int64]
Names = NDArray[np.str_]

FAULTY, OURS = "original", "ours"
"""The protocols."""

VALIDATION, TEST = "validation", "test"

_COLUMNS = ("protocol", "fold", "part", "image", "in_training", "actual", "as_it_is", "views", "draws")
_INITIALS = "".join(label[0] for label in CLASSES)


@dataclass(frozen=True, eq=False)
class Answers:
    """n rows of splits, a repeated cell as often as it stands there, and what the fold's network said of each.

    Attributes:
        protocol, part, image: (n,) names.
        fold: (n,) the fold whose network it is.
        in_training: (n,) whether this very image also stands in the training part.
        actual: (n,) the class, as all that follow an index into `labels.CLASSES`.
        as_it_is: (n,) said of the image as it is.
        views: (n,) said from the mean over its views, as `evaluate` tests.
        draws: (n, d) said of it changed at random, d times.
    """

    protocol: Names
    fold: Indices
    part: Names
    image: Names
    in_training: NDArray[np.bool_]
    actual: Indices
    as_it_is: Indices
    views: Indices
    draws: Indices

    def of(self, protocol: str, part: str) -> "Answers":
        """Give the rows of one part of the splits of one protocol."""
        chosen = (self.protocol == protocol) & (self.part == part)
        return Answers(**{name: column[chosen] for name, column in vars(self).items()})


def together(parts: Iterable[Answers]) -> Answers:
    """Give the rows of all, in their order."""
    columns = [vars(part) for part in parts]
    return Answers(**{name: np.concatenate([of[name] for of in columns]) for name in columns[0]})


def write_answers(path: Path, answers: Answers) -> None:
    """Write the table; of the random draws it holds the initials of the classes, one letter each."""
    columns = zip(*(column.tolist() for column in vars(answers).values()), strict=True)
    write_csv(
        path,
        _COLUMNS,
        (
            [
                *(protocol, fold, part, image, int(in_training)),
                *(CLASSES[said] for said in (actual, as_it_is, views)),
                "".join(_INITIALS[said] for said in draws),
            ]
            for protocol, fold, part, image, in_training, actual, as_it_is, views, draws in columns
        ),
    )


def read_answers(path: Path) -> Answers:
    """Read a table that `write_answers` wrote.

    Raises:
        InputError: no such table, or a row that is none.
    """
    rows = read_csv(path, _COLUMNS)
    remedy = "run `dvc repro original/dvc.yaml` to make it anew"
    if not rows:
        raise InputError(f"{path} holds no answers: {remedy}")
    draws = len(rows[0]["draws"])
    for number, row in enumerate(rows):
        classes = {row["actual"], row["as_it_is"], row["views"]}
        if not (
            {row["protocol"]} <= {FAULTY, OURS}
            and {row["part"]} <= {VALIDATION, TEST}
            and row["fold"].isdecimal()
            and row["in_training"] in ("0", "1")
            and classes <= set(CLASSES)
            and len(row["draws"]) == draws > 0
            and set(row["draws"]) <= set(_INITIALS)
        ):
            raise InputError(f"{path}, line {number + 2}: no row of answers: {','.join(row.values())}; {remedy}")

    def names(column: str) -> Names:
        return np.array([row[column] for row in rows])

    def classes_of(column: str) -> Indices:
        return np.array([CLASSES.index(row[column]) for row in rows], np.int64)

    return Answers(
        protocol=names("protocol"),
        fold=names("fold").astype(np.int64),
        part=names("part"),
        image=names("image"),
        in_training=names("in_training") == "1",
        actual=classes_of("actual"),
        as_it_is=classes_of("as_it_is"),
        views=classes_of("views"),
        draws=np.array([[_INITIALS.index(letter) for letter in row["draws"]] for row in rows], np.int64),
    )
