"""Files with boxes in a folder: Pascal VOC, COCO or YOLO, recognized by their content."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from bloodcells.cli.importing.classes import is_not_white, names_no_class
from bloodcells.cli.importing.scanning import Scan
from bloodcells.core.errors import InputError

Format = Literal["voc", "coco", "yolo"]

_VOC_OBJECT = re.compile(rb"<object>.*?<name>\s*(.*?)\s*</name>", re.DOTALL)
_YOLO_NAMES = re.compile(r"classes\.txt|(data|dataset)\.ya?ml|.+\.names", re.IGNORECASE)
_YOLO_LINE = re.compile(rb"\s*\d+(\s+[-+.\deE]+){4,}\s*")
_COCO_LISTS = ("images", "annotations", "categories")
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
        except (RecursionError, ValueError):
            continue  # not JSON
        parts = [content.get(part) for part in _COCO_LISTS] if isinstance(content, dict) else []
        if parts and all(isinstance(part, list) for part in parts) and parts[0] and parts[1]:
            files.append(name)
            names.update(_coco_names(content))
    return BoxFiles("coco", tuple(files), names=names)


def _coco_names(content: dict[str, list[Any]]) -> Iterator[str]:
    """Yield the name of each box; what is wrong with others is said by the reader of boxes."""
    categories = {str(entry.get("id")): entry.get("name") for entry in content["categories"] if isinstance(entry, dict)}
    for entry in content["annotations"]:
        name = categories.get(str(entry.get("category_id"))) if isinstance(entry, dict) and "bbox" in entry else None
        if name is not None:
            yield str(name)


def _find_yolo(scan: Scan) -> BoxFiles:
    files, odd = [], []
    images = {PurePosixPath(image.name).stem for image in scan.images}
    for name in scan.tables:
        if name.lower().endswith(".txt"):
            lines = [line for line in _head(scan.folder / name).splitlines()[:20] if line.strip()]
            if lines and all(map(_YOLO_LINE.fullmatch, lines[:-1] or lines)):  # the last line may be cut off
                files.append(name)
            elif lines and PurePosixPath(name).stem in images:
                odd.append(name)
    folders = {PurePosixPath(name).parent for name in files}
    files += [name for name in odd if PurePosixPath(name).parent in folders]  # the reader of boxes says what is wrong
    names = [name for name in (*scan.tables, *scan.others) if _YOLO_NAMES.fullmatch(PurePosixPath(name).name)]
    return BoxFiles("yolo", tuple(files), min(names, key=lambda name: name.count("/")) if files and names else "")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)
