"""The plan of an import: the record, the files to copy, and what the user should know."""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bloodcells.cli.importing.classes import Choice, Found, Wishes, choose_classes
from bloodcells.cli.importing.label_tables import TableWishes
from bloodcells.cli.importing.layouts import Kind, Layout, choose_layout
from bloodcells.cli.importing.pictures import find_copies, find_masks, guess_crop, guess_crop_around, guess_range
from bloodcells.cli.importing.scanning import ImageFile, Scan
from bloodcells.core.errors import InputError
from bloodcells.datasets.annotations import white_cells
from bloodcells.datasets.labels import LabelRow, read_labels
from bloodcells.datasets.matching import IMAGE_SUFFIXES, FileNames
from bloodcells.datasets.record import AS_FOUND, Record, parse_record

_FEW_CELLS = 2000
_SHOWN = 5
_ARCHIVES = (".7z", ".gz", ".rar", ".tar", ".tgz", ".zip")


@dataclass(frozen=True)
class Options:
    """What the user says; None where nothing is said.

    Attributes:
        layout: where the labels are.
        images: the folder of the images.
        table: the label table.
        classes: the classes.
        as_found: whether the record shall leave the classes open.
        crop: side of the square around a cell.
        n_splits: number of folds, unless a class is too small for it.
    """

    layout: Kind | None = None
    images: str | None = None
    table: TableWishes = field(default_factory=TableWishes)
    classes: Wishes = field(default_factory=Wishes)
    as_found: bool = False
    crop: int | None = None
    n_splits: int = 5


@dataclass(frozen=True)
class Plan:
    """What an import does.

    Attributes:
        record: the content of the record, but for its title.
        reasons: why a label is dropped or a parameter has its value, by its name.
        files: the files to copy, by their path below the data set's source.
        images: the images among them.
        masks: images that are masks.
        broken: other images that can't be used.
        unlabeled: images that can be used and have no label.
        facts: how the labels are read, in lines for a person.
        counts: number of cells of each class.
        dropped: number of rows (or boxes) that are dropped, by their label or the reason.
        remarks: what the user should look at.
    """

    record: dict[str, Any]
    reasons: dict[str, str]
    files: dict[str, Path]
    images: tuple[ImageFile, ...]
    masks: tuple[ImageFile, ...]
    broken: tuple[ImageFile, ...]
    unlabeled: tuple[str, ...]
    facts: tuple[str, ...]
    counts: dict[str, int]
    dropped: dict[str, int]
    remarks: tuple[str, ...]


