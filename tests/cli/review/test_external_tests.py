"""External tests that `bloodcells score` wrote, in a review."""

from pathlib import Path

import pytest

from bloodcells.cli.external_tests import COLUMNS
from bloodcells.cli.git import Revision
from bloodcells.cli.review.findings import Review, compare, external_changes, failures
from bloodcells.cli.review.lock_status import LockStatus
from bloodcells.cli.review.markdown_page import markdown
from bloodcells.cli.review.snapshot import read_snapshot
from bloodcells.core.files import write_csv
from tests.cli.review import committed

FOLDER = Path("plots/hospital/external/rendered-resnet")


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """Two equal revisions; `hospital` has no results of its own."""
    return committed.repository(tmp_path / "base"), committed.repository(tmp_path / "head")


def write(tree: Path, accuracy: float, kept: str) -> None:
    rows = [("accuracy", accuracy, 0.6, 0.9, ""), ("error rate of answers", 0.1, 0.05, 0.2, kept)]
    write_csv(tree / FOLDER / "scores.csv", COLUMNS, rows)
    (tree / FOLDER / "page.md").write_text(f"# {accuracy}")


def review(trees: tuple[Path, Path]) -> Review:
    """Review the results, whose lock files are up to date."""
    before, after = (read_snapshot(tree, "main") for tree in trees)
    base = Revision("main", "0" * 40)
    locks = [LockStatus("dvc.lock", "rendered"), LockStatus("locks/bccd/dvc.lock", "bccd")]
    return Review(
        base, base, compare(before, after, 100, 1), {}, {}, (), locks, external=external_changes(before, after)
    )


def test_a_new_external_test_is_told_and_needs_no_lock_file(trees: tuple[Path, Path]) -> None:
    write(trees[1], 0.75, "not kept")
    found = review(trees)
    page = markdown(found)
    assert "- **External tests**: 1 new.\n" in page
    assert f"| `{FOLDER}` | accuracy | none | 0.750 (0.600 to 0.900) |" in " ".join(page.split())
    assert "0.100 (0.050 to 0.200), target: not kept" in page
    assert "hospital" not in [one.name for one in found.datasets]
    assert failures(found, 0, ("worse", "stale", "checks")) == []


def test_a_changed_external_test_is_told_with_both_results(trees: tuple[Path, Path]) -> None:
    for tree, accuracy in zip(trees, (0.75, 0.625), strict=True):
        write(tree, accuracy, "can't tell")
    page = " ".join(markdown(review(trees)).split())
    assert "**External tests**: 1 changed." in page
    assert "0.750 (0.600 to 0.900) | 0.625 (0.600 to 0.900)" in page


def test_an_unchanged_external_test_is_not_mentioned(trees: tuple[Path, Path]) -> None:
    for tree in trees:
        write(tree, 0.75, "kept")
    assert "xternal" not in markdown(review(trees))


def test_a_damaged_external_test_is_unknown(trees: tuple[Path, Path]) -> None:
    write(trees[0], 0.75, "kept")
    (trees[1] / FOLDER).mkdir(parents=True)
    (trees[1] / FOLDER / "scores.csv").write_text("score,value\naccuracy,?\n")
    assert "| 0.750 (0.600 to 0.900) | unknown |" in " ".join(markdown(review(trees)).split())
