"""Output formats: a table for people, CSV, or one JSON object per line."""

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bloodcells.cli.decisions import ABSTAINS, Prediction

_BOX = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class OutputFormat(ABC):
    """Formats predictions as text, including line ends.

    Attributes:
        paths: of all images that will follow.
        classes: of the model.
        model: its name.
        calibrated: whether its probabilities are.
    """

    paths: Sequence[Path]
    classes: Sequence[str]
    model: str
    calibrated: bool

    @abstractmethod
    def header(self) -> str:
        """Return what precedes all predictions."""

    @abstractmethod
    def row(self, path: Path, prediction: Prediction) -> str:
        """Return the line of one image."""


class Table(OutputFormat):
    """Aligned columns; the longest path determines the width of the first one."""

    def header(self) -> str:
        """Return the column names."""
        return self._line("image", "verdict", self.classes, "why")

    def row(self, path: Path, prediction: Prediction) -> str:
        """Return the line of one image."""
        values = [f"{prediction.probabilities[name]:.3f}" if prediction.probabilities else "" for name in self.classes]
        why = "; ".join([*prediction.reasons, *(f"warning: {warning}" for warning in prediction.warnings)])
        return self._line(_printable(path), prediction.verdict, values, why)

    @cached_property
    def _widths(self) -> tuple[int, int, list[int]]:
        image = max(len(name) for name in ("image", *map(_printable, self.paths)))
        return image, max(map(len, ("verdict", ABSTAINS, *self.classes))), [max(len(name), 5) for name in self.classes]

    def _line(self, image: str, verdict: str, values: Sequence[str], why: str) -> str:
        first, second, others = self._widths
        cells = [image.ljust(first), verdict.ljust(second)]
        cells += [value.rjust(width) for value, width in zip(values, others, strict=True)]
        return "  ".join([*cells, why]).rstrip() + "\n"


class Csv(OutputFormat):
    """CSV with a header; reasons and warnings are joined by semicolons, unknown values are empty."""

    def header(self) -> str:
        """Return the column names."""
        columns = ("image", "verdict", "confidence", *self.classes, "reasons", "warnings", *_BOX)
        return _csv_line((*columns, "model", "calibrated"))

    def row(self, path: Path, prediction: Prediction) -> str:
        """Return the line of one image."""
        cells: list[object] = [path, prediction.verdict, max(prediction.probabilities.values(), default="")]
        cells += [prediction.probabilities.get(name, "") for name in self.classes]
        cells += ["; ".join(prediction.reasons), "; ".join(prediction.warnings)]
        cells += [_box(prediction).get(edge, "") for edge in _BOX]
        return _csv_line([*cells, self.model, str(self.calibrated).lower()])


class JsonLines(OutputFormat):
    """One JSON object per line, with the same keys for every image; unknown values are empty objects."""

    def header(self) -> str:
        """Return nothing."""
        return ""

    def row(self, path: Path, prediction: Prediction) -> str:
        """Return the line of one image."""
        content = {
            "image": str(path),
            "verdict": prediction.verdict,
            "probabilities": prediction.probabilities,
            "reasons": prediction.reasons,
            "warnings": prediction.warnings,
            "box": _box(prediction),
            "model": self.model,
            "calibrated": self.calibrated,
        }
        return json.dumps(content, allow_nan=False) + "\n"


FORMATS: dict[str, type[OutputFormat]] = {"table": Table, "csv": Csv, "json": JsonLines}


def _box(prediction: Prediction) -> dict[str, int]:
    model_input = prediction.sample.model_input if prediction.sample else None
    return {edge: getattr(model_input.box, edge) for edge in _BOX} if model_input else {}


def _csv_line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _printable(path: Path) -> str:
    """Return a path in which control characters are escaped: they could move the cursor of a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(path))
