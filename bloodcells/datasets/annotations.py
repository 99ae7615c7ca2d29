"""Bounding boxes of white cells, from Pascal VOC annotations and from a table."""

from collections import defaultdict
from pathlib import Path

from bloodcells.core.errors import InputError
from bloodcells.core.files import read_csv, write_csv
from bloodcells.core.geometry import Box
from bloodcells.datasets.boxes import Images, clip, find_files, read_voc
from bloodcells.datasets.fingerprint import hash_files, read_checksums
from bloodcells.datasets.record import Record, normalize_label

MARGIN = 10.0
"""A point at most this far outside a box, in pixels, counts as inside."""

WHITE_CELLS = "white_cells.csv"
"""A table of boxes beside the raw data of a published set; elsewhere, a file of this name is like any other."""

_SHOWN = 10  # names in a message
_EDGES = ("xmin", "ymin", "xmax", "ymax")

Boxes = dict[str, list[Box]]
"""Boxes by the file name of the image."""


def white_cells(record: Record, raw: Path) -> Boxes:
    """Return the boxes of white cells: those that the data set annotates, and those of `WHITE_CELLS`.

    Raises:
        InputError: an annotation or the table can't be read, or there is no box of the record's name.
    """
    folder, table = record.images_folder(raw), raw / WHITE_CELLS
    boxes = read_box_table(table) if record.source == "published" and table.is_file() else {}
    if record.white_cells is None:
        return boxes
    where, name = raw / record.white_cells.annotations, normalize_label(record.white_cells.name)
    images = Images(folder)
    entries = [entry for path in find_files(where, ".xml") for entry in read_voc(path, where, images)]
    white = [entry for entry in entries if normalize_label(entry.name) == name]
    if not white and not boxes:  # published annotations may be of red cells only
        others = ", ".join(sorted({entry.name for entry in entries})[:_SHOWN])
        raise InputError(
            f"{where}: no Pascal VOC file there has a box {record.white_cells.name!r}"
            f"{f' (but {others})' if others else ''}; correct white_cells in the record, or take it out"
        )
    annotated: Boxes = defaultdict(list)
    for image, _, box in clip([entry for entry in white if (folder / entry.image).is_file()], images):
        annotated[image].append(box)
    return boxes | annotated


def published_boxes(table: Path, checksums: Path, images: Path, folder: str) -> Boxes:
    """Return the boxes of those images that are the published ones; another image of the same name gets none.

    Args:
        table: boxes of published images, see `read_box_table`.
        checksums: MD5 of the published files.
        images: folder of the images.
        folder: its path in the checksums.

    Raises:
        InputError: the table can't be read.
    """
    boxes = read_box_table(table)
    published = read_checksums(checksums)
    present = {f"{folder}/{name}": images / name for name in boxes if (images / name).is_file()}
    same = hash_files(present).md5s.items() & (published.md5s.items() if published else set())
    return {name: boxes[name] for name in sorted(path.removeprefix(f"{folder}/") for path, _ in same)}


def write_box_table(path: Path, boxes: Boxes) -> None:
    """Write boxes as `read_box_table` reads them."""
    rows = [(name, box.left, box.top, box.right, box.bottom) for name, own in boxes.items() for box in own]
    write_csv(path, ("image", *_EDGES), rows)


def read_box_table(path: Path) -> Boxes:
    """Read boxes from a table with the columns image, xmin, ymin, xmax, ymax.

    Raises:
        InputError: the file or a column is missing, or an edge is not a whole number.
    """
    boxes: Boxes = defaultdict(list)
    for number, row in enumerate(read_csv(path, ("image", *_EDGES)), start=2):
        try:
            boxes[row["image"]].append(Box(*(int(row[edge]) for edge in _EDGES)))
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}; write whole numbers of pixels") from None
    return dict(boxes)
