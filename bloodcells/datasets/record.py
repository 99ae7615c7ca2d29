"""The record of a data set, `datasets/NAME/record.yaml`: what it is, and how its labels and images are read."""

import difflib
import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from bloodcells.core.errors import InputError
from bloodcells.core.parameters import Section, describe_error, read_yaml

RECORDS = Path("datasets")
"""The folder with a folder for each data set."""

DROP = "drop"
"""What a label map names instead of a class when cells with that label are dropped."""

CORRECTIONS = "corrections"
"""The folder beside the record with the files of `bloodcells relabel`."""

MAX_CLASSES = 20

AS_FOUND: Literal["as found"] = "as found"

_RESERVED = {
    *("image", "fold", "actual", "predicted", "double", "null", DROP),  # columns and reasons of the pipeline's tables
    "unsure",  # what a reader writes instead of a class
    *("group", "verdict", "confidence", "reasons", "warnings", "left", "top", "right", "bottom", "model", "calibrated"),
    *("abstains", "error", "answer", "no input", "several", "several labels"),  # of `predict` and `score`
}


def normalize_label(text: str) -> str:
    """Return a label as labels are compared: without case, with single spaces, in one Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", " ".join(text.split())).casefold())


def check_class_name(name: str) -> None:
    """Check a class name.

    Raises:
        ValueError: it can't be a column of a table or a part of a picture's caption; the message says why.
    """
    if not name.strip() or len(name) > 40:
        raise ValueError(f"{name[:40]!r} is no class name: write 1 to 40 characters")
    if not name.isprintable() or any(letter in ',/|\\"<>&`' for letter in name) or name != " ".join(name.split()):
        raise ValueError(
            f"class {name!r}: a comma, slash, bar, quotation mark, <, >, &, backtick or unusual space is in its name; "
            "name it otherwise through label_map"
        )
    if name[0] in "=+-@":
        raise ValueError(
            f"class {name!r}: a spreadsheet takes a name that begins with = + - or @ as a formula; name it otherwise "
            "through label_map"
        )
    if normalize_label(name) in _RESERVED:
        raise ValueError(f"class {name!r}: the name is reserved; name it otherwise through label_map")


def _check_below(path: str) -> str:
    """Check a path below a folder; a dot is that folder."""
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in path):
        raise ValueError(f"a control character is in the path {path!r}")
    if PurePosixPath(path).is_absolute() or "\\" in path or ".." in PurePosixPath(path).parts:
        raise ValueError("write a relative path, with / between its parts and without ..")
    return path


Below = Annotated[str, AfterValidator(_check_below)]


def _check_text(text: str) -> str:
    """Return a text for readers on one line."""
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError(f"a character that can't be printed is in {text!r}")
    return line


Text = Annotated[str, AfterValidator(_check_text)]


def _as_text(label: object) -> object:
    """Return a label that YAML read as a number as text; a nested value is left for the error message."""
    if label is None or isinstance(label, bool):
        raise ValueError(f"YAML reads yes, no, on, off, true, false and null as {label!r}: write the label in quotes")
    return str(label) if isinstance(label, int | float | date) else label


class ImagesRecord(Section):
    """Where the images are.

    Attributes:
        folder: below the raw data.
        numbered: the file that a number in the label table means, such as `BloodImage_{:05d}.jpg`.
        range: the values of 16-bit images that become 0 and 255.
    """

    folder: Below = "."
    numbered: str | None = None
    range: tuple[float, float] | None = None

    @field_validator("numbered")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None and not re.fullmatch(r"[^{}]*\{(:0?([1-9]\d?)?d?)?\}[^{}]*", pattern):
            raise ValueError("write a file name with one number in it, such as cell_{:04d}.png")
        return pattern and _check_below(pattern)

    @field_validator("range")
    @classmethod
    def _increases(cls, limits: tuple[float, float] | None) -> tuple[float, float] | None:
        if limits is not None and not 0 <= limits[0] < limits[1] <= 65535:
            raise ValueError("write the darkest and the brightest value, both from 0 to 65535")
        return limits


class LabelsRecord(Section):
    """Where the labels are: in a table, in the names of folders, or in boxes.

    Attributes:
        table: path of the table, below the raw data.
        image, label: its columns.
        group: its column with the patient, slide or acquisition; cells of one group share a fold.
        folders: folder that holds a folder per class, below the raw data; also at any depth, as under TRAIN and TEST.
        boxes: format of the boxes; each box is a cell, and its name the label.
        annotations: file or folder of the boxes, below the raw data; by default they are beside the images.
        names: file with the names of YOLO's numbered classes, below the raw data.
    """

    table: Below | None = None
    image: str = "Image"
    label: str = "Category"
    group: str | None = None
    folders: Below | None = None
    boxes: Literal["voc", "coco", "yolo"] | None = None
    annotations: Below | None = None
    names: Below | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.table, self.folders, self.boxes)) != 1:
            raise ValueError("write exactly one of table, folders and boxes")
        if self.group is not None and self.table is None:
            raise ValueError("group is a column: it needs a table")
        if self.boxes is None and (self.annotations or self.names):
            raise ValueError("annotations and names belong to boxes")
        return self


class WhiteCellsRecord(Section):
    """Boxes that only measure how well the white cell is found.

    Attributes:
        annotations: folder of Pascal VOC files, below the raw data.
        name: the name of a white cell in them.
    """

    annotations: Below
    name: str


class PublishedResult(Section):
    """A result that others published on these files."""

    model: str
    correct: int = Field(ge=0)
    cells: int = Field(ge=1)
    mean_sensitivity: float = Field(ge=0, le=1)
    mean_specificity: float = Field(ge=0, le=1)


class PublishedRecord(Section):
    """Where the data set is published, and what is known of the published files.

    Attributes:
        archive: URL of an archive of the images and annotations.
        labels: URLs of the label table, or of an archive that contains it; each is tried if the ones before it fail.
        kaggle: the data set's Kaggle handle.
        fingerprint: of the published files. Counts and results are about them alone.
        counts: kept cells by class and dropped rows by reason.
        results: results that others published.
    """

    archive: str
    labels: tuple[str, ...] = ()
    kaggle: str | None = None
    fingerprint: str
    counts: dict[str, int] = Field(default_factory=dict)
    results: tuple[PublishedResult, ...] = ()


class Record(Section):
    """What a data set is, and how it is read; see docs/your-data.md.

    Attributes:
        source: `synthetic`: generated from a seed; `published`: downloaded and verified against data.dvc; `folder`: in
            `datasets/NAME/source`.
        classes: their names in order, or `as found`: those of the labels, sorted.
        label_map: from a label to its class, or to `drop`.
        drop: labels whose cells are dropped.
        corrections: files of `bloodcells relabel`, in the order in which they apply, relative to the record.
        parameters: values that `bloodcells use` writes into params.yaml, by their dotted keys.
    """

    title: Annotated[Text, Field(min_length=1)]
    license: Text = "not known"
    citation: Text = ""
    source: Literal["synthetic", "published", "folder"]
    images: ImagesRecord = ImagesRecord()
    labels: LabelsRecord
    classes: tuple[str, ...] | Literal["as found"]
    label_map: dict[str, str] = Field(default_factory=dict)
    drop: tuple[str, ...] = ()
    white_cells: WhiteCellsRecord | None = None
    corrections: tuple[Below, ...] = ()
    published: PublishedRecord | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)

    @field_validator("label_map", mode="before")
    @classmethod
    def _labels_as_text(cls, labels: object) -> object:
        if not isinstance(labels, Mapping):
            return labels
        texts = {_as_text(label): _as_text(target) for label, target in labels.items()}
        if len({normalize_label(str(label)) for label in texts}) < len(labels):
            raise ValueError("two labels differ in case or spaces only")
        return texts

    @field_validator("drop", mode="before")
    @classmethod
    def _dropped_as_text(cls, labels: object) -> object:
        return [_as_text(label) for label in labels] if isinstance(labels, list) else labels

    @field_validator("classes", mode="before")
    @classmethod
    def _classes_as_text(cls, names: object) -> object:
        if not isinstance(names, list | tuple) and names != AS_FOUND:
            raise ValueError(f"write a list of names, or {AS_FOUND}")
        return names if isinstance(names, str) else [_as_text(name) for name in names]

    @field_validator("corrections")
    @classmethod
    def _beside_the_record(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        for file in files:
            if not file.startswith(f"{CORRECTIONS}/") or ".." in file.split("/"):
                raise ValueError(f"{file!r} is not in {CORRECTIONS}/, the folder that the stage `clean` depends on")
        return files

    @model_validator(mode="after")
    def _classes_fit(self) -> Self:
        mapped = [name for name in self.label_map.values() if name != DROP]
        for name in (*(self.classes if self.classes != AS_FOUND else ()), *mapped):
            check_class_name(name)
        if self.classes != AS_FOUND:
            check_classes(self.classes)
            unknown = [name for name in mapped if name not in self.classes]
            if unknown:
                names = {normalize_label(name): name for name in self.classes}
                close = difflib.get_close_matches(normalize_label(unknown[0]), names, n=1)
                hint = f"; did you mean {names[close[0]]}?" if close else ""
                raise ValueError(f"label_map: {unknown[0]!r} is not among the classes{hint}")
            both = {normalize_label(name) for name in self.classes} & {normalize_label(name) for name in self.drop}
            if both:
                raise ValueError(f"{sorted(both)[0]!r} is in classes and in drop")
        if (self.source == "published") != (self.published is not None):
            raise ValueError("source: published and the section published belong together")
        return self

    def images_folder(self, raw: Path) -> Path:
        """Return the folder with the images, given the folder of the raw data."""
        return raw / self.images.folder


def check_classes(names: tuple[str, ...]) -> None:
    """Check the classes of a data set.

    Raises:
        ValueError: there are fewer than two or more than `MAX_CLASSES`, or two that differ in case or spaces only.
    """
    if not 2 <= len(names) <= MAX_CLASSES:
        raise ValueError(f"classes: {len(names)} of them; there must be 2 to {MAX_CLASSES}")
    if len({normalize_label(name) for name in names}) < len(names):
        raise ValueError(f"classes: two have the same name ({', '.join(names)})")


def record_path(name: str, records: Path = RECORDS) -> Path:
    """Return the path of a record."""
    return records / name / "record.yaml"


def record_names(records: Path = RECORDS) -> list[str]:
    """Return the names of all data sets that have a record."""
    return sorted(path.parent.name for path in records.glob("*/record.yaml"))


def read_record(name: str, records: Path = RECORDS) -> Record:
    """Read the record of a data set.

    Raises:
        InputError: there is none, it is not YAML, or a value is wrong. The message names every wrong key, in one line.
    """
    path = record_path(name, records)
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name) or not path.is_file():
        known = record_names(records)
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"no data set {name!r}: {path} is missing (there are {', '.join(known) or 'none'}){hint}")
    return parse_record(read_yaml(path), path)


def parse_record(content: Mapping[str, Any], path: Path) -> Record:
    """Check the content of a record; `path` is for the error message.

    Raises:
        InputError: a value is wrong. The message names every wrong key, in one line.
    """
    try:
        return Record.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {'; '.join(map(describe_error, error.errors()))}") from None
