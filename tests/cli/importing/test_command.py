"""`bloodcells import`, as a user runs it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bloodcells.cli.main import main
from bloodcells.datasets.record import read_record
from tests.support import smallset
from tests.support.laboratory import labels, photographs, second_laboratory, table
from tests.support.project import ROOT

NAMED = "1=neutrophil,2=lymphocyte,3=monocyte,4=eosinophil,5=drop"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with parameters, to be in."""
    folder = tmp_path / "project"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    shutil.copy(ROOT / "params.yaml", folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return second_laboratory(tmp_path_factory.mktemp("laboratory") / "second-lab", 40)


def run(*words: str | Path, capsys: pytest.CaptureFixture[str]) -> str:
    main(["import", *map(str, words)])
    return capsys.readouterr().out


def error(*words: str | Path) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["import", *map(str, words)])
    message = str(ended.value)
    assert message.startswith("error: ")
    return message


def test_a_second_laboratory_s_set_is_imported(
    project: Path, laboratory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = smallset.read(laboratory)
    said = run(laboratory, "--name", "second", "--labels", NAMED, capsys=capsys)
    record = read_record("second")
    assert record.title == "second-lab"
    assert record.classes == ("neutrophil", "lymphocyte", "monocyte", "eosinophil")
    assert record.parameters["image.crop"] == 120
    source = project / "datasets" / "second" / "source"
    expected = {name: data for name, data in before.items() if not name.endswith(".png")}  # without masks
    assert smallset.read(source) == expected
    assert smallset.read(laboratory) == before
    for line in ("dvc add datasets/second/source", "bloodcells use second", "dvc repro"):
        assert f"\n  {line}\n" in said
    assert max(map(len, said.splitlines())) <= 100 + len(str(laboratory))
    assert "neutrophil" in said
    assert "masks" in said


def test_the_folds_are_not_those_of_the_data_set_in_use(
    project: Path, laboratory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, text in enumerate(("clean: {n_splits: 3}\n", "clean: 5\n", "dataset: other\n")):
        (project / "params.yaml").write_text(text)
        run(laboratory, "--name", f"lab{number}", "--classes", "as-found", "--drop", "5", capsys=capsys)
        parameters = read_record(f"lab{number}").parameters
        assert (parameters["clean.n_splits"], parameters["test_folds"]) == (5, [0, 1, 2, 3, 4])


def test_a_dry_run_only_reports(project: Path, laboratory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(laboratory, "--name", "second", "--dry-run", capsys=capsys)
    assert "dvc add" not in said
    assert "1=…,2=…" in said
    assert not (project / "datasets").exists()


def test_a_data_set_is_replaced_only_by_force(
    project: Path, laboratory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(laboratory, "--name", "second", capsys=capsys)
    assert "--force" in error(laboratory, "--name", "second")
    run(laboratory, "--name", "second", "--force", "--labels", NAMED, "--title", "New", capsys=capsys)
    assert read_record("second").classes[0] == "neutrophil"


def test_smears_are_to_be_looked_at(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{number}.png" for number in range(20)]
    photographs(tmp_path / "lab" / "images", names, size=(64, 48))
    table(tmp_path / "lab" / "t.csv", ("image", "label"), zip(names, labels(20, ("a", "b")), strict=True))
    said = run(tmp_path / "lab", "--name", "lab", "--images", str(tmp_path / "lab" / "images"), capsys=capsys)
    assert "image.crop" not in read_record("lab").parameters
    assert "plots/lab/explore" in said


def test_classes_in_the_user_s_words(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{number}.png" for number in range(30)]
    photographs(tmp_path / "lab", names)
    table(tmp_path / "lab" / "t.csv", ("image", "label"), zip(names, labels(30, ("a", "b", "c")), strict=True))
    run(tmp_path / "lab", "--name", "lab", "--classes", "c, A", "--drop", "b", "--crop", "32", capsys=capsys)
    assert read_record("lab").classes == ("c", "A")
    run(tmp_path / "lab", "--name", "open", "--classes", "as-found", capsys=capsys)
    assert read_record("open").classes == "as found"


def test_a_folder_inside_the_project_should_be_elsewhere(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        photographs(project / "lab" / name, [f"{name}{number}.png" for number in range(6)])
    assert "lies inside the project" in run("lab", "--name", "lab", capsys=capsys)
    (project / ".gitignore").write_text("/lab/\n")
    assert "lies inside the project" not in run("lab", "--name", "other", capsys=capsys)


def test_folders_that_must_not_be_imported(project: Path, tmp_path: Path) -> None:
    assert "contains this project" in error(tmp_path, "--name", "all")
    assert "contains this project" in error(".", "--name", "all")
    photographs(project / "datasets" / "lab" / "source", ["a.png"])
    assert "move it elsewhere" in error("datasets/lab/source", "--name", "lab", "--force")


@pytest.mark.parametrize(
    "words",
    [
        ["--name", "No Name"],
        *(["--name", name] for name in ("no", "on", "yes", "off", "null", "true", "false")),
        ["--name", "lab", "--labels", "1"],
        ["--name", "lab", "--labels", "1=a=b"],
        ["--name", "lab", "--crop", "0"],
        ["--name", "lab", "--layout", "cloud"],
        [],
    ],
)
def test_wrong_usage_exits_with_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["import", "folder", *words])
    assert ended.value.code == 2
    assert "usage: bloodcells import" in capsys.readouterr().err
