"""Folders as laboratories have them: small photographs, masks, tables and boxes."""

import csv
import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bloodcells.cli.importing.planning import Options, Plan, make_plan
from bloodcells.cli.importing.scanning import Scan, scan
from bloodcells.core.files import write_csv
from bloodcells.datasets.synthetic.plan import plan_smears
from bloodcells.datasets.synthetic.scene import render
from bloodcells.imaging.loading import open_rgb

FOUR = ("neutrophil", "lymphocyte", "monocyte", "eosinophil")


def photograph(path: Path, seed: int = 0, size: tuple[int, int] = (40, 40)) -> Path:
    """Write an image with many colors; another one for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def deep_photograph(path: Path, brightest: int, side: int = 40) -> Path:
    """Write a PNG with 16 bits per channel, which Pillow can't."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pixels = np.random.default_rng(brightest).integers(0, brightest + 1, (side, side * 3)).astype(">u2")
    pixels[0, 0] = brightest
    head = struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    return path


def photographs(folder: Path, names: Iterable[str], size: tuple[int, int] = (40, 40)) -> Path:
    """Write images of these names, each another one."""
    for name in names:
        photograph(folder / name, seed=int.from_bytes(name.encode(), "little"), size=size)
    return folder


def mask(path: Path, size: tuple[int, int] = (40, 40)) -> Path:
    """Write the mask of a cell: a white disk with a gray nucleus on black."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[: size[1], : size[0]]
    distance = np.hypot(x - size[0] / 2, y - size[1] / 2)
    pixels = np.where(distance < size[0] / 3, 255, 0) - np.where(distance < size[0] / 6, 127, 0)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], separator: str = ",") -> Path:
    """Write a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerows([columns, *rows])
    return path


def second_laboratory(folder: Path, images: int, seed: int = 3, side: int = 120, first: int = 1) -> Path:
    """Write a set as a second laboratory published one: crops `001.bmp` with a mask `001.png`, and numbered classes."""
    numbers = {"neutrophil": 1, "lymphocyte": 2, "monocyte": 3, "eosinophil": 4, "basophil": 5}
    smears = [smear for smear in plan_smears(images, seed) if smear.has_image and len(smear.cells) == 1]
    for number, smear in enumerate(smears, first):
        pixels, boxes = render(smear)
        cell = next(box for box in boxes if box.name == "WBC")
        middle = (cell.left + cell.right) // 2, (cell.top + cell.bottom) // 2
        left, top = (min(max(at - 88, 0), whole - 176) for at, whole in zip(middle, (640, 480), strict=True))
        crop = Image.fromarray(pixels[top : top + 176, left : left + 176]).resize((side, side))
        mask(folder / "images" / f"{number:03}.png", (side, side))
        crop.save(folder / "images" / f"{number:03}.bmp")
    rows = [(number, numbers[smear.cells[0]]) for number, smear in enumerate(smears, first)]
    write_csv(folder / "class labels.csv", ("image ID", "class label"), rows)
    return folder


def labels(count: int, names: Sequence[str] = FOUR) -> list[str]:
    """Return labels in turn."""
    return [names[index % len(names)] for index in range(count)]


def voc(path: Path, boxes: Iterable[tuple[str, int, int, int, int]], image: str = "") -> Path:
    """Write a Pascal VOC file with names and edges."""
    path.parent.mkdir(parents=True, exist_ok=True)
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
        f"<ymax>{bottom}</ymax></bndbox></object>"
        for name, left, top, right, bottom in boxes
    )
    path.write_text(f"<annotation><filename>{image or path.stem + '.png'}</filename>{objects}</annotation>")
    return path


def coco(path: Path, boxes: Mapping[str, Sequence[tuple[str, int, int, int, int]]]) -> Path:
    """Write a COCO file with the boxes of images: names, left, top, width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = sorted({name for own in boxes.values() for name, *_ in own})
    listed = [(number, box) for number, own in enumerate(boxes.values()) for box in own]
    content = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(boxes)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        "annotations": [
            {"id": index, "image_id": number, "category_id": names.index(box[0]), "bbox": list(box[1:])}
            for index, (number, box) in enumerate(listed)
        ],
    }
    path.write_text(json.dumps(content))
    return path


def look(folder: Path) -> Scan:
    """Look at a folder as the command does."""
    return scan(folder, lambda path, limits: open_rgb(path, range=limits), progress=False)


def plan(folder: Path, options: Options | None = None) -> Plan:
    """Plan the import of a folder as the command does."""
    return make_plan(look(folder), options or Options())
