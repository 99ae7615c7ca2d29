"""Which cells the page has; what a reader does with it is in `test_page`."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bloodcells.cli.main import main
from bloodcells.cli.relabel import page
from bloodcells.core.errors import run
from bloodcells.core.files import write_csv
from tests.cli.relabel import last_run
from tests.cli.relabel.last_run import CELLS, DOUBTFUL, PATHS
from tests.support.workplace import error_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return last_run.make(tmp_path)


def content(*words: str) -> Any:
    """Run the command, and return the data of its page."""
    run(lambda: main(["relabel", *words]))
    html = Path("relabel", "lab.html").read_text()
    (found,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', html)
    return json.loads(found)


def cells(*words: str) -> list[str]:
    return [one["cell"] for one in content(*words)["cells"]]


def test_the_doubtful_cells_come_with_label_votes_and_near_duplicate() -> None:
    data = content()
    assert [one["cell"] for one in data["cells"]] == [*DOUBTFUL]
    assert data["blind"]
    assert data["classes"] == [*last_run.CLASSES]
    first, *_, last = data["cells"]
    assert first["label"] == "eosinophil"
    votes = {"resnet": "neutrophil", "efficientnet": "neutrophil", "alexnet": "monocyte"}
    assert first["votes"] == [[model, predicted, 0.8] for model, predicted in votes.items()]
    assert first["duplicate"] is None
    assert first["place"] == pytest.approx([20 / 120, 10 / 90, 60 / 120, 50 / 90], abs=1e-4)
    assert (first["ratio"], first["box"]) == (1, [])
    assert data["cells"][1]["box"] == pytest.approx([9 / 40, 5 / 40, 29 / 40, 1], abs=1e-4)
    assert (last["duplicate"]["cell"], last["duplicate"]["label"]) == (CELLS[4], "neutrophil")


def test_the_published_table_serves_where_nothing_has_run(folder: Path) -> None:
    table = folder / PATHS.table("label_issues")
    (folder / PATHS.report).mkdir()
    table.rename(folder / PATHS.report / table.name)
    assert cells() == [*DOUBTFUL]


def test_order_and_limit() -> None:
    assert cells("--limit", "2") == [*DOUBTFUL[:2]]
    assert cells("--order", "image") == sorted(DOUBTFUL)
    shuffled = cells("--order", "random")
    assert shuffled != [*DOUBTFUL]
    assert sorted(shuffled) == sorted(DOUBTFUL)
    assert cells("--order", "random") == shuffled  # or the page would not keep its entries


def test_controls_are_cells_that_no_model_contradicts() -> None:
    data = content("--controls", "5", "--no-blind")
    assert {one["cell"] for one in data["cells"] if not one["doubtful"]} == {CELLS[6]}
    assert len(data["cells"]) == len(DOUBTFUL) + 1
    assert not data["blind"]


def test_cells_that_a_table_names(folder: Path) -> None:
    write_csv(folder / "disagreements.csv", ("image", "old"), [(f"'{CELLS[1]}", ""), (CELLS[3], "")])
    assert cells("--cells", "disagreements.csv") == [CELLS[1], CELLS[3]]
    (whole,) = (one for one in content("--cells", "disagreements.csv")["cells"] if one["cell"] == CELLS[3])
    assert whole["around"] == ""  # it is the whole image
    assert whole["ratio"] == round(120 / 90, 4)
    write_csv(folder / "other.csv", ("image",), [("dd.jpg",)])
    assert "'dd.jpg' is not among the tested cells (did you mean d.jpg?)" in error_of(
        lambda: main(["relabel", "--cells", "other.csv"])
    )


def test_a_page_is_bounded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(page, "MAX_BYTES", 3 * len(json.dumps(content("--limit", "1")["cells"])))
    data = content()
    assert 0 < len(data["cells"]) < len(DOUBTFUL)
    assert data["left_out"] == len(DOUBTFUL) - len(data["cells"])
    assert f"{data['left_out']} more cells would make the page too large" in capsys.readouterr().out


def test_what_is_missing_or_of_another_run_is_an_error_with_a_remedy(folder: Path) -> None:
    def refused(*words: str) -> str:
        message = error_of(lambda: main(["relabel", *words]))
        assert not (folder / "relabel").exists()
        return message

    assert "no data set 'labb'" in refused("--dataset", "labb")
    path = folder / PATHS.predictions("resnet")
    text = path.read_text()
    path.write_text(re.sub("g.jpg.*\n", "", text))
    assert "different cells" in refused()
    path.write_text(text)
    issues = folder / PATHS.table("label_issues")
    issues.write_text(issues.read_text().replace(",eosinophil,neutrophil,", ",monocyte,neutrophil,", 1))
    assert "different runs: run `dvc repro`" in refused()
    issues.unlink()
    assert "run the pipeline on lab" in refused()


def test_without_a_doubtful_cell_there_is_nothing_to_read(folder: Path) -> None:
    issues = folder / PATHS.table("label_issues")
    issues.write_text(issues.read_text().splitlines()[0] + "\n")
    with pytest.raises(SystemExit, match="name cells with --cells"):
        content()


def test_a_page_that_git_would_add_is_warned_about(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = str(tmp_path_factory.mktemp("elsewhere") / "cells.html")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    (folder / ".gitignore").write_text("/relabel/\n")
    for words, warned in (([], False), (["--output", "cells.html"], True), (["--output", elsewhere], False)):
        main(["relabel", *words])
        assert ("git does not ignore it" in capsys.readouterr().out) == warned


def test_a_page_that_can_not_be_written_is_an_error() -> None:
    assert "/proc/x.html can't be written: " in error_of(lambda: main(["relabel", "--output", "/proc/x.html"]))
