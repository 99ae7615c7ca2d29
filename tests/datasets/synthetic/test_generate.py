import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from bloodcells.core.geometry import Point
from bloodcells.datasets.labels import read_labels
from bloodcells.datasets.record import read_record
from bloodcells.datasets.synthetic.generate import generate
from bloodcells.datasets.synthetic.plan import Smear, class_counts, plan_smears
from bloodcells.datasets.synthetic.scene import BoundingBox, render
from tests.support.project import ROOT

IMAGES, SEED = 40, 7
RECORD = read_record("rendered", ROOT / "datasets")
Rendered = tuple[Smear, NDArray[np.uint8], tuple[BoundingBox, ...]]


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    generate(folder, IMAGES, SEED, progress=False, processes=1)
    return folder


@pytest.fixture(scope="module")
def rendered() -> list[Rendered]:
    return [(smear, *render(smear)) for smear in plan_smears(IMAGES, SEED) if smear.has_image]


def _pictures(folder: Path) -> list[Path]:
    return sorted((folder / "JPEGImages").iterdir())


def _thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    gray = Image.fromarray(pixels).convert("L").resize((64, 48), Image.Resampling.BOX)
    return np.asarray(gray, dtype=float).ravel()


def _white(boxes: tuple[BoundingBox, ...]) -> list[BoundingBox]:
    return [box for box in boxes if box.name == "WBC"]


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(folder: Path, tmp_path: Path) -> None:
    generate(tmp_path, IMAGES, SEED, progress=False, processes=2)
    assert _bytes(tmp_path) == _bytes(folder)


def test_another_seed_gives_other_scenes_in_another_order(rendered: list[Rendered]) -> None:
    for smear, pixels, _ in rendered[:4]:
        other, _ = render(replace(smear, seed=SEED + 1))
        assert np.corrcoef(_thumbnail(pixels), _thumbnail(other))[0, 1] < 0.85
    orders = {tuple(smear.category for smear in plan_smears(IMAGES, seed)) for seed in range(5)}
    assert len(orders) == 5


def test_a_smear_does_not_depend_on_those_before_it(rendered: list[Rendered]) -> None:
    for smear, pixels, boxes in rendered[5:8]:
        again, boxes_again = render(smear)
        assert np.array_equal(again, pixels)
        assert boxes_again == boxes


def test_the_layout_is_the_published_one(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["Annotations", "JPEGImages", "labels.csv"]
    pictures = _pictures(folder)
    assert len(pictures) == 40
    for path in pictures:
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (640, 480))
    annotations = {path.stem for path in (folder / "Annotations").iterdir()}
    assert len(annotations) == 37
    assert annotations < {path.stem for path in pictures}
    table = (folder / "labels.csv").read_text()
    assert table.startswith(",Image,Category\n,0,")
    assert table.count("\n") == 1 + 47


def test_the_label_table_has_the_published_defects(folder: Path) -> None:
    table = (folder / "labels.csv").read_text()
    assert ', EOSINOPHIL"' in table
    assert '"NEUTROPHIL,NEUTROPHIL"' in table
    assert ", EOSINOPHIL \n" in table

    pictures = {path.name for path in _pictures(folder)}
    rows = read_labels(RECORD, folder)
    there = Counter(row.labels if len(row.labels) < 2 else "double" for row in rows if row.image in pictures)
    assert there == {
        ("eosinophil",): 7,
        ("lymphocyte",): 6,
        ("monocyte",): 6,
        ("neutrophil",): 17,
        ("basophil",): 1,
        "double": 2,
        (): 1,
    }
    absent = Counter(row.labels for row in rows if row.image not in pictures)
    assert absent == {("neutrophil",): 1, ("monocyte",): 1, (): 5}


def test_the_published_number_of_images_gives_the_published_counts() -> None:
    real = {"eosinophil": 88, "lymphocyte": 33, "monocyte": 20, "neutrophil": 206}
    assert class_counts(366) == real | {"basophil": 3, "double": 15, "blank": 1}
    smears = plan_smears(366, SEED)
    assert len(smears) == 411
    assert sum(smear.category == "" for smear in smears) == 44
    assert sum(smear.annotated for smear in smears) == 343
    assert all(smear.has_image for smear in smears if smear.annotated)


@pytest.mark.parametrize("images", [20, 30, 60, 61, 200, 1000])
def test_no_class_is_ever_missing(images: int) -> None:
    number = class_counts(images)
    assert sum(number.values()) == images
    assert min(number.values()) >= 1
    assert number["neutrophil"] == max(number.values())
    if images >= 30:  # enough for the five folds of the default
        assert min(number[label] for label in ("eosinophil", "lymphocyte", "monocyte", "neutrophil")) >= 5
    if images >= 60:
        assert number["monocyte"] >= 6
        assert number["lymphocyte"] >= 8


def test_too_few_images_are_an_error() -> None:
    with pytest.raises(ValueError, match="20 images"):
        plan_smears(19, SEED)


