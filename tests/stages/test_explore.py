import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv
from stages import explore

ROOT = Path(__file__).parents[2]
PICTURES = ["average.png", "counts.png", "distribution.png", "samples.png"]
NUCLEUS = {"eosinophil": (150, 60, 180), "lymphocyte": (60, 20, 120), "monocyte": (130, 90, 200)}
LABELS = ["EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL", "BASOPHIL", "EOSINOPHIL"]


def smear(path: Path, color: tuple[int, int, int], at: tuple[int, int]) -> None:
    image = Image.new("RGB", (640, 480), (205, 200, 195))
    ImageDraw.Draw(image).circle(at, 60, fill=color)
    image.save(path, quality=95)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which download and clean have run: six single cells, a double, a blank, a missing image."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"dataset": "rendered"}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    raw = tmp_path / "artifacts" / "rendered" / "raw"
    (raw / "JPEGImages").mkdir(parents=True)
    table = [*enumerate(LABELS), (6, '"MONOCYTE, NEUTROPHIL"'), (7, ""), (8, "MONOCYTE")]
    (raw / "labels.csv").write_text(",Image,Category\n" + "".join(f",{number},{label}\n" for number, label in table))
    for number, label in table[:-1]:
        color = NUCLEUS.get(label.lower(), (100, 40, 150))
        smear(raw / "JPEGImages" / f"BloodImage_{number:05d}.jpg", color, (150 + 50 * number, 200 + 10 * number))
    rows = [("eosinophil", "published", 2), ("eosinophil", "kept", 2), ("eosinophil", "fold 0 train", 1)]
    write_csv(tmp_path / "plots" / "rendered" / "counts.csv", ("class", "step", "count"), rows)
    return tmp_path


def test_four_pictures_are_made(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explore.main()
    folder = project / "plots" / "rendered" / "explore"
    assert sorted(path.name for path in folder.iterdir()) == PICTURES
    assert all(path.stat().st_size < 500_000 for path in folder.iterdir())
    assert "looked at 6 cells" in capsys.readouterr().out  # the basophil too, no double, no blank, none that is missing


def test_a_sample_shows_the_whole_cell_wherever_it_lies(project: Path) -> None:
    explore.main()
    with Image.open(project / "plots" / "rendered" / "explore" / "samples.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    for label in ("lymphocyte", "monocyte"):
        rows, columns = np.nonzero((np.abs(pixels - NUCLEUS[label]) < 12).all(axis=-1))
        for side in (np.ptp(rows), np.ptp(columns)):
            assert 57 <= side <= 73  # a disc of 120 pixels, in a square of 256, in a tile of 142


def test_a_broken_image_is_named_and_no_picture_left(project: Path) -> None:
    broken = project / "artifacts" / "rendered" / "raw" / "JPEGImages" / "BloodImage_00003.jpg"
    broken.write_bytes(broken.read_bytes()[:2000])
    with pytest.raises(InputError, match="BloodImage_00003"):
        explore.main()
    assert not (project / "plots" / "rendered" / "explore").exists()


def test_an_image_without_a_stained_cell_is_named(project: Path) -> None:
    path = project / "artifacts" / "rendered" / "raw" / "JPEGImages" / "BloodImage_00004.jpg"
    Image.new("RGB", (640, 480), (200, 200, 200)).save(path)
    with pytest.raises(InputError, match=r"BloodImage_00004\.jpg: no stained cell"):
        explore.main()


def test_counts_are_needed(project: Path) -> None:
    (project / "plots" / "rendered" / "counts.csv").unlink()
    with pytest.raises(InputError, match=r"counts\.csv is missing"):
        explore.main()


def test_neither_exploring_nor_comparing_loads_torch() -> None:
    code = "import sys, stages.explore, stages.compare, bloodcells.reporting.charts; print([*sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.replace("'", "").strip("[]\n").split(", "))
    assert "matplotlib.figure" in loaded
    assert not loaded & {"torch", "sklearn", "pandas", "matplotlib.pyplot"}
