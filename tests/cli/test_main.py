import subprocess
import sys
from pathlib import Path

import pytest

from bloodcells.cli.main import COMMANDS, main

HELP = """
import sys
from bloodcells.cli.main import main
try:
    main({words})
except SystemExit as ended:
    print(ended.code, *sorted({{"torch", "numpy", "PIL"}} & set(sys.modules)))
"""


@pytest.mark.parametrize("words", [["--help"], ["predict", "--help"]])
def test_help_imports_no_heavy_library(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", HELP.format(words=words)], capture_output=True, text=True, check=True)
    *lines, last = done.stdout.splitlines()
    assert last == "0"
    assert any("diagnosis" in line.lower() for line in lines)


def test_all_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    first = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ")}
    assert first >= COMMANDS.keys()


@pytest.mark.parametrize("words", [[], ["predicct"], ["predict"], ["predict", ""]])
def test_wrong_usage_exits_with_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: bloodcells" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_help_text(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: bloodcells {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["review", "HEAD", "--output", "folder"], "'folder' is a folder: name a file"),
        (["review", "HEAD", "--html", "file/page.html"], "'file' is a file, not a folder"),
        (["review", "HEAD", "--comment", "folder"], "'folder' is a folder"),
        (["predict", "a.jpg", "--explain", "file"], "'file' is a file, not a folder"),
        (["predict", "a.jpg", "--explain", "file/deep/er"], "'file' is a file, not a folder"),
        (["plots", "pictures", "file"], "'file' is a file, not a folder"),
    ],
)
def test_an_output_path_that_cannot_be_written_is_refused_before_the_work(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
