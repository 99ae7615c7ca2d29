from pathlib import Path

import pytest

from bloodcells.cli.main import main
from bloodcells.core.files import write_csv
from bloodcells.datasets.corrections import COLUMNS, read_corrections
from tests.support.workplace import error_of, table


def readers(folder: Path, old: str = "monocyte") -> tuple[str, str]:
    """Write what two readers say about four cells and one more."""
    first = [("a", "monocyte", ""), ("b", "neutrophil", "lobes"), ("c", "monocyte", "")]
    first += [("d", "unsure", ""), ("e", "drop", "")]
    second = [("a", "monocyte", ""), ("b", "neutrophil", "lobes!"), ("c", "neutrophil", "'=big"), ("d", "drop", "")]
    for name, label, rows in (("ab", "monocyte", first), ("cd", old, second)):
        values = [(f"{cell}.jpg", label, new, name.upper(), f"2026-11-{len(rows)}", note) for cell, new, note in rows]
        write_csv(folder / f"{name}.csv", COLUMNS, values)
    return str(folder / "ab.csv"), str(folder / "cd.csv")


def test_two_readers_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["agreement", *readers(tmp_path)])
    out = " ".join(capsys.readouterr().out.split())
    assert "AB read 5 cells, CD 4, and both read 4. On 1 of these, one is unsure;" in out
    assert "on the other 3, they agree on 2." in out
    assert "| agreement | 0.667 (" in out
    assert "| Cohen's kappa | 0.400 (" in out
    assert "| c.jpg | monocyte | monocyte | neutrophil | =big |" in out
    assert "| d.jpg | monocyte | unsure | drop | |" in out


def test_what_they_agree_on_and_what_a_third_reader_must_decide(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("open.csv", "agreed.csv")]
    main(["agreement", *readers(tmp_path), "--disagreements", files[0], "--agreed", files[1]])
    assert [row["image"] for row in table(Path(files[0]))] == ["c.jpg", "d.jpg"]
    assert table(Path(files[0]))[0]["second_note"] == "'=big"
    same, new = read_corrections(Path(files[1]))
    assert (same.image, same.new, same.reader, same.note) == ("a.jpg", "monocyte", "AB + CD", "")
    assert (new.image, new.new, new.date, new.note) == ("b.jpg", "neutrophil", "2026-11-5", "lobes; lobes!")


def test_readings_of_different_labels_are_not_joined(tmp_path: Path) -> None:
    files = readers(tmp_path, old="neutrophil")
    agreed = tmp_path / "agreed.csv"
    assert "under different labels" in error_of(lambda: main(["agreement", *files, "--agreed", str(agreed)]))
    assert not agreed.exists()


def test_what_is_no_file_and_what_can_not_be_written(tmp_path: Path) -> None:
    first, second = readers(tmp_path)
    message = error_of(lambda: main(["agreement", str(tmp_path), second]))
    assert f"{tmp_path} is not a file: name a file that a reader saved" in message
    message = error_of(lambda: main(["agreement", first, second, "--agreed", "/proc/agreed.csv"]))
    assert "/proc/agreed.csv can't be written: " in message
