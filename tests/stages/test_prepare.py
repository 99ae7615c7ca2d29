import errno
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bloodcells.core.classes import CLASSES
from bloodcells.core.files import write_csv
from bloodcells.core.geometry import Box, Point
from bloodcells.core.pixels import open_pixels
from bloodcells.datasets.labels import read_label_table
from bloodcells.datasets.synthetic import smears
from stages.prepare import PUBLISHED_BOXES, localisation, main
from tests import workplace
from tests.project import set_params
from tests.workplace import PUBLISHED, RAW, ROOT, error_of, files, table

PIXELS = Path("artifacts", "rendered", "pixels")
LOCALISATION = Path("metrics", "rendered", "localisation.json")


def write_cells(folder: Path, dataset: str = "rendered") -> list[str]:
    """Write the table of kept cells that clean would write, and give their images."""
    raw = folder / "artifacts" / dataset / "raw"
    rows = [row for row in read_label_table(raw / "labels.csv") if len(row.labels) == 1 and row.labels[0] in CLASSES]
    kept = [row for row in rows if (raw / "JPEGImages" / row.image).is_file()]
    cells = [(row.image, row.labels[0], number % 5) for number, row in enumerate(kept)]
    write_csv(folder / "artifacts" / dataset / "cells.csv", ("image", "label", "fold"), cells)
    return [row.image for row in kept]