def test_annotations_contain_the_boxes_of_visible_cells(folder: Path, rendered: list[Rendered]) -> None:
    by_name = {smear.name: (smear, boxes) for smear, _, boxes in rendered}
    names: Counter[str] = Counter()
    for path in (folder / "Annotations").iterdir():
        root = ElementTree.fromstring(path.read_text())
        smear, boxes = by_name[path.stem]
        assert root.findtext("filename") == f"{path.stem}.jpg"
        found = [item.findtext("name") or "" for item in root.iter("object")]
        assert found.count("WBC") == len(smear.cells)
        names.update(found)
        for item, box in zip(root.iter("bndbox"), boxes, strict=True):
            edges = [int(item.findtext(side) or "") for side in ("xmin", "ymin", "xmax", "ymax")]
            assert edges == [box.left + 1, box.top + 1, box.right, box.bottom]
            assert 1 <= edges[0] < edges[2] <= 640
            assert 1 <= edges[1] < edges[3] <= 480
    assert set(names) == {"RBC", "WBC", "Platelets"}
    assert 10 < names["RBC"] / 37 < 28


def test_boxes_of_red_cells_contain_red_cells(rendered: list[Rendered]) -> None:
    redder = 0
    total = 0
    for _, pixels, boxes in rendered:
        tan = pixels[..., 0].astype(int) - pixels[..., 2]
        for box in boxes:
            if box.name == "RBC" and not box.truncated:
                redder += tan[box.top : box.bottom, box.left : box.right].mean() > np.median(tan) + 8
                total += 1
    assert redder > 0.95 * total


def test_the_strongest_stain_is_in_a_white_cell(rendered: list[Rendered]) -> None:
    for smear, pixels, boxes in rendered:
        red, green, blue = np.moveaxis(pixels.astype(float), -1, 0)
        purple = Image.fromarray(np.clip((red + blue) / 2 - green, 0, 255).astype(np.uint8))
        # Pad with black, as the localization does: a cell at the border must still be the maximum.
        framed = Image.new("L", (880, 720))
        framed.paste(purple, (120, 120))
        smooth = np.asarray(framed.filter(ImageFilter.GaussianBlur(40)))[120:600, 120:760]
        rows, columns = np.nonzero(smooth == smooth.max())
        x, y = columns.mean(), rows.mean()
        if smear.cells:
            assert any(box.contains(Point(x, y, 0), margin=10) for box in _white(boxes)), smear
        else:
            assert not _white(boxes)
            assert smooth.max() < 25


def test_there_is_one_pair_of_near_duplicates(folder: Path) -> None:
    pictures = _pictures(folder)
    alike = np.corrcoef([_thumbnail(np.asarray(Image.open(path))) for path in pictures])
    pairs = list(combinations(range(len(pictures)), 2))
    near = [pair for pair in pairs if alike[pair] > 0.95]
    assert len(near) == 1
    assert max(alike[pair] for pair in pairs if pair != near[0]) < 0.85
    one, other = (pictures[index] for index in near[0])
    assert one.read_bytes() != other.read_bytes()
    labels = {row.image: row.labels for row in read_labels(RECORD, folder)}
    assert labels[one.name] == labels[other.name] == ("neutrophil",)


def test_cells_look_like_their_class(rendered: list[Rendered]) -> None:
    """Class means differ as textbooks describe; single cells may deviate, as in real smears."""
    looks: dict[str, list[tuple[float, float, float, float]]] = {}
    for smear, pixels, boxes in rendered:
        if len(smear.cells) != 1:
            continue
        (box,) = _white(boxes)
        cell = pixels[box.top : box.bottom, box.left : box.right].astype(float)
        down, across = np.indices(cell.shape[:2])
        middle = np.hypot(down / cell.shape[0] - 0.5, across / cell.shape[1] - 0.5) < 0.46
        red, green, blue = np.moveaxis(cell[middle], -1, 0)
        nucleus = blue - red > 38
        pinkness = float((red - green)[~nucleus].mean())
        size = max(box.right - box.left, box.bottom - box.top)
        looks.setdefault(smear.cells[0], []).append(
            (pinkness, float(nucleus.mean()), float(green[nucleus].mean()), float(size))
        )
    mean = {label: np.mean(values, axis=0) for label, values in looks.items()}
    pinkness, share, green, size = range(4)
    assert mean["eosinophil"][pinkness] > mean["neutrophil"][pinkness] + 12
    assert mean["neutrophil"][pinkness] > mean["monocyte"][pinkness] + 5
    assert mean["lymphocyte"][share] > 0.7 > mean["monocyte"][share] > 0.3
    assert mean["neutrophil"][share] < 0.5
    assert mean["lymphocyte"][green] < mean["neutrophil"][green] - 15
    assert mean["lymphocyte"][size] < mean["neutrophil"][size] < mean["monocyte"][size]


def test_importing_the_generator_is_fast() -> None:
    heavy = "{'torch', 'scipy', 'pandas', 'sklearn', 'matplotlib'}"
    code = f"import sys, bloodcells.datasets.synthetic.generate; assert not {heavy} & {{*sys.modules}}"
    subprocess.run([sys.executable, "-c", code], check=True)
