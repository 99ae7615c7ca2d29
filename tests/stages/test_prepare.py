import errno
import json
import os
import re
import shutil
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from bloodcells.core.files import write_csv
from bloodcells.core.geometry import Box, Point
from bloodcells.core.paths import DatasetPaths
from bloodcells.core.prepared_cells import open_pixels
from bloodcells.datasets.labels import read_labels
from bloodcells.datasets.record import read_record
from bloodcells.datasets.synthetic.plan import plan_smears
from bloodcells.datasets.synthetic.scene import render
from bloodcells.imaging.cropping import resize_crop
from bloodcells.imaging.loading import open_rgb
from stages.prepare import localization, main
from tests.datasets.test_boxes import voc
from tests.imaging.test_loading import png
from tests.support import workplace
from tests.support.project import ROOT, set_params
from tests.support.smallset import CLASSES
from tests.support.workplace import PATHS, PUBLISHED, RAW, error_of, files, table

BCCD = DatasetPaths("bccd")


COLUMNS = ("image", "label", "fold", "group", "file", "left", "top", "right", "bottom")


def write_cells(paths: DatasetPaths = PATHS) -> list[str]:
    """Write the table of kept cells as the stage `clean` does, and return their images."""
    record = read_record(paths.dataset)
    images = record.images_folder(paths.raw)
    rows = [row for row in read_labels(record, paths.raw) if len(row.labels) == 1 and row.labels[0] in CLASSES]
    kept = [row for row in rows if (images / row.image).is_file()]
    cells = [(row.cell, row.labels[0], number % 5, "", row.image, *[""] * 4) for number, row in enumerate(kept)]
    write_csv(paths.cells, COLUMNS, cells)
    return [row.image for row in kept]


def no_annotated_image() -> None:
    """Leave one annotation, of an image that is not there."""
    first, *others = (RAW / "Annotations").iterdir()
    for path in others:
        path.unlink()
    first.write_text(voc(("WBC", 1, 2, 3, 4)))
    first.rename(first.with_stem("gone"))


@pytest.fixture
def place(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["prepare"])
    workplace.make(tmp_path, raw, image__side=64)
    write_cells()
    return tmp_path


def test_each_kept_image_is_cropped_around_its_cell(place: Path) -> None:
    done = workplace.run_stage("prepare", place)
    assert (done.returncode, done.stderr) == (0, "")
    kept = [row["image"] for row in table(PATHS.cells)]
    pixels = open_pixels(PATHS.pixels)
    assert list(pixels.rows) == kept
    assert pixels.array.shape == (len(kept), 64, 64, 3)
    boxes = {f"{s.name}.jpg": render(s)[1] for s in plan_smears(workplace.IMAGES, workplace.SEED) if s.has_image}
    for row in table(PATHS.pixels / "index.csv"):
        left, top, side = (int(row[key]) for key in ("left", "top", "side"))
        assert side == 256
        white = next(box for box in boxes[row["image"]] if box.name == "WBC")
        assert left <= (white.left + white.right) / 2 <= left + side
        assert top <= (white.top + white.bottom) / 2 <= top + side
        # The pixels are that square, scaled.
        with Image.open(RAW / "JPEGImages" / row["image"]) as image:
            square = image.crop((left, top, left + side, top + side)).reduce(4)
        difference = np.abs(np.asarray(square).astype(int) - pixels.take([row["image"]])[0])
        assert difference.mean() < 6


