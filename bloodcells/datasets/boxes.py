"""Boxes of cells: Pascal VOC (an XML file per image), COCO (JSON) and YOLO (a text file per image)."""

import json
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from math import inf, isfinite
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from PIL import Image

from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Box
from bloodcells.core.orientation import upright_size
from bloodcells.core.parameters import read_yaml
from bloodcells.datasets.matching import CONTROL, is_image, list_files
from bloodcells.datasets.record import DROP, Record, normalize_label

Size = tuple[int, int]
"""Width and height in pixels."""

_MAX_BYTES, _MAX_JSON_BYTES = 10_000_000, 500_000_000
_MAX_FRACTION = 1.01  # of YOLO: some tools round outwards
_MAX_NAMED = 5  # wrong boxes that a message names; it counts the rest


@dataclass(frozen=True)
class Entry:
    """A box as a file describes it.

    Attributes:
        source: the file and the entry, for messages.
        image: path of the image below the images folder; only its name if there is no such image.
        name: what the box is named.
        edges: left, top, right and bottom in pixels.
        drawn_on: size of the image that the box was drawn on, if the file has it.
    """

    source: str
    image: str
    name: str
    edges: tuple[float, float, float, float]
    drawn_on: Size | None = None


class Images:
    """The images of a folder, to be found by the names that annotations give them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_key: dict[str, list[str]] = defaultdict(list)
        for image in filter(is_image, list_files(folder)):
            for key in {_key(name) for name in _names(PurePosixPath(image))}:
                self._by_key[key].append(image)
        self.size = cache(self._size)

    def find(self, name: PurePosixPath) -> str | None:
        """Return the image of that path, file name or file name without suffix, compared without case; None without.

        If several images have the file name, the one in most of the same folders is meant.

        Raises:
            InputError: it can't be told which image is meant.
        """
        keys = map(_key, _names(name))
        found: list[str] = next((self._by_key[key] for key in keys if key in self._by_key), [])
        whole = {image: _names(PurePosixPath(image))[:2] for image in found}
        exact = [image for image in found if str(name) in whole[image]] or [
            image for image in found if _key(str(name)) in map(_key, whole[image])
        ]
        shared = {image: len({*name.parts[:-1]} & {*PurePosixPath(image).parts[:-1]}) for image in exact or found}
        best = [image for image, count in shared.items() if count == max(shared.values())]
        if len(best) > 1:
            raise InputError(f"{name} can be {' or '.join(best[:2])} in {self._folder}: rename or remove one of them")
        return best[0] if best else None

    def _size(self, image: str) -> Size | None:
        """Return the size of an upright image from its header; None if there is none or it can't be read."""
        try:
            with Image.open(self._folder / image) as opened:
                return upright_size(opened)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return None  # the stages that decode images say what is wrong


def read_boxes(record: Record, raw: Path) -> list[tuple[str, str, Box]]:
    """Read the boxes that are the cells of a data set.

    Args:
        record: of the data set; it says where the images and the boxes are, and the boxes' format.
        raw: folder of the raw data.

    Returns:
        For each box the path of its image below the images folder, its name, and its place in the upright image,
        clipped to it. Sorted by image; the same box with the same name is listed once. The image is only a file name
        if it is not there.

    Raises:
        InputError: there are no boxes, a file can't be read, or a box has no area in its image and its name is not
            one that the record drops.
    """
    labels, images = record.labels, Images(record.images_folder(raw))
    where = raw / labels.annotations if labels.annotations else record.images_folder(raw)
    entries: list[Entry] = []
    if labels.boxes == "voc":
        entries = [entry for path in find_files(where, ".xml") for entry in read_voc(path, where, images)]
    elif labels.boxes == "coco":
        entries = [entry for path in find_files(where, ".json") for entry in _read_coco(path, where, images)]
    else:
        names_file = raw / labels.names if labels.names else None
        names = _class_names(names_file) if names_file else None
        paths = [path for path in find_files(where, ".txt") if path != names_file]
        entries = [entry for path in paths for entry in _read_yolo(path, where, images, names)]
    if not entries:
        raise InputError(
            f"{where} holds no boxes ({labels.boxes}): write into the record, as labels.annotations, what does"
        )
    dropped = {*record.drop, *(label for label, name in record.label_map.items() if name == DROP)}
    boxes = clip(entries, images, frozenset(map(normalize_label, dropped)))
    return sorted(dict.fromkeys(boxes), key=lambda box: box[0])


