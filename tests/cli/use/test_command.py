import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from bloodcells.cli.main import main
from tests.support import project
from tests.support.project import set_params

LAB = """
title: Our cells
source: folder
labels: {folders: .}
classes: as found
parameters: {image.crop: 120, test_folds: [0, 1], clean.n_splits: 3}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with three data sets, whose last run was on `rendered`."""
    shutil.copy(project.ROOT / "params.yaml", tmp_path)
    for name in ("bccd", "rendered"):
        (tmp_path / "datasets" / name).mkdir(parents=True)
        shutil.copy(project.ROOT / "datasets" / name / "record.yaml", tmp_path / "datasets" / name)
    record(tmp_path, LAB)
    ran(tmp_path, "rendered")
    project.done("git", "init", "--quiet", cwd=tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(root: Path, text: str) -> None:
    (root / "datasets" / "lab").mkdir(exist_ok=True)
    (root / "datasets" / "lab" / "record.yaml").write_text(text)


def ran(root: Path, name: str) -> str:
    """Leave the lock file of a run."""
    text = f"stages:\n  download:\n    outs:\n    - path: artifacts/{name}/raw\n"
    (root / "dvc.lock").write_text(text)
    return text


def older_run(root: Path, name: str) -> Path:
    """Leave a kept run of code with other parameters."""
    folder = root / "locks" / name
    folder.mkdir(parents=True)
    (folder / "dvc.lock").write_text("stages: {}\n")
    (folder / "params.yaml").write_text(f"dataset: {name}\nformer_key: 1\n")
    return folder


def params(root: Path) -> Any:
    return yaml.safe_load((root / "params.yaml").read_text())


def test_parameters_of_the_record_are_written_and_comments_stay(repository: Path) -> None:
    before = (repository / "params.yaml").read_text()
    main(["use", "lab"])
    after = (repository / "params.yaml").read_text()
    assert params(repository)["dataset"] == "lab"
    assert params(repository)["image"]["crop"] == 120
    assert params(repository)["test_folds"] == [0, 1]
    changed = [new for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert len(changed) == 4
    assert "# folds to test" in next(line for line in changed if line.startswith("test_folds: [0, 1]"))


def test_the_last_run_on_a_data_set_comes_back_with_it(repository: Path) -> None:
    before, lock = (repository / "params.yaml").read_bytes(), (repository / "dvc.lock").read_bytes()
    main(["use", "lab"])
    assert (repository / "locks" / "rendered" / "dvc.lock").read_bytes() == lock
    ran(repository, "lab")
    main(["use", "rendered"])
    assert (repository / "params.yaml").read_bytes() == before
    assert (repository / "dvc.lock").read_bytes() == lock
    assert [path.name for path in (repository / "locks").iterdir()] == ["lab"]


def test_a_data_set_without_a_run_leaves_the_kept_runs_alone(repository: Path) -> None:
    main(["use", "lab"])
    main(["use", "bccd"])  # nothing has run on lab: dvc.lock is still that of rendered, which is kept already
    assert [path.name for path in (repository / "locks").iterdir()] == ["rendered"]
    assert "rendered" in (repository / "locks" / "rendered" / "dvc.lock").read_text()


def test_what_one_record_sets_does_not_reach_another_data_set(repository: Path) -> None:
    main(["use", "bccd"])
    assert params(repository)["image"]["side"] == 160
    main(["use", "lab"])
    assert params(repository)["image"] == {"input": "crop", "crop": 120, "side": 96}


def test_edited_parameters_of_a_data_set_without_a_run_come_back(repository: Path) -> None:
    main(["use", "lab"])
    set_params(repository, {"train.epochs": 99})
    main(["use", "rendered"])
    assert params(repository)["train"]["epochs"] == 16
    main(["use", "lab"])
    assert params(repository)["train"]["epochs"] == 99


def test_edited_parameters_never_replace_those_of_a_kept_run(repository: Path) -> None:
    kept = older_run(repository, "bccd")
    main(["use", "bccd"])
    set_params(repository, {"train.epochs": 99})
    with pytest.raises(SystemExit, match="undo the changes"):
        main(["use", "rendered"])
    assert params(repository)["train"]["epochs"] == 99
    assert "former_key" in (kept / "params.yaml").read_text()


def test_a_record_can_not_choose_another_data_set(repository: Path) -> None:
    record(repository, LAB.replace("image.crop", "dataset: bccd, image.crop"))
    main(["use", "lab"])
    assert params(repository)["dataset"] == "lab"


def test_parameters_of_an_older_run_are_not_restored(repository: Path) -> None:
    old = older_run(repository, "lab")
    main(["use", "lab"])
    assert params(repository)["image"]["crop"] == 120
    assert (old / "params.yaml").is_file()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labb", LAB, "did you mean lab?"),
        ("lab", LAB.replace("image.crop", "image.crap"), "there is no image.crap"),
        ("lab", LAB.replace("as found", "[one]"), "2 to 20"),
    ],
)
def test_a_wrong_name_or_record_changes_nothing(repository: Path, name: str, text: str, message: str) -> None:
    record(repository, text)
    before = (repository / "params.yaml").read_bytes()
    with pytest.raises(SystemExit, match=message.replace("?", r"\?")):
        main(["use", name])
    assert (repository / "params.yaml").read_bytes() == before
    assert not (repository / "locks").exists()


def test_the_list_marks_the_one_in_use(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["use"])
    lines = capsys.readouterr().out.splitlines()
    assert [line[:10].rstrip() for line in lines] == ["  bccd", "  lab", "* rendered"]


PIPELINE = """
stages:
  evaluate:
    cmd: >-
      mkdir -p metrics/${dataset} artifacts/${dataset} && echo 1 > artifacts/${dataset}/b &&
      echo '{"a": ${train.epochs}}' > metrics/${dataset}/a.json
    params: [dataset, train]
    metrics: [{"metrics/${dataset}/a.json": {cache: false}}]
    outs: ["artifacts/${dataset}/b"]
"""


def test_dvc_leaves_the_results_of_other_data_sets_alone(repository: Path) -> None:
    project.done("dvc", "init", "--quiet", cwd=repository)
    (repository / "dvc.yaml").write_text(PIPELINE)
    (repository / "dvc.lock").unlink()
    for epochs in (16, 17, 16):  # the last run is restored from the cache: DVC notes what it wrote
        set_params(repository, {"train.epochs": epochs})
        project.done("dvc", "repro", "--quiet", cwd=repository)
    main(["use", "lab"])
    project.done("dvc", "repro", "--quiet", cwd=repository)
    project.done("dvc", "checkout", "--quiet", cwd=repository)
    assert (repository / "metrics" / "rendered" / "a.json").is_file()
    assert (repository / "artifacts" / "rendered" / "b").is_file()
