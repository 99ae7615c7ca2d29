"""How answers are written out: a table to read, CSV, or a JSON object a line."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from bloodcells.cli.predict.predictions import Answer

_BOX = ("left", "top", "right", "bottom")


class Listing(Protocol):
    """Writes answers as text, each with the end of its line."""

    def head(self) -> str:
        """Give what stands above all answers."""
        ...

    def row(self, path: Path, answer: Answer) -> str:
        """Give the line of one image."""
        ...


class Table:
    """Columns for the eye: the images' paths must be known before the first row, for their width."""

    def __init__(self, paths: Sequence[Path], classes: Sequence[str]) -> None:
        self._classes = classes
        images = max((len(_printable(path)) for path in paths), default=0)
        words = ("abstains", "verdict", *classes)
        self._widths = (max(images, len("image")), max(map(len, words)), *(max(len(name), 5) for name in classes))

    def head(self) -> str:
        """Give the columns' names."""
        return self._line("image", "verdict", self._classes, "why")

    def row(self, path: Path, answer: Answer) -> str:
        """Give the line of one image."""
        chances = [f"{answer.probabilities[name]:.3f}" if answer.probabilities else "" for name in self._classes]
        why = "; ".join([*answer.reasons, *(f"warning: {warning}" for warning in answer.warnings)])
        return self._line(_printable(path), answer.verdict, chances, why)

    def _line(self, image: str, verdict: str, chances: Sequence[str], why: str) -> str:
        cells = [image.ljust(self._widths[0]), verdict.ljust(self._widths[1])]
        cells += [chance.rjust(width) for chance, width in zip(chances, self._widths[2:], strict=True)]
        return "  ".join([*cells, why]).rstrip() + "\n"


class Csv:
    """CSV with a header; several reasons or warnings have a semicolon between them, what is not known is empty."""

    def __init__(self, model: str, calibrated: bool, classes: Sequence[str]) -> None:
        self._model = (model, str(calibrated).lower())
        self._classes = classes

    def head(self) -> str:
        """Give the header."""
        columns = ("image", "verdict", "confidence", *self._classes, "reasons", "warnings", *_BOX)
        return _csv_line((*columns, "model", "calibrated"))

    def row(self, path: Path, answer: Answer) -> str:
        """Give the line of one image."""
        cells: list[object] = [path, answer.verdict, max(answer.probabilities.values(), default="")]
        cells += [answer.probabilities.get(name, "") for name in self._classes]
        cells += ["; ".join(answer.reasons), "; ".join(answer.warnings)]
        cells += [_box(answer).get(edge, "") for edge in _BOX]
        return _csv_line([*cells, *self._model])


class JsonLines:
    """One JSON object a line, with the same keys for each image; what is not known is an empty object."""

    def __init__(self, model: str, calibrated: bool) -> None:
        self._model = {"model": model, "calibrated": calibrated}

    def head(self) -> str:
        """Give nothing: each line stands for itself."""
        return ""

    def row(self, path: Path, answer: Answer) -> str:
        """Give the line of one image."""
        content: dict[str, Any] = {
            "image": str(path),
            "verdict": answer.verdict,
            "probabilities": answer.probabilities,
            "reasons": answer.reasons,
            "warnings": answer.warnings,
            "box": _box(answer),
            **self._model,
        }
        return json.dumps(content, allow_nan=False) + "\n"


def _box(answer: Answer) -> dict[str, int]:
    shown = answer.seen.shown if answer.seen else None
    return {edge: getattr(shown.box, edge) for edge in _BOX} if shown else {}


def _csv_line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _printable(path: Path) -> str:
    """Give a path without what could move a terminal's cursor or end a line."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(path))
