"""Output formats: a table for people, CSV, or one JSON object per line."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from bloodcells.cli.predict.predictions import Prediction

_BOX = ("left", "top", "right", "bottom")


class OutputFormat(Protocol):
    """Formats predictions as text, each with its line end."""

    def head(self) -> str:
        """Return what comes before all predictions."""
        ...

    def row(self, path: Path, prediction: Prediction) -> str:
        """Return the line of one image."""
        ...


class Table:
    """Aligned columns: the paths of the images must be known before the first row, for their width."""

    def __init__(self, paths: Sequence[Path], classes: Sequence[str]) -> None:
        self._classes = classes
        images = max((len(_printable(path)) for path in paths), default=0)
        names = ("abstains", "verdict", *classes)
        self._widths = (max(images, len("image")), max(map(len, names)), *(max(len(name), 5) for name in classes))

    def head(self) -> str:
        """Return the column names."""
        return self._line("image", "verdict", self._classes, "why")

    def row(self, path: Path, prediction: Prediction) -> str:
        """Return the line of one image."""
        shown = [f"{prediction.probabilities[name]:.3f}" if prediction.probabilities else "" for name in self._classes]
        why = "; ".join([*prediction.reasons, *(f"warning: {warning}" for warning in prediction.warnings)])
        return self._line(_printable(path), prediction.verdict, shown, why)

    def _line(self, image: str, verdict: str, probabilities: Sequence[str], why: str) -> str:
        cells = [image.ljust(self._widths[0]), verdict.ljust(self._widths[1])]
        cells += [text.rjust(width) for text, width in zip(probabilities, self._widths[2:], strict=True)]
        return "  ".join([*cells, why]).rstrip() + "\n"


class Csv:
    """CSV with a header; semicolons separate several reasons or warnings, unknown values are empty."""

    def __init__(self, model: str, calibrated: bool, classes: Sequence[str]) -> None:
        self._model = (model, str(calibrated).lower())
        self._classes = classes

    def head(self) -> str:
        """Return the header."""
        columns = ("image", "verdict", "confidence", *self._classes, "reasons", "warnings", *_BOX)
        return _csv_line((*columns, "model", "calibrated"))

    def row(self, path: Path, prediction: Prediction) -> str:
        """Return the line of one image."""
        cells: list[object] = [path, prediction.verdict, max(prediction.probabilities.values(), default="")]
        cells += [prediction.probabilities.get(name, "") for name in self._classes]
        cells += ["; ".join(prediction.reasons), "; ".join(prediction.warnings)]
        cells += [_box(prediction).get(edge, "") for edge in _BOX]
        return _csv_line([*cells, *self._model])


class JsonLines:
    """One JSON object per line, with the same keys for each image; unknown values are empty objects."""

    def __init__(self, model: str, calibrated: bool) -> None:
        self._model = {"model": model, "calibrated": calibrated}

    def head(self) -> str:
        """Return nothing: there is no header."""
        return ""

    def row(self, path: Path, prediction: Prediction) -> str:
        """Return the line of one image."""
        content: dict[str, Any] = {
            "image": str(path),
            "verdict": prediction.verdict,
            "probabilities": prediction.probabilities,
            "reasons": prediction.reasons,
            "warnings": prediction.warnings,
            "box": _box(prediction),
            **self._model,
        }
        return json.dumps(content, allow_nan=False) + "\n"


def _box(prediction: Prediction) -> dict[str, int]:
    model_input = prediction.sample.model_input if prediction.sample else None
    return {edge: getattr(model_input.box, edge) for edge in _BOX} if model_input else {}


def _csv_line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _printable(path: Path) -> str:
    """Return a path without characters that could move a terminal's cursor or end a line."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(path))
