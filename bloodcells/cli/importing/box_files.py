"""Files with boxes in a folder: Pascal VOC, COCO or YOLO, recognized by their content."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from bloodcells.cli.importing.classes import is_not_white, names_no_class
from bloodcells.cli.importing.scanning import Scan
from bloodcells.core.errors import InputError

Format = Literal["voc", "coco", "yolo"]

_VOC_OBJECT = re.compile(rb"<object>.*?<name>\s*(.*?)\s*</name>", re.DOTALL)
_YOLO_NAMES = re.compile(r"classes\.txt|(data|dataset)\.ya?ml|.+\.names", re.IGNORECASE)
_YOLO_LINE = re.compile(rb"\s*\d+(\s+[-+.\deE]+){4,}\s*")
_HEAD = 4096
_MAX_BYTES = 500_000_000


@dataclass(frozen=True)
class BoxFiles:
    """The files with boxes of one format.

    Attributes:
        format: of the files.
        files: their paths below the folder.
        names_file: the file with the names of YOLO's classes; empty if there is none.
        names: how many boxes have which name; empty if that is not known before the boxes are read.
    """

    format: Format
    files: tuple[str, ...]
    names_file: str = ""
    names: Counter[str] = field(default_factory=Counter)

    @property
    def tells_classes(self) -> bool:
        """Whether the boxes say which kind of cell is in them."""
        return not self.names or any(not is_not_white(name) and not names_no_class(name) for name in self.names)

    @property
    def white_cell(self) -> str:
        """The name of boxes around white cells of any kind; empty if there are none."""
        return next((name for name, _ in self.names.most_common() if names_no_class(name)), "")


def find_boxes(scan: Scan) -> BoxFiles | None:
    """Return the files with boxes in a folder, None if there are none.

    Raises:
        InputError: there are several formats.
    """
    found = [boxes for boxes in (_find_voc(scan), _find_coco(scan), _find_yolo(scan)) if boxes.files]
    if len(found) > 1:
        listed = " and ".join(f"{boxes.format.upper()} ({boxes.files[0]})" for boxes in found)
        raise InputError(f"{scan.folder} has boxes in several formats, {listed}: leave one of them there")
    return found[0] if found else None


def _find_voc(scan: Scan) -> BoxFiles:
    files, names = [], Counter[str]()
    for name in scan.annotations:
        if name.lower().endswith(".xml") and b"<annotation" in _head(scan.folder / name):
            files.append(name)
            objects = _VOC_OBJECT.findall((scan.folder / name).read_bytes())
            names.update(found.decode("utf-8", "replace") for found in objects)
    return BoxFiles("voc", tuple(files), names=names)


def _find_coco(scan: Scan) -> BoxFiles:
    files, names = [], Counter[str]()
    for name in scan.annotations:
        path = scan.folder / name
        if not name.lower().endswith(".json") or path.stat().st_size > _MAX_BYTES:
            continue
        try:
            content = json.loads(path.read_bytes())
            categories = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
            names.update(categories[entry["category_id"]] for entry in content["annotations"] if "bbox" in entry)
            if content["images"] and content["annotations"]:
                files.append(name)
        except (LookupError, RecursionError, TypeError, ValueError):
            continue  # another kind of JSON
    return BoxFiles("coco", tuple(files), names=names)


def _find_yolo(scan: Scan) -> BoxFiles:
    files = []
    for name in scan.tables:
        if name.lower().endswith(".txt"):
            lines = [line for line in _head(scan.folder / name).splitlines()[:20] if line.strip()]
            if lines and all(map(_YOLO_LINE.fullmatch, lines[:-1] or lines)):  # the last line may be cut off
                files.append(name)
    names = [name for name in (*scan.tables, *scan.others) if _YOLO_NAMES.fullmatch(PurePosixPath(name).name)]
    return BoxFiles("yolo", tuple(files), min(names, key=lambda name: name.count("/")) if files and names else "")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)