@pytest.fixture
def place(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    workplace.make(tmp_path, raw, image__side=64)
    (tmp_path / "bloodcells").symlink_to(ROOT / "bloodcells")
    write_cells(tmp_path)
    return tmp_path


def test_each_kept_cell_is_decoded_once_around_its_cell(place: Path) -> None:
    done = workplace.run_stage("prepare", place)
    assert (done.returncode, done.stderr) == (0, "")
    kept = [row["image"] for row in table(place / "artifacts" / "rendered" / "cells.csv")]
    pixels = open_pixels(place / PIXELS)
    assert list(pixels.rows) == kept
    assert pixels.array.shape == (len(kept), 64, 64, 3)
    boxes = {f"{s.name}.jpg": smears.render(s)[1] for s in smears.plan(workplace.IMAGES, workplace.SEED) if s.drawn}
    for row in table(place / PIXELS / "index.csv"):
        left, top, side = (int(row[key]) for key in ("left", "top", "side"))
        assert side == 256
        white = next(box for box in boxes[row["image"]] if box.name == "WBC")
        assert left <= (white.left + white.right) / 2 <= left + side
        assert top <= (white.top + white.bottom) / 2 <= top + side
        # The pixels are those of that square, scaled.
        with Image.open(place / RAW / "JPEGImages" / row["image"]) as image:
            square = image.crop((left, top, left + side, top + side)).reduce(4)
        difference = np.abs(np.asarray(square).astype(int) - pixels.take([row["image"]])[0])
        assert difference.mean() < 6


def test_the_figure_is_kept_over_all_annotated_images(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main()
    figure = json.loads((place / LOCALISATION).read_text())
    annotated = [path for path in (place / RAW / "Annotations").glob("*.xml") if "<name>WBC</name>" in path.read_text()]
    assert figure["cells"] == len(annotated) > 20
    assert figure["located"] >= 0.9
    assert f"{round(figure['located'] * len(annotated))} of {len(annotated)}" in capsys.readouterr().out


def test_a_point_outside_every_box_or_none_at_all_is_a_miss() -> None:
    found = {name: Point(50, 50, 9) for name in ("in", "near", "out", "unknown")}
    boxes = {
        "in": [Box(0, 0, 9, 9), Box(40, 40, 60, 60)],
        "near": [Box(60, 40, 90, 60)],
        "out": [Box(61, 40, 90, 60)],
        "no stain": [Box(0, 0, 99, 99)],
    }
    assert localisation(found, boxes) == {"located": 0.5, "cells": 4}


def test_a_set_without_annotations_has_no_share(place: Path) -> None:
    for path in (place / RAW / "Annotations").iterdir():
        path.unlink()
    main()
    assert json.loads((place / LOCALISATION).read_text()) == {"cells": 0}


def test_an_annotated_image_that_was_dropped_and_is_broken_is_a_miss_and_no_obstacle(place: Path) -> None:
    kept = {row["image"] for row in table(place / "artifacts" / "rendered" / "cells.csv")}
    annotated = {f"{path.stem}.jpg" for path in (place / RAW / "Annotations").glob("*.xml")}
    broken = place / RAW / "JPEGImages" / min(annotated - kept)
    broken.write_bytes(b"no image")
    main()
    assert json.loads((place / LOCALISATION).read_text())["located"] < 1


def test_published_boxes_are_not_laid_over_other_images_of_the_same_name(place: Path) -> None:
    (place / "artifacts" / "rendered").rename(place / "artifacts" / "bccd")
    for path in (place / "artifacts" / "bccd" / "raw" / "Annotations").iterdir():
        path.unlink()
    set_params(place, {"dataset": "bccd"})
    main()
    assert json.loads((place / "metrics" / "bccd" / "localisation.json").read_text()) == {"cells": 0}


def test_the_whole_frame_is_kept_when_it_is_asked_for(place: Path) -> None:
    set_params(place, {"image.input": "whole"})
    main()
    pixels = open_pixels(place / PIXELS)
    name = next(iter(pixels.rows))
    with Image.open(place / RAW / "JPEGImages" / name) as image:
        frame = np.asarray(image.reduce(10)).astype(int)
    assert np.abs(pixels.take([name])[0, 8:56] - frame).mean() < 6


def broken(place: Path) -> None:
    path = place / RAW / "JPEGImages" / "BloodImage_00000.jpg"
    path.write_bytes(path.read_bytes()[:5000])


def missing(place: Path) -> None:
    (place / RAW / "JPEGImages" / "BloodImage_00000.jpg").unlink()


def unstained(place: Path) -> None:
    Image.new("RGB", (640, 480), (200, 200, 200)).save(place / RAW / "JPEGImages" / "BloodImage_00000.jpg")


def no_cells(place: Path) -> None:
    (place / "artifacts" / "rendered" / "cells.csv").unlink()


def broken_annotation(place: Path) -> None:
    (place / RAW / "Annotations" / "BloodImage_00000.xml").write_text("<annotation>")


def wrong_size(place: Path) -> None:
    set_params(place, {"image.side": 3})


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (broken, r"BloodImage_00000\.jpg is broken"),
        (missing, r"BloodImage_00000\.jpg is missing"),
        (unstained, r"BloodImage_00000\.jpg: no stained cell .*; take its row out"),
        (no_cells, r"cells\.csv is missing: run `dvc repro`"),
        (broken_annotation, r"BloodImage_00000\.xml is no Pascal VOC annotation"),
        (wrong_size, r"image\.size: .*\(got 3\)"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_leaves_nothing(place: Path, fault: Any, said: str) -> None:
    fault(place)
    before = files(place)
    message = error_of(main)
    assert re.search(said, message), message
    assert files(place) == before


def test_a_faulty_set_ends_the_command_with_status_1(place: Path) -> None:
    broken(place)
    done = workplace.run_stage("prepare", place)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["pixels.npy", "index.csv", "localisation.json"])
def test_a_full_disk_is_said_and_leaves_nothing_half_written(
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
    whole = {PIXELS.as_posix(), f"{PIXELS}/pixels.npy", f"{PIXELS}/index.csv"} if name == "localisation.json" else set()
    assert f"the disk is full while writing {LOCALISATION if whole else PIXELS};" in message
    assert {path for path in files(place) - before if not path.startswith("metrics")} == whole
    assert not [path for path in files(place) if ".part" in path or path.endswith("localisation.json")]


def test_the_published_boxes_lie_where_the_stage_runs() -> None:
    """DVC runs every stage in the root of the project, and the table is a `dep` by this very path."""
    assert (ROOT / PUBLISHED_BOXES).is_file()


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the real set is not here")
def test_the_cells_of_the_published_set_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "artifacts" / "bccd").mkdir(parents=True)
    (tmp_path / "artifacts" / "bccd" / "raw").symlink_to(PUBLISHED)
    (tmp_path / "bloodcells").symlink_to(ROOT / "bloodcells")
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    set_params(tmp_path, {"dataset": "bccd", "image.side": 64})
    monkeypatch.chdir(tmp_path)
    assert len(write_cells(tmp_path, "bccd")) == 347
    main()
    figure = json.loads((tmp_path / "metrics" / "bccd" / "localisation.json").read_text())
    assert figure["cells"] == 358
    assert figure["located"] >= 0.99
    assert open_pixels(tmp_path / "artifacts" / "bccd" / "pixels").array.shape == (347, 64, 64, 3)
