"""The stage on the files that the stages before it leave, with faults planted in them."""

import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from bloodcells.core.files import write_csv
from stages import check_data, clean
from tests.support import workplace
from tests.support.project import set_params
from tests.support.workplace import IMAGE_FOLDER, PATHS, error_of, table

CHECKS, GATE = PATHS.checks("data"), PATHS.gate("data")


@pytest.fixture(scope="module")
def cleaned(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything before this stage has run."""
    folder = workplace.make(tmp_path_factory.mktemp("cleaned"), raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["clean"])
        clean.main()
    return folder


@pytest.fixture(autouse=True)
def place(cleaned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(cleaned, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["check_data"])
    return tmp_path


def results() -> dict[str, str]:
    return {row["description"]: row["passed"] for row in table(CHECKS)}


def image_of(part: str, fold: int = 0) -> str:
    return next(row["image"] for row in table(PATHS.split(fold)) if row["part"] == part)


def test_clean_splits_open_the_gate_for_training(capsys: pytest.CaptureFixture[str]) -> None:
    check_data.main()
    assert set(results().values()) == {"yes", ""}
    assert f"{list(results().values()).count('yes')} checks of the data passed" in capsys.readouterr().out
    first = CHECKS.read_bytes(), GATE.read_bytes()
    check_data.main()
    assert (CHECKS.read_bytes(), GATE.read_bytes()) == first


def train_on_a_tested_cell() -> None:
    rows = table(PATHS.split(0))
    tested = next(row for row in rows if row["part"] == "test")
    write_csv(
        PATHS.split(0), ("image", "label", "part"), [[*row.values()] for row in (*rows, tested | {"part": "train"})]
    )


def photograph_a_tested_cell_again() -> None:
    """Let a training image show the same part of the smear as a tested one, shifted by a fifth of its width."""
    with Image.open(IMAGE_FOLDER / image_of("test")) as smear:
        ImageChops.offset(smear, 128, 0).save(IMAGE_FOLDER / image_of("train"))


def photograph_a_tested_cell_again_without_a_shift() -> None:
    with Image.open(IMAGE_FOLDER / image_of("test")) as smear:
        smear.point(lambda value: value * 0.9 + 8).save(IMAGE_FOLDER / image_of("validation"))


def rewrite_cells(changes: dict[str, dict[str, str]]) -> None:
    """Change columns of some of the kept cells."""
    rows = [row | changes.get(row["image"], {}) for row in table(PATHS.cells)]
    write_csv(PATHS.cells, [*rows[0]], [[*row.values()] for row in rows])


def train_on_another_cell_of_a_tested_patient() -> None:
    rewrite_cells({image_of(part): {"group": "Smith"} for part in ("test", "train")})


def train_on_another_cell_of_a_tested_image() -> None:
    rewrite_cells({image_of("train"): {"file": image_of("test")}})


def lose_a_row() -> None:
    path = PATHS.chart("dropped")
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


def leave_out_another_fraction() -> None:
    """A fault of the original report: its text says 10 % of the neutrophils, its code left out 20 %."""
    set_params(Path(), {"clean.downsample": 0.6})


@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        (train_on_a_tested_cell, "images in more than one part of a split"),
        (photograph_a_tested_cell_again, "near-duplicate pairs in different parts of a split"),
        (photograph_a_tested_cell_again_without_a_shift, "near-duplicate pairs in different parts of a split"),
        (train_on_another_cell_of_a_tested_patient, "groups in more than one part of a split"),
        (train_on_another_cell_of_a_tested_image, "images of several cells in more than one part of a split"),
        (lose_a_row, "rows of the label table neither kept nor dropped"),
        (leave_out_another_fraction, "fraction of neutrophil left out of training"),
    ],
)
def test_a_fault_ends_with_one_line_and_closes_the_gate(fault: Callable[[], None], failing: str) -> None:
    check_data.main()
    fault()
    assert f"{CHECKS}: {failing}: found " in error_of(check_data.main)
    assert results()[failing] == "no"
    assert not GATE.exists()


def test_a_leak_ends_the_stage_with_status_1(place: Path) -> None:
    train_on_a_tested_cell()
    result = workplace.run_stage("check_data", place)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert not GATE.exists()


def test_a_missing_split_is_named_and_closes_the_gate() -> None:
    check_data.main()
    PATHS.split(3).unlink()
    assert f"{PATHS.split(3)} is missing" in error_of(check_data.main)
    assert not GATE.exists()


def publish(**changes: int) -> None:
    """Pretend that the raw files are the published ones, with their counts apart from the given changes."""
    kept = Counter(row["label"] for row in table(PATHS.cells))
    dropped = Counter(row["reason"].split(":")[0] for row in table(PATHS.chart("dropped")))
    workplace.publish(counts=dict(kept + dropped + Counter(changes)))


def test_counts_are_compared_with_the_published_ones_if_the_files_are_published() -> None:
    publish()
    check_data.main()
    assert results()["rows that differ from the published counts"] == "yes"


def test_other_counts_than_the_published_ones_fail() -> None:
    publish(monocyte=1)
    assert "rows that differ from the published counts: found 1" in error_of(check_data.main)


def test_counts_of_other_files_are_not_compared() -> None:
    publish(monocyte=1)
    workplace.write_source(Path(), "rendered", "0" * 32)
    check_data.main()
    assert "rows that differ from the published counts" not in results()
