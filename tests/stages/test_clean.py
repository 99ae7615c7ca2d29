import errno
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from bloodcells.core.paths import DatasetPaths
from bloodcells.datasets.record import record_path
from bloodcells.datasets.synthetic.plan import plan_smears
from stages.clean import main
from tests.support import workplace
from tests.support.project import set_params
from tests.support.smallset import CLASSES
from tests.support.workplace import PATHS, PUBLISHED, RAW, error_of, files, table

NEAR_DUPLICATES = (
    *((19, 20), (37, 38), (204, 205, 276, 277), (206, 278), (223, 263), (224, 264), (226, 261), (227, 260), (228, 259)),
    *((229, 258), (230, 257), (231, 256), (232, 255), (233, 254), (236, 253), (237, 252), (239, 240), (243, 250)),
    *((244, 247), (377, 400), (381, 397), (382, 395), (384, 393), (386, 391)),
)
"""Numbers of published images that show the same part of a smear, shifted by up to half a frame; found by eye."""

PARTS = ("train", "validation", "test")
INPUT = {"artifacts", "artifacts/rendered", "artifacts/rendered/raw", "artifacts/rendered/source.json", "params.yaml"}


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["clean"])


@pytest.fixture
def place(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return workplace.make(tmp_path, raw)


@pytest.fixture(scope="module")
def cleaned(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the stage has run, as DVC runs it."""
    folder = workplace.make(tmp_path_factory.mktemp("cleaned"), raw)
    done = workplace.run_stage("clean", folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert f"kept {len(table(folder / PATHS.cells))} cells" in done.stdout
    return folder


def splits(folder: Path, paths: DatasetPaths = PATHS) -> list[list[dict[str, str]]]:
    return [table(path) for path in sorted((folder / paths.splits).glob("*.csv"))]


def faults(rows: list[dict[str, str]], same: dict[str, Any]) -> list[str]:
    """List what is wrong with the table of a split; `same` maps near-duplicates to what they have in common."""
    images = {part: Counter(row["image"] for row in rows if row["part"] == part) for part in PARTS}
    found = [f"{image} in {part} is repeated" for part in PARTS[1:] for image, n in images[part].items() if n > 1]
    seen = {part: {same.get(image, image) for image in images[part]} for part in PARTS}
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        found += [f"{what} in {one} and {other}" for what in sorted(map(str, seen[one] & seen[other]))]
    return found


def scenes() -> dict[str, Any]:
    return {f"{smear.name}.jpg": smear.scene for smear in plan_smears(workplace.IMAGES, workplace.SEED)}


def test_every_row_is_kept_or_dropped_with_its_reason(cleaned: Path) -> None:
    planned = plan_smears(workplace.IMAGES, workplace.SEED)
    single = {
        f"{s.name}.jpg": s.cells[0] for s in planned if s.has_image and len(s.cells) == 1 and s.cells[0] in CLASSES
    }
    kept = table(cleaned / PATHS.cells)
    assert {row["image"]: row["label"] for row in kept} == single

    dropped = table(cleaned / PATHS.chart("dropped"))
    reasons: dict[str, str] = {}
    for smear in planned:
        alone = "null: no image" if not smear.has_image else "basophil"
        reasons[f"{smear.name}.jpg"] = ("null: no label", alone, "double")[len(smear.cells)]
    assert {row["image"]: row["reason"] for row in dropped} == {
        image: reason for image, reason in reasons.items() if image not in single
    }
    lines = (cleaned / RAW / "labels.csv").read_text().splitlines()
    for row in dropped:
        number = int(row["image"].removeprefix("BloodImage_").removesuffix(".jpg"))
        assert lines[int(row["line"]) - 1].startswith(f",{number},")


def test_no_image_and_no_near_duplicate_is_in_two_parts(cleaned: Path) -> None:
    assert len(scenes()) > len(set(scenes().values()))  # there are near-duplicates
    assert len(splits(cleaned)) == 5
    for rows in splits(cleaned):
        assert faults(rows, scenes()) == []


def test_a_leaking_split_would_be_detected(cleaned: Path) -> None:
    rows = splits(cleaned)[0]
    copied = next(row for row in rows if row["part"] == "test")
    assert faults([*rows, copied], {}) == [f"{copied['image']} in test is repeated"]
    assert faults([*rows, copied | {"part": "train"}], {}) == [f"{copied['image']} in train and test"]
    partner = next(row for row in rows if row["part"] == "train")
    assert faults(rows, {copied["image"]: "pair", partner["image"]: "pair"}) == ["pair in train and test"]


def test_every_cell_is_tested_in_its_fold(cleaned: Path) -> None:
    fold_of = {row["image"]: row["fold"] for row in table(cleaned / PATHS.cells)}
    for fold, rows in enumerate(splits(cleaned)):
        assert {row["image"] for row in rows if row["part"] == "test"} == {
            image for image, number in fold_of.items() if number == str(fold)
        }
        in_a_part = {row["image"] for row in rows}
        assert set(fold_of) >= in_a_part
        left_out = set(fold_of) - in_a_part  # by downsampling
        assert len(left_out) <= 1


def test_training_parts_are_resampled(cleaned: Path) -> None:
    for rows in splits(cleaned):
        counts = {part: Counter(row["label"] for row in rows if row["part"] == part) for part in PARTS}
        assert set(counts["train"]) == set(counts["test"]) == set(CLASSES)
        largest = max(counts["train"].values())
        assert all(count >= round(largest / 2) for count in counts["train"].values())


def test_the_counts_match_the_tables(cleaned: Path) -> None:
    counts = {(row["class"], row["step"]): int(row["count"]) for row in table(cleaned / PATHS.chart("counts"))}
    kept = Counter(row["label"] for row in table(cleaned / PATHS.cells))
    assert {label: counts[label, "kept"] for label in CLASSES} == kept
    assert counts["basophil", "labeled"] == 1
    assert counts["double", "labeled"] == 2
    for fold, rows in enumerate(splits(cleaned)):
        for label in CLASSES:
            in_part = Counter(row["part"] for row in rows if row["label"] == label)
            assert counts[label, f"fold {fold} train resampled"] == in_part["train"]
            assert counts[label, f"fold {fold} test"] == in_part["test"]
            assert counts[label, f"fold {fold} validation"] == in_part["validation"]


def made(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder) if (folder / name).is_file()}


def test_the_files_depend_on_the_seed_alone(
    cleaned: Path, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (1, 2):
        folder = workplace.make(tmp_path / str(seed), raw, clean__seed=seed)
        monkeypatch.chdir(folder)
        main()
    same = made(cleaned)
    del same["params.yaml"]
    assert {name: body for name, body in made(tmp_path / "1").items() if name != "params.yaml"} == same
    cells = PATHS.cells.as_posix()
    assert made(tmp_path / "2")[cells] != same[cells]


def rewrite(place: Path, old: str, new: str) -> None:
    path = place / RAW / "labels.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def first(place: Path) -> Path:
    """Return the first image that is kept."""
    return place / RAW / "JPEGImages" / "BloodImage_00000.jpg"


def break_table(place: Path) -> None:
    rewrite(place, "MONOCYTE", "MONOZYT")


def no_table(place: Path) -> None:
    (place / RAW / "labels.csv").unlink()


def no_monocyte(place: Path) -> None:
    rewrite(place, "MONOCYTE", "LYMPHOCYTE")


def names_without_images(place: Path) -> None:
    for path in sorted((place / RAW / "JPEGImages").iterdir()):
        path.rename(path.with_suffix(".jpeg"))


def boxes_without_images(place: Path) -> None:
    path = place / "datasets" / "rendered" / "record.yaml"
    changes = {"labels": {"boxes": "voc", "annotations": "Annotations"}, "label_map": {"WBC": "monocyte"}}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes | {"drop": ["RBC", "Platelets"]}))
    for image in (place / RAW / "JPEGImages").iterdir():
        image.unlink()


def images_all_alike(place: Path) -> None:
    for path in (place / RAW / "JPEGImages").iterdir():
        path.write_bytes(first(place).read_bytes())


def few_monocytes(place: Path) -> None:
    path = place / RAW / "labels.csv"
    before, after = path.read_text().split(",MONOCYTE\n", 1)
    path.write_text(f"{before},MONOCYTE\n" + after.replace(",MONOCYTE\n", ",LYMPHOCYTE\n"))


def broken_image(place: Path) -> None:
    first(place).write_bytes(first(place).read_bytes()[:5000])


def gray_image(place: Path) -> None:
    Image.new("L", (640, 480)).save(first(place))


def wrong_parameter(place: Path) -> None:
    (place / "params.yaml").write_text((place / "params.yaml").read_text().replace("validation:", "validaton:"))


def no_parameters(place: Path) -> None:
    (place / "params.yaml").unlink()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (break_table, r"labels\.csv: unknown labels 'monozyt' \(\d, first in line \d; monocyte\?\)"),
        (no_table, r"labels\.csv is missing"),
        (no_monocyte, r"no monocyte is left after cleaning"),
        (
            names_without_images,
            r"\(\d+ of \d+ rows name an image that is not there, the first in line 2: BloodImage_00000\.jpg\)",
        ),
        (
            boxes_without_images,
            r"\((\d+) of \d+ cells are of an image that is not there, the first BloodImage_\d+\.jpg\)",
        ),
        (
            images_all_alike,
            r"add cells \((\d+) of \1 eosinophil cells belong to one group, image BloodImage_00000\.jpg: .*clean\.near",
        ),
        (few_monocytes, r"monocyte has 1; lower clean\.n_splits"),
        (broken_image, r"BloodImage_00000\.jpg is broken"),
        (gray_image, r"BloodImage_00000\.jpg is grayscale"),
        (wrong_parameter, r"clean\.validation: Field required; clean\.validaton: Extra inputs"),
        (no_parameters, r"params\.yaml is missing"),
    ],
)
def test_a_user_error_is_one_line_and_leaves_no_files(place: Path, fault: Any, expected: str) -> None:
    fault(place)
    message = error_of(main)
    assert re.search(expected, message), message
    assert files(place) <= INPUT


def give_patients(place: Path, patient_of: Callable[[int], str]) -> None:
    """Add a column with the patient of each image to the label table, and name it in the record."""
    path = place / RAW / "labels.csv"
    _, *lines = path.read_text().splitlines()
    rows = [f"{line},{patient_of(int(line.split(',')[1]))}" for line in lines]
    path.write_text("\n".join([",Image,Category,Patient", *rows]) + "\n")
    record = record_path("rendered")
    content = yaml.safe_load(record.read_text())
    content["labels"]["group"] = "Patient"
    record.write_text(yaml.safe_dump(content))


def test_no_patient_is_in_two_parts_and_near_duplicates_join_patients(place: Path) -> None:
    give_patients(place, lambda number: f"P{number % 9}" if number != 4 else "")
    set_params(place, {"clean.n_splits": 3})
    main()
    cells = table(PATHS.cells)
    group_of = {row["image"]: row["group"] or row["image"] for row in cells}
    assert group_of["BloodImage_00004.jpg"] == "BloodImage_00004.jpg"
    assert {*group_of.values()} == {*(f"P{number}" for number in range(9)), "BloodImage_00004.jpg"}
    for rows in splits(place):
        assert faults(rows, group_of) == []
        assert faults(rows, scenes()) == []
        assert {row["label"] for row in rows if row["part"] == "test"} == set(CLASSES)


def test_a_patient_with_too_many_cells_is_named(place: Path) -> None:
    give_patients(place, lambda number: "Smith" if number < 25 else "")
    expected = r"too few different cells for 5 folds .* belong to one group, group Smith"
    message = error_of(main)
    assert re.search(expected, message), message
    assert files(place) <= INPUT


@pytest.mark.parametrize("name", ["0.csv", "3.csv", "dropped.csv", "cells.csv"])
def test_a_full_disk_is_an_error_and_leaves_no_partial_file(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    real = Path.open

    def full(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == name:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", full)
    message = error_of(main)
    assert "the disk is full while writing " in message
    assert ".part" not in message
    assert not [path for path in files(place) if ".part" in path or path.endswith(f"/{name}")]


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs the published data set")
def test_the_published_set_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = DatasetPaths("bccd")
    (tmp_path / paths.artifacts).mkdir(parents=True)
    (tmp_path / paths.raw).symlink_to(PUBLISHED)
    workplace.configure(tmp_path, "bccd")
    monkeypatch.chdir(tmp_path)
    main()
    kept = table(paths.cells)
    counts = {"neutrophil": 206, "eosinophil": 88, "lymphocyte": 33, "monocyte": 20}
    assert Counter(row["label"] for row in kept) == counts
    reasons = Counter(row["reason"].split(":")[0] for row in table(paths.chart("dropped")))
    assert reasons == {"double": 15, "null": 46, "basophil": 3}
    for label, count in counts.items():
        in_fold = Counter(row["fold"] for row in kept if row["label"] == label)
        assert all(abs(in_fold[str(fold)] - count / 5) <= 1 for fold in range(5)), (label, in_fold)
    same = {f"BloodImage_{number:05d}.jpg": pair for pair in NEAR_DUPLICATES for number in pair}
    for rows in splits(tmp_path, paths):
        assert faults(rows, same) == []
