"""The boxes of annotated white cells, from Pascal VOC files and from a table."""

from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from bloodcells.errors import InputError
from bloodcells.files import read_csv
from bloodcells.geometry import Box

WHITE_CELL = "WBC"
_SIDES = ("xmin", "ymin", "xmax", "ymax")

Boxes = dict[str, list[Box]]
"""Boxes by the file name of their image."""


def read_annotations(folder: Path) -> Boxes:
    """Read the white cells' boxes of all `NAME.xml` in a folder, each for the image `NAME.jpg`.

    Images without a white cell's box are left out.

    Raises:
        InputError: a file is no Pascal VOC annotation.
    """
    boxes: Boxes = defaultdict(list)
    for path in sorted(folder.glob("*.xml")):
        try:
            root = ElementTree.parse(path).getroot()  # noqa: S314 - held against the pin, and no entity is fetched
            for item in root.iter("object"):
                if (item.findtext("name") or "").strip().upper() == WHITE_CELL:
                    boxes[f"{path.stem}.jpg"].append(
                        Box(*(int(float(item.findtext(f"bndbox/{side}") or "")) for side in _SIDES))
                    )
        except (ElementTree.ParseError, LookupError, OverflowError, ValueError) as error:
            raise InputError(f"{path} is no Pascal VOC annotation ({error}): mend it or take it out") from None
    return dict(boxes)


def read_box_table(path: Path) -> Boxes:
    """Read boxes from a table with the columns image, xmin, ymin, xmax, ymax.

    Raises:
        InputError: no such file, a column missing, or a side that is no whole number.
    """
    boxes: Boxes = defaultdict(list)
    for number, row in enumerate(read_csv(path, ("image", *_SIDES)), start=2):
        try:
            boxes[row["image"]].append(Box(*(int(row[side]) for side in _SIDES)))
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    return dict(boxes)
