"""The boxes of annotated white cells, from Pascal VOC files and from a published table."""

from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv
from bloodcells.core.geometry import Box
from bloodcells.datasets.fingerprint import list_files, read_listing
from bloodcells.datasets.layout import ANNOTATIONS, IMAGES

MARGIN = 10.0
"""How far outside an annotated box, in pixels, a point still counts as in it."""

WHITE_CELL = "WBC"
_SIDES = ("xmin", "ymin", "xmax", "ymax")

Boxes = dict[str, list[Box]]
"""Boxes by the file name of their image."""


def white_cells(raw: Path, table: Path, listing: Path) -> Boxes:
    """Collect the boxes of white cells: a set's own annotations, and for published images those of a table.

    Args:
        raw: folder of a set in the published layout; it may lack annotations.
        table: published boxes, see `read_box_table`.
        listing: the hashes of the published files, by which an image of yours is told from a published one of the
            same name, and gets no box of the table.

    Raises:
        InputError: an annotation or the table can't be read.
    """
    images = raw / IMAGES
    boxes = read_box_table(table)
    published = read_listing(listing)
    here = {f"{IMAGES}/{name}": images / name for name in boxes if (images / name).is_file()}
    same = list_files(here).md5s.items() & (published.md5s.items() if published else set())
    known = {name: boxes[name] for name in (path.removeprefix(f"{IMAGES}/") for path, _ in sorted(same))}
    return {**known, **read_annotations(raw / ANNOTATIONS, images)}


def read_annotations(folder: Path, images: Path) -> Boxes:
    """Read the white cells' boxes of all `NAME.xml` in a folder, each for the file `NAME.…` in `images`.

    Images without a white cell's box are left out, as are annotations without an image.

    Raises:
        InputError: a file is no Pascal VOC annotation.
    """
    boxes: Boxes = defaultdict(list)
    names = {path.stem: path.name for path in sorted(images.glob("*"))}
    for path in sorted(folder.glob("*.xml")):
        try:
            root = ElementTree.parse(path).getroot()  # noqa: S314 - held against the pin, and no entity is fetched
            for item in root.iter("object"):
                if (item.findtext("name") or "").strip().upper() == WHITE_CELL:
                    box = Box(*(int(float(item.findtext(f"bndbox/{side}") or "")) for side in _SIDES))
                    if path.stem in names:
                        boxes[names[path.stem]].append(box)
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
