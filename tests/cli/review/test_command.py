"""The command in small repositories: a base, and a change on top of it."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from bloodcells.cli.review.command import add_arguments, main
from bloodcells.core.errors import InputError
from tests.cli.review import committed
from tests.cli.review.committed import MODELS, image, predictions
from tests.support import project


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with `origin/main`, on a branch of its own, and without a lock file, so that DVC is not started."""
    committed.repository(tmp_path / "origin")
    committed.git(tmp_path, "clone", "--quiet", "origin", "clone")
    clone = tmp_path / "clone"
    committed.git(clone, "checkout", "--quiet", "-b", "topic")
    monkeypatch.chdir(clone)
    return clone


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def review(*words: str, pictures: bool = False) -> tuple[str, int | str]:
    """Run the command; return the page that it wrote and how it ended."""
    status: int | str = 0
    try:
        main(arguments(*words, *([] if pictures else ["--no-pictures"])))
    except SystemExit as ended:
        assert ended.code is not None
        status = ended.code
    return Path("review", "review.md").read_text(), status


def change(repository: Path, **wrong: range) -> None:
    """Write results in which models misclassify those cells."""
    usual = {model: range(place * 4) for place, model in enumerate(MODELS)}
    by_model = {model: predictions(wrong=cells) for model, cells in (usual | wrong).items()}
    committed.results(repository, by_model, loss=2.0)


def first(page: str) -> str:
    """Return the first line: the verdicts."""
    return " ".join(page.split("\n## ", maxsplit=1)[0].split()).split(" - ")[1]


def test_a_better_change(repository: Path) -> None:
    change(repository, alexnet=range(0))
    project.set_params(repository, {"train.epochs": 60})
    project.commit(repository, "longer")
    page, status = review("--fail-if", "worse")
    assert status == 0
    assert (
        first(page) == "**rendered**: alexnet (+10.0 points) **▲ better**; resnet and efficientnet = same predictions."
    )
    assert "- **Changed**: `train.epochs` 40 → 60.\n" in page
    assert page.splitlines()[0].endswith(
        f"`{committed.git(repository, 'rev-parse', 'origin/main')[:7]}` (merge base with origin/main)"
    )


def test_a_worse_change_fails_only_if_requested(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(repository, resnet=range(12))
    page, status = review()
    assert status == 0
    assert first(page).startswith("**rendered**: resnet (−15.0 points) **▼ worse**;")
    page, status = review("--fail-if", "worse")
    assert status == "review fails: resnet on rendered got worse"
    assert "- **Fails**: resnet on rendered got worse.\n" in page
    assert capsys.readouterr().out.endswith(page)


def test_a_change_within_noise(repository: Path) -> None:
    change(repository, alexnet=range(3, 11))
    page, status = review("--fail-if", "worse")
    assert (first(page), status) == (
        "**rendered**: alexnet ≈ within noise; resnet and efficientnet = same predictions.",
        0,
    )


def test_a_change_of_the_data(repository: Path) -> None:
    pin = yaml.safe_load((repository / "data.dvc").read_text())
    pin["outs"][0] |= {"md5": "2.dir", "nfiles": 4}
    (repository / "data.dvc").write_text(yaml.safe_dump(pin))
    grown = {
        model: predictions(wrong=range(place * 4), numbers=range(100), labels={70: 3})
        for place, model in enumerate(MODELS)
    }
    committed.results(repository, grown)
    page, _ = review()
    assert first(page) == "**rendered**: resnet, efficientnet and alexnet = same predictions."
    text = " ".join(page.split())
    assert "the pin `data.dvc`; rendered is tested on 20 cells more and has 1 cell relabeled and 4" in text
    assert "on the 79 cells that both predicted" in page
    assert f"`{image(99)}`" in page


def test_a_lower_bound_of_accuracy_below_the_minimum_always_fails(repository: Path) -> None:
    project.set_params(repository, {"review.min_accuracy": 0.86})
    _, status = review()
    assert isinstance(status, str)
    assert status.startswith("review fails: alexnet on rendered: the lower bound of its accuracy is 0.815, below")
    project.set_params(repository, {"review.min_accuracy": 0.81})
    assert review()[1] == 0


def test_the_minimum_is_the_head_s_and_other_parameters_are_not_checked(repository: Path) -> None:
    project.set_params(repository, {"review.min_accuracy": 0.86, "train.epochs": "as many as it takes"})
    project.commit(repository, "strict")
    project.set_params(repository, {"review.min_accuracy": 0.5})
    _, status = review("HEAD~1", "HEAD")
    assert "below 0.86" in str(status)
    assert review("HEAD~1")[1] == 0
    project.set_params(repository, {"review.min_accuracy": 7})
    with pytest.raises(InputError, match=r"working tree: params.yaml: review.min_accuracy: .* or equal to 1"):
        review("HEAD~1")


def test_a_result_file_that_no_section_shows_is_a_change(repository: Path) -> None:
    path = repository / "plots" / "rendered" / "label_issues.csv"
    path.write_text("image\n")
    page, _ = review()
    assert first(page) == "**rendered**: resnet, efficientnet and alexnet = same predictions."
    assert "<summary>rendered: 1 file of results differs</summary>\n\n`plots/rendered/label_issues.csv`" in page


def test_the_page_is_written_to_the_root_of_the_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "stages")
    main(arguments("--no-pictures"))
    assert (repository / "review" / "review.md").is_file()
    assert not (repository / "stages" / "review").exists()


