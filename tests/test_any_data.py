"""Data as laboratories have them, through all stages: other classes, layouts, patients, several cells in an image."""

import importlib
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from PIL import Image

from bloodcells.core.paths import DatasetPaths
from bloodcells.datasets.synthetic.generate import format_annotation
from bloodcells.datasets.synthetic.plan import Smear
from bloodcells.datasets.synthetic.scene import BoundingBox, render
from tests.support.project import ROOT, SMALL, set_params
from tests.support.workplace import table

SMALLER = {key: value for key, value in SMALL.items() if not key.startswith("models.")} | {
    "test_folds": [0],
    "image.crop": 120,
    "train.epochs": 1,
    "train.batch_size": 8,
    "compare.resamples": 200,
}
STAGES = "check_parameters, download --pin none, clean, explore, prepare, check_data, train tiny 0, evaluate tiny, " + (
    "grad_cam, compare, calibrate, check_models, label_issues, report"
)
FIVE = ("basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil")


def draw(number: int, cells: Sequence[str]) -> tuple[Image.Image, list[BoundingBox]]:
    """Draw one smear, and return the boxes of its white cells in the order of the cells."""
    pixels, boxes = render(Smear(number, "", tuple(cells), True, True, 5, number))
    return Image.fromarray(pixels), [box for box in boxes if box.name == "WBC"]


def crop(number: int, label: str) -> Image.Image:
    """Draw one cell, as a laboratory that keeps crops has it."""
    image, (box,) = draw(number, [label])
    x, y = (box.left + box.right) // 2, (box.top + box.bottom) // 2
    left, top = min(max(x - 60, 0), image.width - 120), min(max(y - 60, 0), image.height - 120)
    return image.crop((left, top, left + 120, top + 120))


def folders(source: Path) -> str:
    """A folder for each of two classes, already divided by somebody."""
    for number in range(30):
        label, part = ("lymphocyte", "neutrophil")[number % 2], "TRAIN" if number < 20 else "TEST"
        (source / part / label).mkdir(parents=True, exist_ok=True)
        crop(number, label).save(source / part / label / f"{number % 20}.PNG")
    return "labels: {folders: .}\nclasses: as found\n"


def patients(source: Path) -> str:
    """Five classes with basophils, a table as Excel writes it, and two to four cells of each patient."""
    lines = ["Datei;Zelltyp;Patient;Alter"]
    for number in range(60):
        label = FIVE[number % 5]
        crop(number, label).save(source / f"z{number:03d}.bmp")
        lines.append(f"Z{number:03d};{label.upper()};P{number // 3};61,5")
    (source / "zellen.csv").write_bytes("\r\n".join([*lines, ";;;", ""]).encode("utf-16"))
    labels = "{table: zellen.csv, image: Datei, label: zelltyp, group: patient}"
    return f"labels: {labels}\nclasses: [{', '.join(FIVE)}]\n"


def boxes(source: Path) -> str:
    """Several cells in an image; the boxes have other names than the classes."""
    for number in range(20):
        both = ("neutrophil", "lymphocyte")
        cells = (both, both[::-1], both[:1], both[1:])[number % 4]
        image, found = draw(number, cells)
        image.save(source / f"{number}.jpg", quality=95)
        named = [replace(box, name=name[:3].upper()) for box, name in zip(found, cells, strict=True)]
        smear = Smear(number, "", cells, True, True, 5, number)
        (source / f"{number}.xml").write_text(format_annotation(smear, named))
    return "labels: {boxes: voc}\nclasses: [neutrophil, lymphocyte]\nlabel_map: {NEU: neutrophil, LYM: lymphocyte}\n"


@pytest.mark.parametrize(
    ("kind", "classes", "count"),
    [(folders, FIVE[2::2], 30), (patients, FIVE, 60), (boxes, ("neutrophil", "lymphocyte"), 30)],
    ids=["folders", "patients", "boxes"],
)
def test_a_laboratory_s_data_run_through_all_stages(
    kind: Callable[[Path], str], classes: tuple[str, ...], count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record, paths = tmp_path / "datasets" / "lab", DatasetPaths("lab")
    (record / "source").mkdir(parents=True)
    text = kind(record / "source")
    (record / "corrections").mkdir()
    (record / "record.yaml").write_text(f"title: Our cells\nsource: folder\n{text}")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    set_params(tmp_path, {**SMALLER, "dataset": "lab"})
    params = yaml.safe_load((tmp_path / "params.yaml").read_text())
    params["models"] = {"tiny": params["models"]["resnet"] | {"architecture": "shufflenet_v2_x0_5"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    for stage in STAGES.split(", "):
        name, *arguments = stage.split()
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        importlib.import_module(f"stages.{name}").main()

    cells, predictions = table(paths.cells), table(paths.predictions("tiny"))
    assert tuple(predictions[0])[4:] == classes
    assert {row["image"] for row in predictions} == {row["image"] for row in cells if row["fold"] == "0"}
    assert len(cells) == count
    # What belongs together (a patient, an image) is in one part of each split.
    together = {row["image"]: row["group"] or row["file"] for row in cells}
    for fold in range(3):
        parts = defaultdict(set)
        for row in table(paths.split(fold)):
            parts[together[row["image"]]].add(row["part"])
        assert all(len(of_one) == 1 for of_one in parts.values())
    page = (paths.report / "comparison.md").read_text()
    assert "tiny" in page
    assert "original report" not in page