def make_plan(scan: Scan, options: Options) -> Plan:
    """Find out how a folder becomes a data set.

    Raises:
        InputError: it can't, or there are several ways; the message names the remedy, or the option that decides it.
    """
    masks = find_masks(scan.images)
    drawn = {mask.name for mask in masks}
    photographs = {image.name: image for image in scan.images if image.name not in drawn}
    broken = tuple(image for image in photographs.values() if image.problem)
    by_name = {name: image for name, image in photographs.items() if not image.problem}
    layout = choose_layout(scan, _choose_images(scan, by_name, broken, options.images), options.layout, options.table)

    record: dict[str, Any] = {"source": "folder", "images": {"folder": layout.folder}, "labels": layout.labels}
    limits = guess_range([by_name[name] for name in layout.images])
    record["images"] |= {"range": list(limits)} if limits else {}
    files = {name: scan.folder / name for name in layout.images} | layout.files
    with _linked(files, scan.folder) as raw:
        found = read_labels(_parse(record | {"classes": AS_FOUND}), raw)
    choice = choose_classes(_find_labels(found, layout, by_name), options.classes, boxes=layout.kind == "boxes")
    record["classes"] = AS_FOUND if options.as_found else list(choice.classes)
    record |= {"label_map": choice.label_map, "drop": list(choice.dropped), "white_cells": layout.white_cells}
    record = {key: value for key, value in record.items() if value}

    used = {layout.path(row.image) for row in found} & by_name.keys()
    images = tuple(image for name, image in by_name.items() if name in used)
    files = {name: path for name, path in files.items() if name in used or name in layout.files}
    with _linked(files, scan.folder) as raw:
        rows = read_labels(_parse(record), raw)
        boxes = [box for own in white_cells(_parse(record), raw).values() for box in own]
    reasons = [_reason_to_drop(row, choice.classes, layout.path(row.image) in used) for row in rows]
    kept = [row for row, reason in zip(rows, reasons, strict=True) if not reason]
    boxes += [row.box for row in kept if row.box]
    around = guess_crop_around([(box.right - box.left, box.bottom - box.top) for box in boxes])
    parameters = _parameters(options, choice, len(kept), around, guess_crop(images))
    record["parameters"] = {key: value for key, (value, _) in parameters.items()}
    unlabeled = tuple(name for name in by_name if name not in used)
    without = [row for row in rows if row.labels and layout.path(row.image) not in used]
    return Plan(
        record=record,
        reasons={name: reason for name, (_, reason) in parameters.items()} | choice.dropped,
        files=files,
        images=images,
        masks=masks,
        broken=broken,
        unlabeled=unlabeled,
        facts=layout.facts,
        counts={name: sum(row.labels[0] == name for row in kept) for name in choice.classes},
        dropped=dict(Counter(filter(None, reasons)).most_common()),
        remarks=(
            *layout.remarks,
            *_missing_images(without, broken, [name.removeprefix(layout.path("")) for name in unlabeled]),
            *_copies(images, {layout.path(row.image): row.labels for row in rows if row.box is None}),
            *choice.remarks,
        ),
    )


def _choose_images(
    scan: Scan, usable: Mapping[str, ImageFile], broken: Sequence[ImageFile], folder: str | None
) -> list[str]:
    """Return the images that can be used, in the folder that the user names.

    Raises:
        InputError: there are none.
    """
    names = [name for name in usable if folder is None or name.startswith(f"{folder.rstrip('/')}/")]
    if names:
        return names
    if usable:
        raise InputError(f"--images: there are no images in {scan.folder / str(folder)}")
    if broken:
        raise InputError(f"{scan.folder}: no image can be used; {broken[0].name} {broken[0].problem}")
    if scan.images:
        raise InputError(f"{scan.folder} contains masks only, such as {scan.images[0].name}: add the photographs")
    archive = next((name for name in scan.others if name.lower().endswith(_ARCHIVES)), None)
    raise InputError(
        f"{scan.folder} contains no images ({', '.join(IMAGE_SUFFIXES)}): "
        + (f"unpack {archive} first" if archive else "name a folder that does")
    )


@contextmanager
def _linked(files: Mapping[str, Path], folder: Path) -> Iterator[Path]:
    """Yield a temporary folder with links to files, by their paths in it: what the data set's source will be.

    Messages of an InputError name the files in `folder` instead.
    """
    with tempfile.TemporaryDirectory(prefix="import-") as scratch:
        raw = Path(scratch)
        for name, path in files.items():
            (raw / name).parent.mkdir(parents=True, exist_ok=True)
            (raw / name).symlink_to(path.absolute())
        try:
            yield raw
        except InputError as error:
            raise InputError(str(error).replace(scratch, str(folder))) from None


def _parse(record: Mapping[str, Any]) -> Record:
    return parse_record({"title": "import", **record}, Path("record.yaml"))


def _find_labels(rows: Sequence[LabelRow], layout: Layout, images: Mapping[str, ImageFile]) -> list[Found]:
    """Count the cells and groups of each label, of cells that have it alone and an image; equal files are one group."""
    cells, groups = Counter[str](), defaultdict[str, set[str]](set)
    for row in rows:
        cells.update(dict.fromkeys(row.labels, 0))
        image = images.get(layout.path(row.image))
        if image and len(row.labels) == 1:
            cells[row.labels[0]] += 1
            groups[row.labels[0]].add(row.group or image.md5)
    return [Found(label, count, frozenset(groups[label])) for label, count in cells.items()]