def test_localization_is_measured_on_all_annotated_images(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main()
    result = json.loads((PATHS.localization).read_text())
    annotated = [path for path in (RAW / "Annotations").glob("*.xml") if "<name>WBC</name>" in path.read_text()]
    assert result["images"] == len(annotated) > 20
    assert result["localization_accuracy"] >= 0.9
    assert f"{round(result['localization_accuracy'] * len(annotated))} of {len(annotated)}" in capsys.readouterr().out


def test_a_point_outside_every_box_or_no_point_is_a_miss() -> None:
    points = {name: Point(50, 50, 9) for name in ("in", "near", "out", "unknown")}
    boxes = {
        "in": [Box(0, 0, 9, 9), Box(40, 40, 60, 60)],
        "near": [Box(60, 40, 90, 60)],
        "out": [Box(61, 40, 90, 60)],
        "no stain": [Box(0, 0, 99, 99)],
    }
    assert localization(points, boxes) == {"localization_accuracy": 0.5, "images": 4}


def test_without_annotated_images_there_is_no_localization_accuracy(place: Path) -> None:
    no_annotated_image()
    main()
    assert json.loads((PATHS.localization).read_text()) == {"images": 0}


def test_a_broken_image_that_was_dropped_counts_as_a_miss(place: Path) -> None:
    kept = {row["image"] for row in table(PATHS.cells)}
    annotated = {f"{path.stem}.jpg" for path in (RAW / "Annotations").glob("*.xml")}
    broken = RAW / "JPEGImages" / min(annotated - kept)
    broken.write_bytes(b"no image")
    main()
    assert json.loads((PATHS.localization).read_text())["localization_accuracy"] < 1


def test_the_cells_of_an_image_are_cropped_around_their_boxes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = {
        "BloodImage_00001.jpg": [Box(20, 30, 80, 70), Box(301, 200, 421, 330), Box(0, 400, 30, 480)],
        "BloodImage_00000.jpg": [Box(200, 200, 300, 300)],
    }
    cells = [(f"{file}#{box.left}", "monocyte", 0, "", file, *astuple(box)) for file in boxes for box in boxes[file]]
    write_csv(
        PATHS.cells, COLUMNS, [*cells, ("BloodImage_00002.jpg", "monocyte", 0, "", "BloodImage_00002.jpg", *[""] * 4)]
    )
    set_params(place, {"image.crop": 100})
    opened = []

    def count(path: Path, **options: Any) -> Image.Image:
        opened.append(path.name)
        return open_rgb(path, **options)

    monkeypatch.setattr("stages.prepare.open_rgb", count)
    no_annotated_image()
    main()
    assert opened == ["BloodImage_00001.jpg", "BloodImage_00000.jpg", "BloodImage_00002.jpg"]
    index = table(PATHS.pixels / "index.csv")
    assert [row["image"] for row in index] == [*(cell[0] for cell in cells), "BloodImage_00002.jpg"]
    assert [(row["left"], row["top"], row["side"]) for row in index[:4]] == [
        ("0", "0", "100"),
        ("311", "215", "100"),
        ("0", "380", "100"),
        ("200", "200", "100"),
    ]
    image = open_rgb(RAW / "JPEGImages" / "BloodImage_00001.jpg")
    expected = resize_crop(image, Box(311, 215, 411, 315), 64)
    assert np.array_equal(open_pixels(PATHS.pixels).take([cells[1][0]])[0], expected)
    assert len({row["stain"] for row in index[:3]}) == 3  # each cell has its own


def test_a_full_image_of_several_cells_can_not_be_the_input(place: Path) -> None:
    rows = [(f"a{left}", "monocyte", 0, "", "BloodImage_00001.jpg", left, 0, left + 50, 50) for left in (0, 100)]
    write_csv(PATHS.cells, COLUMNS, rows)
    set_params(place, {"image.input": "full"})
    assert "BloodImage_00001.jpg shows several cells: set image.input to crop" in error_of(main)


def test_16_bit_images_are_scaled_from_the_range_of_the_record(place: Path) -> None:
    path = RAW / "JPEGImages" / "BloodImage_00000.jpg"
    pixels = np.asarray(open_rgb(path))
    main()
    before = open_pixels(PATHS.pixels).take([path.name])
    png(path, 640, 480, 16, 3, (pixels.astype(np.uint16) * 16).astype(">u2").tobytes())  # 12 bits
    assert "images.range" in error_of(main)
    record = yaml.safe_load((place / "datasets" / "rendered" / "record.yaml").read_text())
    record["images"]["range"] = [0, 255 * 16]
    (place / "datasets" / "rendered" / "record.yaml").write_text(yaml.safe_dump(record))
    main()
    assert np.array_equal(open_pixels(PATHS.pixels).take([path.name]), before)


def test_the_full_image_can_be_the_input(place: Path) -> None:
    set_params(place, {"image.input": "full"})
    main()
    pixels = open_pixels(PATHS.pixels)
    name = next(iter(pixels.rows))
    with Image.open(RAW / "JPEGImages" / name) as image:
        frame = np.asarray(image.reduce(10)).astype(int)
    assert np.abs(pixels.take([name])[0, 8:56] - frame).mean() < 6


def broken(place: Path) -> None:
    path = RAW / "JPEGImages" / "BloodImage_00000.jpg"
    path.write_bytes(path.read_bytes()[:5000])


def missing(place: Path) -> None:
    (RAW / "JPEGImages" / "BloodImage_00000.jpg").unlink()


def unstained(place: Path) -> None:
    Image.new("RGB", (640, 480), (200, 200, 200)).save(RAW / "JPEGImages" / "BloodImage_00000.jpg")


def no_cells(place: Path) -> None:
    PATHS.cells.unlink()


def broken_annotation(place: Path) -> None:
    (RAW / "Annotations" / "BloodImage_00000.xml").write_text("<annotation>")


def change_white_cells(place: Path, **values: str) -> None:
    path = place / "datasets" / "rendered" / "record.yaml"
    content = yaml.safe_load(path.read_text())
    content["white_cells"] |= values
    path.write_text(yaml.safe_dump(content))


def other_name(place: Path) -> None:
    change_white_cells(place, name="WCB")


def other_folder(place: Path) -> None:
    change_white_cells(place, annotations="Anotations")


def wrong_size(place: Path) -> None:
    set_params(place, {"image.side": 3})


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (broken, r"BloodImage_00000\.jpg is broken"),
        (missing, r"BloodImage_00000\.jpg is missing"),
        (unstained, r"BloodImage_00000\.jpg: no stained cell .*; take its row out"),
        (no_cells, r"cells\.csv is missing: run `dvc repro`"),
        (broken_annotation, r"BloodImage_00000\.xml is not a Pascal VOC annotation"),
        (other_name, r"Annotations: no Pascal VOC file there has a box 'WCB' \(but .*WBC.*\); correct white_cells"),
        (other_folder, r"Anotations: no Pascal VOC file there has a box 'WBC'; correct white_cells in the record"),
        (wrong_size, r"image\.side: .*\(got 3\)"),
    ],
)
def test_a_user_error_is_one_line_and_leaves_no_files(place: Path, fault: Any, expected: str) -> None:
    fault(place)
    before = files(place)
    message = error_of(main)
    assert re.search(expected, message), message
    assert files(place) == before


