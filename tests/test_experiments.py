"""The sweep of `make experiments`, through DVC's queue, on a pipeline of two stages that take no time."""

import re
import shutil
import time
from pathlib import Path

import pytest
import yaml

from bloodcells.core.files import write_json
from tests.cli.review.committed import git
from tests.support import environment, project, smallset

PIPELINE = {
    "stages": {
        "prepare": {"cmd": "python -m stages.prepare", "outs": ["artifacts/pixels"]},
        "evaluate": {
            "cmd": "python -m stages.evaluate resnet",
            "deps": ["artifacts/pixels"],
            "params": ["models.resnet"],
            "metrics": [
                {"metrics/rendered/resnet.json": {"cache": False}},
            ],
        },
    },
}
PREPARE = """\
from pathlib import Path

with Path({log!r}).open("a") as log:
    log.write("prepared\\n")
Path("artifacts").mkdir(exist_ok=True)
Path("artifacts", "pixels").write_text("pixels")
"""
EVALUATE = """\
from pathlib import Path

from bloodcells.core.files import write_json
from bloodcells.core.parameters import read_yaml

assert Path("artifacts", "pixels").read_text() == "pixels"
rate = read_yaml(Path("params.yaml"))["models"]["resnet"]["learning_rate"]
scores = {"accuracy": 1.0, "val_loss": round(abs(rate - 0.0028), 4)}
write_json(Path("metrics", "rendered", "resnet.json"), scores)
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project after `make experiments`, and what that printed last."""
    folder = project.copy(tmp_path_factory.mktemp("clone"))
    (folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE, sort_keys=False))
    (folder / "dvc.lock").unlink(missing_ok=True)
    for other_results in ("locks", "metrics/bccd", "plots/bccd", "plots/rendered"):
        shutil.rmtree(folder / other_results)
    (folder / "stages" / "prepare.py").write_text(PREPARE.format(log=str(folder.with_suffix(".log"))))
    (folder / "stages" / "evaluate.py").write_text(EVALUATE)
    write_json(folder / "metrics" / "rendered" / "alexnet.json", {"accuracy": 1.0, "val_loss": 0.5})
    environment.lend(folder)
    project.done("dvc", "repro", cwd=folder)
    project.commit(folder, "base")
    return folder, project.done("make", "experiments", cwd=folder)


def rows(printed: str) -> list[list[str]]:
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_shows_what_changed_and_puts_the_best_by_validation_first(swept: tuple[Path, str]) -> None:
    head, _, *body = rows(swept[1])
    assert {*head} <= {"Experiment", "State", "Executor", "val_loss", "models.resnet.learning_rate"}
    loss, rate = head.index("val_loss"), head.index("models.resnet.learning_rate")
    experiments = [row for row in body if "[" in row[0]]
    assert [(row[loss], row[rate]) for row in experiments] == [("0.0002", "0.003"), ("0.0025", "0.0003")]
    assert len(swept[1].splitlines()) < 30


def test_workers_share_the_cache_leave_the_tree_alone_and_go_home(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    assert folder.with_suffix(".log").read_text() == "prepared\n"
    assert git(folder, "status", "--short") == ""
    patience = time.monotonic() + 60
    while running(folder) and time.monotonic() < patience:  # an idle one waits ten seconds for more to do
        time.sleep(1)
    assert running(folder) == []


def running(folder: Path) -> list[str]:
    """Name the processes that work in the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = (process / "cwd").readlink()
        except OSError:
            continue
        if where.is_relative_to(folder):
            found.append((process / "cmdline").read_text())
    return found


def test_one_experiment_becomes_a_branch_that_can_be_reviewed(swept: tuple[Path, str]) -> None:
    folder, printed = swept
    best = next(row[0] for row in rows(printed) if "[" in row[0])
    project.done("dvc", "exp", "branch", re.findall(r"\[(.*)\]", best)[0], "faster", cwd=folder)
    page = project.done("python", "-m", "bloodcells", "review", "main", "faster", "--no-pictures", cwd=folder)
    assert "`models.resnet.learning_rate` 0.001 → 0.003" in " ".join(page.split())
    assert "**Up to date**" in page


def test_an_experiment_elsewhere_takes_newly_pinned_data_from_here(tmp_path: Path) -> None:
    folder = project.copy(tmp_path / "clone")
    smallset.write(folder / "data")
    project.done("dvc", "add", "--quiet", "data", cwd=folder)
    project.commit(folder, "a new pin")
    done = project.command("dvc", "exp", "run", "--temp", "-S", "dataset=bccd", "download", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "data: verified all files against data.dvc" in done.stdout