def _reason_to_drop(row: LabelRow, classes: Collection[str], has_image: bool) -> str:
    if len(row.labels) != 1:
        return "several labels" if row.labels else "no label"
    if row.labels[0] not in classes:
        return row.labels[0]
    return "" if has_image else "no image"


def _parameters(
    options: Options, choice: Choice, cells: int, around: int | None, whole: int | None
) -> dict[str, tuple[Any, str]]:
    """Return the parameters that the data set needs, each with the reason for its value."""
    chosen: dict[str, tuple[Any, str]] = {}
    if options.crop:
        chosen["image.crop"] = (options.crop, "as you said")
    elif around:
        chosen["image.crop"] = (around, "a cell fills about half of the square, by its box")
    elif whole:
        chosen["image.crop"] = (whole, "each image is a crop around a cell already")
    small = min(choice.classes, key=lambda name: choice.classes[name])
    n_splits = min(options.n_splits, choice.classes[small])
    if n_splits < options.n_splits:
        chosen["clean.n_splits"] = (n_splits, f"{small} has only {n_splits} cells that do not belong together")
    elif cells < _FEW_CELLS:  # test_folds names all folds, so their number must not come from another data set
        chosen["clean.n_splits"] = (n_splits, "each class has cells for them")
    if cells < _FEW_CELLS:
        chosen["test_folds"] = (list(range(n_splits)), "every cell is tested once")
    return chosen


def _missing_images(rows: Sequence[LabelRow], broken: Sequence[ImageFile], unlabeled: Sequence[str]) -> Iterator[str]:
    """Describe rows that name no image which can be used, with images that they may mean."""
    unusable = FileNames(image.name for image in broken)
    lost = {row.image: row for row in rows if unusable.candidates(row.image)}
    if lost:
        yield f"{_rows(list(lost.values()))} an image that can't be used, and will be dropped"
    missing = [row for row in rows if row.image not in lost]
    if missing:
        files, names = FileNames(unlabeled), list(dict.fromkeys(row.image for row in missing))
        near = {name: files.near_misses(name, n=1) for name in names[:_SHOWN]}
        shown = [name + (f" (near: {found[0]})" if found else "") for name, found in near.items()]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield (
            f"{_rows(missing)} an image that is not there: {', '.join(shown)}{more}. They will be dropped, unless you "
            "correct the names and import again"
        )


def _rows(rows: Sequence[LabelRow]) -> str:
    one, many = ("box", "boxes") if rows[0].box else ("row", "rows")
    where = f" (line {rows[0].line})" if rows[0].line else ""
    if len(rows) == 1:
        return f"One {one}{where} names"
    return f"{len(rows)} {many}{where.replace('(', '(the first in ')} name"


def _copies(images: Sequence[ImageFile], labels: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Describe images that are the same file under several names."""
    copies = [[image.name for image in same] for same in find_copies(images)]
    contradicting = [same for same in copies if len({labels.get(name) for name in same}) > 1]
    if contradicting:
        shown = [
            " and ".join(f"{name} ({' + '.join(labels.get(name, ())) or 'no label'})" for name in same)
            for same in contradicting[:_SHOWN]
        ]
        more = f"; and {len(contradicting) - _SHOWN} more" if len(contradicting) > _SHOWN else ""
        yield f"Equal images with different labels, of which at least one is wrong: {'; '.join(shown)}{more}"
    same = [names for names in copies if names not in contradicting]
    if same:
        more = f" and {len(same) - 1} more" if len(same) > 1 else ""
        yield f"Equal images under several names: {' = '.join(same[0])}{more}. They will share a fold"
