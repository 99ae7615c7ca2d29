import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from bloodcells.core.errors import InputError
from bloodcells.core.parameters import read_parameters
from stages import explore
from tests.support import workplace
from tests.support.project import ROOT
from tests.support.workplace import IMAGE_FOLDER, PATHS, RAW, table

NUCLEUS = {"eosinophil": (150, 60, 180), "lymphocyte": (60, 20, 120), "monocyte": (130, 90, 200)}
LABELS = ["EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL", "BASOPHIL", "EOSINOPHIL", *["NEUTROPHIL"] * 9]


def draw_smear(path: Path, color: tuple[int, int, int], center: tuple[int, int]) -> None:
    image = Image.new("RGB", (640, 480), (205, 200, 195))
    ImageDraw.Draw(image).circle(center, 60, fill=color)
    image.save(path, quality=95)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project after the stage `download`: 15 single cells, a double, a blank, and a row without an image."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["explore"])
    workplace.configure(tmp_path, "rendered")
    IMAGE_FOLDER.mkdir(parents=True)
    rows = [*enumerate(LABELS), (20, '"MONOCYTE, NEUTROPHIL"'), (21, ""), (22, "MONOCYTE")]
    (RAW / "labels.csv").write_text(",Image,Category\n" + "".join(f",{number},{label}\n" for number, label in rows))
    for number, label in rows[:-1]:
        color = NUCLEUS.get(label.lower(), (100, 40, 150))
        draw_smear(IMAGE_FOLDER / f"BloodImage_{number:05d}.jpg", color, (100 + 25 * number, 150 + 10 * number))
    return tmp_path


def test_single_cells_are_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explore.main()
    assert sorted(path.name for path in PATHS.pictures("explore").iterdir()) == ["average.png", "samples.png"]
    assert "explored 15 cells" in capsys.readouterr().out


def test_a_sample_shows_the_whole_cell(project: Path) -> None:
    explore.main()
    with Image.open(PATHS.pictures("explore") / "samples.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    for label in ("lymphocyte", "monocyte"):
        rows, columns = np.nonzero((np.abs(pixels - NUCLEUS[label]) < 12).all(axis=-1))
        for side in (np.ptp(rows), np.ptp(columns)):
            assert 57 <= side <= 73  # a disc of 120 pixels in a crop of 256 pixels, shown at 142


def test_the_cells_of_an_image_are_cropped_around_their_boxes(project: Path) -> None:
    """Two images with a purple cell in the middle, and a box at the top left where nothing is stained."""
    record = {"title": "two smears", "source": "folder", "labels": {"boxes": "yolo"}, "classes": "as found"}
    Path("datasets", "rendered", "record.yaml").write_text(yaml.safe_dump(record))
    shutil.rmtree(RAW)
    RAW.mkdir()
    for name, center in (("a", (320, 240)), ("b", (400, 300))):
        draw_smear(RAW / f"{name}.png", (60, 20, 120), center)
        x, y = center[0] / 640, center[1] / 480
        (RAW / f"{name}.txt").write_text(f"0 {x} {y} 0.2 0.25\n1 0.05 0.05 0.1 0.1\n")
    crops = explore.read_crops(read_parameters(explore.Parameters))
    assert [name for name, _ in crops["0"]] == ["a.png#256-180-384-300", "b.png#336-240-464-360"]
    for label, color in (("0", (60, 20, 120)), ("1", (205, 200, 195))):
        for _, crop in crops[label]:
            assert np.abs(crop[explore.SIDE // 2, explore.SIDE // 2].astype(int) - color).max() < 5


@pytest.mark.parametrize(("classes", "rows"), [(2, [2]), (6, [6]), (7, [4, 3]), (12, [6, 6]), (20, [5, 5, 5, 5])])
def test_averages_are_in_rows_that_leave_them_large_enough(classes: int, rows: list[int]) -> None:
    crop = np.zeros((4, 4, 3), np.uint8)
    crops = {f"class {number}": [("a.jpg", crop), ("b.jpg", crop + 2)] for number in range(classes)}
    found = explore.average_rows(crops)
    assert [len(row.cards) for row in found] == rows
    assert [card.captions[0].left for row in found for card in row.cards] == [*crops]
    assert (found[0].cards[0].picture == 1).all()


def test_the_distribution_is_that_of_classes_with_enough_cells(project: Path) -> None:
    explore.main()
    rows = table(PATHS.chart("distribution"))
    assert {row["class"] for row in rows} == {"neutrophil"}
    assert Counter(row["channel"] for row in rows) == dict.fromkeys(("red", "green", "blue"), 64)
    assert [int(row["value"]) for row in rows[:64]] == list(range(0, 256, 4))
    for channel, nucleus, plasma in (("red", 100, 205), ("green", 40, 200), ("blue", 150, 195)):
        percents = {int(row["value"]): float(row["percent"]) for row in rows if row["channel"] == channel}
        assert sum(percents.values()) == pytest.approx(100, abs=0.1)
        cell = sum(percents[value] for value in percents if abs(value - nucleus) < 10)
        assert cell == pytest.approx(100 * np.pi * 60**2 / 256**2, abs=2)
        assert cell + sum(percents[value] for value in percents if abs(value - plasma) < 10) > 96


def test_a_broken_image_is_an_error_and_leaves_no_pictures(project: Path) -> None:
    broken = IMAGE_FOLDER / "BloodImage_00003.jpg"
    broken.write_bytes(broken.read_bytes()[:2000])
    with pytest.raises(InputError, match="BloodImage_00003"):
        explore.main()
    assert not PATHS.pictures("explore").exists()


def test_an_image_without_a_stained_cell_is_an_error(project: Path) -> None:
    Image.new("RGB", (640, 480), (200, 200, 200)).save(IMAGE_FOLDER / "BloodImage_00004.jpg")
    with pytest.raises(InputError, match=r"BloodImage_00004\.jpg: no stained cell .*; take its row out"):
        explore.main()


def test_exploring_does_not_load_torch() -> None:
    code = "import sys, stages.explore; assert not {'torch', 'sklearn', 'pandas'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, check=True)
