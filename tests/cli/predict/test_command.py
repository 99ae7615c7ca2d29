import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from bloodcells.cli.main import main
from bloodcells.cli.predict import run
from tests.cli.slides import MIDDLE, PROBABILITIES, checkpoint, names, predictor, slide

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and a folder of smears with one, two and no white cells, and a text file."""
    folder = tmp_path_factory.mktemp("template")
    predictor(folder / "tiny.ckpt")
    slide(folder / "smears" / "good.png", MIDDLE)
    slide(folder / "smears" / "two.jpg", (180, 240), (480, 240))
    slide(folder / "smears" / "more" / "none.png")
    (folder / "smears" / "readme.txt").write_text("text")
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the template, as the working directory."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def status(*words: str) -> int:
    """Run the command line in this process and return its exit status."""
    try:
        main(words)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def test_the_default_is_a_table_with_a_summary(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("predict", "smears", "--model", "tiny.ckpt") == 0
    table, summary = capsys.readouterr().out.split("\n\n")
    rows = [line.split()[:2] for line in table.splitlines()[1:]]
    assert rows == [
        ["smears/good.png", "monocyte"],
        ["smears/more/none.png", "abstains"],
        ["smears/two.jpg", "abstains"],
    ]
    assert summary.splitlines()[0] == "3 images: 1 predicted, 2 abstained, 0 unreadable."
    assert summary.endswith("Not for diagnosis.\n")


def test_an_unreadable_file_gives_status_1_and_the_others_their_predictions(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("predict", "none.png", "smears/readme.txt", "smears", "--csv", "--model", "tiny.ckpt") == 1
    output = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(output.out)))
    assert [row["verdict"] for row in rows] == ["error", "error", "monocyte", "abstains", "abstains"]
    assert [row["confidence"] for row in rows] == ["", "", "0.8", "0.8", "0.8"]
    assert "5 images: 1 predicted, 2 abstained, 2 unreadable." in output.err
    assert "Not for diagnosis." in output.err


def test_only_json_is_on_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("predict", "smears", "--json", "--model", "tiny.ckpt") == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["verdict"] for one in objects] == ["monocyte", "abstains", "abstains"]
    assert objects[0]["probabilities"] == pytest.approx(PROBABILITIES, abs=1e-4)
    assert objects[0]["calibrated"] is True


def test_a_plain_checkpoint_predicts_and_says_that_it_is_not_calibrated(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint({"odd": 0.3, "even": 0.7}).save(Path("0.ckpt"))
    assert status("predict", "smears/good.png", "--json", "--model", "0.ckpt") == 0
    output = capsys.readouterr()
    (one,) = (json.loads(line) for line in output.out.splitlines())
    assert one["verdict"] == "even"
    assert one["calibrated"] is False
    assert "not calibrated" in output.err


def test_figures_are_written_for_images_with_a_cell_and_are_not_classified_themselves(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (640, 480), "white").save("smears/blank.png")
    for _ in range(2):
        assert status("predict", "smears", "none.png", "--model", "tiny.ckpt", "--explain", "smears/why") == 1
        assert "5 images" in capsys.readouterr().out
        assert names(Path("smears/why")) == ["good.png.png", "more/none.png.png", "two.jpg.png"]


def test_a_model_that_is_missing_is_an_error_before_anything_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^error: nowhere.ckpt is missing"):
        main(["predict", "smears", "--csv", "--model", "nowhere.ckpt"])
    assert capsys.readouterr().out == ""


def test_a_folder_without_images_is_an_error(folder: Path) -> None:
    Path("bare").mkdir()
    with pytest.raises(SystemExit, match=r"^error: bare contains no images"):
        main(["predict", "bare", "--model", "tiny.ckpt"])


def test_an_interrupt_exits_with_130_and_no_traceback(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "predict_images", interrupted)
    assert status("predict", "smears", "--model", "tiny.ckpt") == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_two_output_formats_at_once_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("predict", "smears", "--csv", "--json") == 2
    assert "not allowed with" in capsys.readouterr().err


def test_the_program_imports_no_unneeded_library_and_exits_quietly_when_nobody_reads(folder: Path) -> None:
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "bloodcells",
        "predict",
        "smears",
        "--json",
        "--model",
        "tiny.ckpt",
    ]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["verdict"] for line in done.stdout.splitlines()] == ["monocyte", "abstains", "abstains"]
    slow = ("sklearn", "pandas", "statsmodels", "lightning", "dvc")  # none is needed
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "torch" in imported
    assert not imported.intersection(slow)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait(120) == 1