def clip(
    entries: Iterable[Entry], images: Images, dropped: Collection[str] = frozenset()
) -> list[tuple[str, str, Box]]:
    """Return the image, the name and the box of each entry, with whole numbers of pixels.

    Args:
        entries: what is in the files.
        images: all images.
        dropped: names, normalized, whose boxes are left out where they are wrong.

    Raises:
        InputError: a box has no area in its image, or was drawn on an image of another size.
    """
    boxes, problems = [], []
    for entry in entries:
        try:
            boxes.append((entry.image, entry.name, _clip(entry, images.size(entry.image))))
        except ValueError as error:
            if normalize_label(entry.name) not in dropped:
                problems.append(f"{entry.source}: {error}")
    if problems:
        more = len(problems) - _MAX_NAMED
        listed = "; ".join(problems[:_MAX_NAMED]) + (f"; and {more} more" if more > 0 else "")
        raise InputError(f"{listed}: correct or remove {'it' if len(problems) == 1 else 'them'}")
    return boxes


def read_voc(path: Path, where: Path, images: Images) -> Iterator[Entry]:
    """Yield the boxes of a Pascal VOC file: `NAME.xml` is about the image `NAME.…`, or about the one in `<filename>`.

    Args:
        path: the file.
        where: the folder in which it was found, or itself.
        images: all images.

    Raises:
        InputError: it is not a Pascal VOC file.
    """
    try:
        parser = ElementTree.XMLParser(target=_PlainTree())  # noqa: S314  it declares no entities
        parser.feed(_read(path))
        root = parser.close()
        written = _posix(root.findtext("filename") or "") or path.with_suffix("").name
        own = _relative(path, where)
        image = images.find(own) or images.find(own.parent / written)
        sides = [_whole(root.findtext(f"size/{side}") or "0") for side in ("width", "height")]
        for number, item in enumerate(root.iter("object"), start=1):
            name = (item.findtext("name") or "").strip()
            edges = [float(item.findtext(f"bndbox/{edge}") or "") for edge in ("xmin", "ymin", "xmax", "ymax")]
            if not name:
                raise ValueError(f"object {number} has no name")
            _check_printable(name, written)
            left, top, right, bottom = edges
            yield Entry(
                f"{path}, object {number} ({name})",
                image or PurePosixPath(written).name,
                name,
                (left - (left < right), top - (top < bottom), right, bottom),  # from 1, both edges inside the box
                (sides[0], sides[1]) if min(sides) > 0 else None,
            )
    except (ElementTree.ParseError, LookupError, OverflowError, ValueError) as error:
        raise InputError(f"{path} is not a Pascal VOC annotation ({error}): correct or remove it") from None


class _PlainTree(ElementTree.TreeBuilder):
    """A tree of XML without a document type, which could declare entities that expand without limit."""

    def doctype(self, *_: object) -> None:
        """Refuse the document type."""
        raise ValueError("it declares a document type")


def _read_coco(path: Path, where: Path, images: Images) -> Iterator[Entry]:
    """Yield the boxes of a COCO file: `bbox` is left, top, width and height in pixels. Crowds are not cells."""
    try:
        content = json.loads(_read(path))
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path} is not JSON ({error}): export it again") from None
    by_id = {part: _by_id(path, content, part) for part in ("images", "categories")}
    found: dict[Any, str] = {}
    for number, item in enumerate(_list(path, content, "annotations"), start=1):
        source = f"{path}, annotation {number}"
        try:
            if item.get("iscrowd"):
                continue
            picture, category = by_id["images"][item["image_id"]], by_id["categories"][item["category_id"]]
            name, written = str(category["name"]).strip(), _posix(str(picture["file_name"]))
            left, top, width, height = map(float, item["bbox"])
            drawn_on = (int(picture.get("width") or 0), int(picture.get("height") or 0))
            if not name or not written:
                raise ValueError("its name or that of its image is empty")
            _check_printable(name, written)
            if written not in found:
                found[written] = images.find(_relative(path, where).parent / written) or PurePosixPath(written).name
        except KeyError as error:
            raise InputError(f"{source}: no {error}, or nothing with that id: export the file again") from None
        except (AttributeError, OverflowError, TypeError, ValueError) as error:
            raise InputError(f"{source} is not a box ({error}): correct or remove it") from None
        edges = (left, top, left + width, top + height)
        yield Entry(f"{source} ({name})", found[written], name, edges, drawn_on if min(drawn_on) > 0 else None)


def _list(path: Path, content: Any, part: str) -> list[Any]:
    """Return a list of a COCO file."""
    entries = content.get(part) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{path} is not COCO: it has no list {part}; export the boxes as COCO object detection")
    return entries


def _by_id(path: Path, content: Any, part: str) -> dict[Any, Any]:
    """Return the entries of a list of a COCO file by their ids."""
    entries = _list(path, content, part)
    try:
        found = {entry["id"]: entry for entry in entries}
    except (KeyError, TypeError):
        raise InputError(f"{path}: an entry of {part} has no id: export it again") from None
    if len(found) < len(entries):
        raise InputError(f"{path}: two entries of {part} have the same id: export it again")
    return found