def test_a_user_error_is_status_1(place: Path) -> None:
    broken(place)
    done = workplace.run_stage("prepare", place)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["pixels.npy", "index.csv", "localization.json"])
def test_a_full_disk_is_an_error_and_leaves_no_partial_file(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = files(place)
    real = Path.open

    def full(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if path.name == name and mode != "r":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", full)
    message = error_of(main)
    written = (
        {PATHS.pixels / part for part in ("", "pixels.npy", "index.csv")} if name == "localization.json" else set()
    )
    assert f"the disk is full while writing {PATHS.localization if written else PATHS.pixels};" in message
    assert files(place) - before == {path.as_posix() for path in written}


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs the published data set")
def test_the_cells_of_the_published_set_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["prepare"])
    shutil.copytree(PUBLISHED, BCCD.raw, copy_function=os.symlink)
    (BCCD.raw / "white_cells.csv").symlink_to(ROOT / "datasets" / "bccd" / "source" / "white_cells.csv")
    workplace.configure(tmp_path, "bccd")
    set_params(tmp_path, {"image.side": 64})
    assert len(write_cells(BCCD)) == 347
    main()
    result = json.loads(BCCD.localization.read_text())
    assert result["images"] == 358
    assert result["localization_accuracy"] >= 0.99
    assert open_pixels(BCCD.pixels).array.shape == (347, 64, 64, 3)
