import subprocess
import sys
from pathlib import Path

import pytest

from bloodcells.cli.main import COMMANDS, main

HELP = """
import sys
from bloodcells.cli import main
try:
    main({words})
except SystemExit as ended:
    print(ended.code, *sorted({{"torch", "numpy", "PIL"}} & set(sys.modules)))
"""


@pytest.mark.parametrize("words", [["--help"], ["predict", "--help"]])
def test_help_needs_none_of_the_libraries(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", HELP.format(words=words)], capture_output=True, text=True, check=True)
    *told, last = done.stdout.splitlines()
    assert last == "0"
    assert any("diagnosis" in line.lower() for line in told)


def test_all_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert all(f"    {name} " in told for name in COMMANDS)


@pytest.mark.parametrize("words", [[], ["predicct"], ["predict"], ["predict", ""]])
def test_what_is_not_understood_ends_with_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: bloodcells" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: bloodcells {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["review", "HEAD", "--output", "folder"], "'folder' is a folder: name a file"),
        (["review", "HEAD", "--html", "file/page.html"], "'file' is a file, and no folder"),
        (["review", "HEAD", "--comment", "folder"], "'folder' is a folder"),
        (["predict", "a.jpg", "--explain", "file"], "'file' is a file, and no folder"),
        (["predict", "a.jpg", "--explain", "file/deep/er"], "'file' is a file, and no folder"),
        (["plots", "pictures", "file"], "'file' is a file, and no folder"),
    ],
)
def test_a_place_that_can_t_be_written_to_is_told_before_the_work(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