def test_a_closed_pipe_changes_neither_page_nor_status(repository: Path) -> None:
    code = "from bloodcells.cli.main import main; main(['review', '--no-pictures'])"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(project.ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.close()
        _, printed = process.communicate()
    assert (process.returncode, printed.decode()) == (0, "written: review/review.md\n")
    assert Path("review", "review.md").is_file()


def test_a_first_run(repository: Path) -> None:
    committed.git(repository, "rm", "-rq", "metrics", "plots")
    project.commit(repository, "none")
    change(repository)
    page, status = review("HEAD", pictures=True)
    assert (first(page), status) == ("**rendered**: resnet, efficientnet and alexnet + new.", 0)
    for link in ("accuracy", "curves", *(f"confusion-{model}" for model in MODELS)):
        assert Path("review", f"review-rendered-{link}.png").is_file()


def test_a_stale_lock_fails_if_requested(repository: Path) -> None:
    committed.lock(repository)
    (repository / "stages" / "evaluate.py").write_text("# edited\n")
    page, status = review("--fail-if", "worse, stale")
    assert status == (
        "review fails: the committed results of rendered don't belong to this code (dvc.lock): "
        "run `dvc repro`, and commit dvc.lock, metrics/ and plots/"
    )
    assert "- evaluate: stages/evaluate.py\n" in page
    assert "| `stages/evaluate.py` | +1 −1 | evaluate           |" in page


def test_deleted_results_fail_if_requested(repository: Path) -> None:
    committed.lock(repository)
    project.commit(repository, "run")
    committed.git(repository, "rm", "-rq", "metrics", "plots")
    page, status = review("HEAD", "--fail-if", "worse,stale,checks")
    assert isinstance(status, str)
    assert "rendered (dvc.lock) these are missing: metrics/rendered/resnet.json: restore them from the base" in status
    assert "Up to date" not in page


def test_two_revisions_are_compared_without_the_working_tree(repository: Path) -> None:
    change(repository, alexnet=range(0))
    project.commit(repository, "better")
    change(repository, alexnet=range(60))
    page, _ = review("origin/main", "HEAD")
    assert "alexnet (+10.0 points) **▲ better**" in page
    page, _ = review("HEAD", "origin/main")
    assert "alexnet (−10.0 points) **▼ worse**" in page
    assert committed.git(repository, "status", "--short")


def test_pictures_are_beside_the_page_and_in_the_html_and_reproducible(repository: Path) -> None:
    change(repository, alexnet=range(3, 11))
    written = []
    for out in (repository / "review" / "a", repository / "review" / "b"):
        main(arguments("--output", str(out / "größe 1.md"), "--html", str(out / "b.html")))
        written.append({path.name: path.read_bytes() for path in out.iterdir()})
    files, again = written
    assert files == again
    pictures = {f"größe 1-rendered-{what}.png" for what in ("accuracy", "confusion-alexnet", "curves")}
    assert set(files) == pictures | {"größe 1.md", "b.html"}
    for name in pictures:
        assert f"]({quote(name)})" in files["größe 1.md"].decode()
        assert files[name].startswith(b"\x89PNG")
    assert files["b.html"].count(b'src="data:image/png;base64,iVBOR') == 3


def test_without_pictures(repository: Path) -> None:
    change(repository, alexnet=range(0))
    page, _ = review("--html", "review/page.html", "--comment", "review/comment.md")
    assert "![" not in page
    assert {path.name for path in Path("review").iterdir()} == {"review.md", "page.html", "comment.md"}
    assert Path("review", "comment.md").read_text() == page


def test_an_unreadable_table_fails_at_the_head_and_is_noted_at_the_base(repository: Path) -> None:
    path = repository / "plots" / "rendered" / "predictions" / "resnet.csv"
    sound = path.read_text()
    path.write_text("image\n")
    page, status = review()
    assert status == "review fails: resnet on rendered: its predictions can't be read"
    assert "working tree: plots/rendered/predictions/resnet.csv: its columns are image" in " ".join(page.split())
    project.commit(repository, "broken")
    path.write_text(sound)
    page, status = review("HEAD")
    assert status == 0
    assert first(page) == "**rendered**: efficientnet and alexnet = same predictions; resnet ? not comparable."


def test_an_unknown_reason_to_fail(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments("--fail-if", "wrose")
    assert "'wrose' not among worse, stale, checks" in capsys.readouterr().err


def test_an_unknown_revision_writes_nothing(repository: Path) -> None:
    with pytest.raises(InputError, match="no revision 'nonesuch'"):
        main(arguments("nonesuch"))
    assert not Path("review").exists()


def test_a_review_from_a_subfolder_imports_nothing_slow(repository: Path) -> None:
    code = (
        "import sys; from bloodcells.cli.main import main; main(['review', '--no-pictures', '--output', 'page.md']); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'lightning', 'vl_convert', 'dvc'}))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository / "stages",
        env=os.environ | {"PYTHONPATH": str(project.ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.splitlines()[-1] == "[]"
    assert (repository / "stages" / "page.md").read_text() == "\n".join(shown.splitlines()[:-1]) + "\n"