def _read_yolo(path: Path, where: Path, images: Images, names: list[str] | None) -> Iterator[Entry]:
    """Yield the boxes of a YOLO file: class, center, width and height as fractions of the image; or a polygon."""
    rows = [(number, line.split()) for number, line in enumerate(_text(path).splitlines(), start=1) if line.strip()]
    own = _relative(path, where)
    image = images.find(own)
    if image is None and not all(len(row) >= 5 and row[0].isdigit() for _, row in rows):
        return  # a list of classes, a note
    size = images.size(image) if image else None
    if size is None:
        raise InputError(f"{path}: its image is missing or can't be read: add {own}.jpg, or remove this file")
    for number, (label, *fields) in rows:
        source = f"{path}, line {number}"
        try:
            index, numbers = int(label), [float(field) for field in fields]
        except ValueError as error:
            raise InputError(f"{source}: {error}; write a class and four numbers") from None
        if not (len(numbers) == 4 or (len(numbers) >= 6 and len(numbers) % 2 == 0)):
            raise InputError(f"{source}: {len(numbers)} numbers after the class; write four: center, width and height")
        if not all(0 <= one <= _MAX_FRACTION for one in numbers):
            raise InputError(f"{source}: a number is not from 0 to 1; write fractions of the image's width and height")
        if index < 0 or (names is not None and index >= len(names)):
            raise InputError(f"{source}: class {index}, but there are {len(names or ())} names: add it to labels.names")
        x, y = numbers[0::2], numbers[1::2]
        if len(numbers) == 4:
            x, y = ([center - side / 2, center + side / 2] for center, side in (x, y))
        edges = (min(x) * size[0], min(y) * size[1], max(x) * size[0], max(y) * size[1])
        yield Entry(source, str(image), names[index] if names else str(index), edges)


def _class_names(path: Path) -> list[str]:
    """Read the names of YOLO's numbered classes: a line for each (classes.txt), or `names` in YAML (data.yaml)."""
    if path.suffix.lower() in (".yaml", ".yml"):
        names = read_yaml(path).get("names")
        names = [names.get(index) for index in range(len(names))] if isinstance(names, dict) else names
    else:
        names = _text(path).rstrip().splitlines()
    if not isinstance(names, list) or not names or not all(str(name or "").strip() for name in names):
        raise InputError(f"{path} has no names of classes: write one in each line, or `names:` and a list in YAML")
    names = [str(name).strip() for name in names]
    try:
        _check_printable(*names)
    except ValueError as error:
        raise InputError(f"{path}: {error}; correct it") from None
    return names


def _clip(entry: Entry, size: Size | None) -> Box:
    """Return the part of a box that is in its image.

    Raises:
        ValueError: there is none; the message says why.
    """
    left, top, right, bottom = entry.edges
    if not all(map(isfinite, entry.edges)) or left >= right or top >= bottom:
        raise ValueError("it has no width or no height")
    if size and entry.drawn_on and size != entry.drawn_on:
        drawn_on, now = (f"{width}×{height}" for width, height in (entry.drawn_on, size))
        raise ValueError(f"it was drawn on {drawn_on} pixels, but {entry.image} has {now}")
    width, height = size or entry.drawn_on or (inf, inf)
    box = Box(max(round(left), 0), max(round(top), 0), round(min(right, width)), round(min(bottom, height)))
    if box.left >= box.right or box.top >= box.bottom:
        raise ValueError(f"no pixel of it lies in {entry.image}, which has {width}×{height}")
    return box


def find_files(where: Path, suffix: str) -> list[Path]:
    """List the files with annotations: all in a folder, or a single one."""
    if where.is_file():
        return [where]
    return [where / name for name in list_files(where) if name.lower().endswith(suffix)]


def _relative(path: Path, where: Path) -> PurePosixPath:
    """Return the path of a file below the place where it was found, without its suffix."""
    return PurePosixPath((path.relative_to(where) if path != where else Path(path.name)).with_suffix("").as_posix())


def _posix(text: str) -> str:
    """Return a path that any system wrote, relative and with `/`."""
    return text.strip().replace("\\", "/").lstrip("/")


def _whole(text: str) -> int:
    """Return a whole number, which may be written as 40.0."""
    number = float(text)
    if not number.is_integer():
        raise ValueError(f"{text!r} is no whole number of pixels")
    return int(number)


def _check_printable(*names: str) -> None:
    """Raise ValueError for a name with a control character: it would act on the terminal that shows it."""
    for name in names:
        if CONTROL.search(name):
            raise ValueError(f"{name!r} has a line end or control character")


def _names(path: PurePosixPath) -> tuple[str, str, str, str]:
    """Return how a file can be called, the most exact first."""
    return str(path), str(path.with_suffix("")), path.name, path.stem


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _text(path: Path) -> str:
    try:
        return _read(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text: save it as UTF-8") from None


def _read(path: Path) -> bytes:
    """Read a file that is no larger than such files are."""
    try:
        limit = _MAX_JSON_BYTES if path.suffix.lower() == ".json" else _MAX_BYTES
        if path.stat().st_size > limit:
            raise InputError(f"{path} has over {limit // 1_000_000} MB: it can't be a file of boxes, so remove it")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
