"""The whole pipeline, through DVC, in a clone of its own."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bloodcells.core.prepared_cells import open_pixels
from bloodcells.inference.probabilities import predict
from bloodcells.models.checkpoints import Checkpoint
from tests.support import project
from tests.support.smallset import CLASSES

MODELS = ("resnet", "efficientnet", "alexnet")


SENTENCE = Path("bloodcells", "reporting", "templates", "comparison.md.j2")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = project.copy(tmp_path_factory.mktemp("clone"))
    project.set_params(folder, project.SMALL)
    project.done("dvc", "repro", cwd=folder)
    project.commit(folder, "first run")
    yield folder


def stale(folder: Path) -> set[str]:
    """Give the stages that a `dvc repro` would run."""
    out = project.done("dvc", "repro", "--dry", cwd=folder)
    return {line.split("'")[1] for line in out.splitlines() if line.startswith("Running stage")}


def test_each_model_leaves_its_headline_and_its_predictions(clone: Path) -> None:
    for model in MODELS:
        scores = json.loads((clone / "metrics" / "rendered" / f"{model}.json").read_text())
        assert set(scores) == {"accuracy", "mean_sensitivity", "mean_specificity", "val_loss"}
        with (clone / "plots" / "rendered" / "predictions" / f"{model}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["image", "fold", "actual", "predicted", *CLASSES]
        assert scores["accuracy"] == round(sum(row["actual"] == row["predicted"] for row in rows) / len(rows), 4)
        tested: dict[str, tuple[str, str]] = {}
        for fold in (0, 1):
            with (clone / "artifacts" / "rendered" / "splits" / f"{fold}.csv").open() as file:
                test = [row for row in csv.DictReader(file) if row["part"] == "test"]
            tested |= {row["image"]: (str(fold), row["label"]) for row in test}
        assert {row["image"]: (row["fold"], row["actual"]) for row in rows} == tested


def test_each_cell_is_tested_by_the_network_of_its_own_fold(clone: Path) -> None:
    with (clone / "plots" / "rendered" / "predictions" / "resnet.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["fold"] == "1"]
    checkpoint = Checkpoint.load(clone / "artifacts" / "rendered" / "models" / "resnet" / "1" / "checkpoint.ckpt")
    pixels = open_pixels(clone / "artifacts" / "rendered" / "pixels").take([row["image"] for row in rows])
    expected = predict(checkpoint.network(), pixels, checkpoint)
    assert np.allclose([[float(row[name]) for name in CLASSES] for row in rows], expected, atol=1e-5)


def test_the_comparison_names_every_model(clone: Path) -> None:
    shown = project.done("python", "-m", "stages.report", "--show", cwd=clone)
    assert all(model in shown for model in MODELS)
    assert "nan" not in shown.lower()


def test_a_second_repro_has_nothing_to_do(clone: Path) -> None:
    assert "Data and pipelines are up to date." in project.done("dvc", "repro", cwd=clone)


def test_a_fresh_clone_is_not_stale(clone: Path, tmp_path: Path) -> None:
    project.done("git", "clone", "--quiet", str(clone), str(tmp_path / "fresh"), cwd=tmp_path)
    result = project.command("dvc", "repro", "--dry", "--allow-missing", cwd=tmp_path / "fresh")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Running stage" not in result.stdout


@pytest.mark.parametrize("verb", ["status", "data status", "checkout", "pull", "list -R .", "repro --dry", "exp show"])
def test_after_a_run_the_bare_verb_ends_well(clone: Path, verb: str) -> None:
    project.done("dvc", *verb.split(), cwd=clone)


def test_the_table_of_metrics_has_a_row_per_model_and_fits_a_page(clone: Path) -> None:
    lines = project.done("dvc", "metrics", "show", cwd=clone).splitlines()
    assert len(lines) == 1 + len(MODELS)
    assert max(map(len, lines)) <= 100
    assert not any(" - " in line for line in lines)


def test_a_second_machine_pulls_everything_and_has_nothing_to_do(clone: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    project.done("git", "clone", "--quiet", str(clone), str(second), cwd=tmp_path)
    project.done("dvc", "remote", "add", "--local", "--default", "team", str(tmp_path / "storage"), cwd=clone)
    (second / ".dvc" / "config.local").write_bytes((clone / ".dvc" / "config.local").read_bytes())
    project.done("dvc", "push", cwd=clone)
    project.done("dvc", "remote", "remove", "--local", "team", cwd=clone)
    project.done("dvc", "install", cwd=second)  # from here on, git runs DVC as well
    for verb in ("status", "pull", "checkout", "list -R .", "push", "plots show"):
        project.done("dvc", *verb.split(), cwd=second)
    project.done("git", "switch", "--quiet", "--create", "other", cwd=second)
    project.commit(second, "nothing")
    assert "Data and pipelines are up to date." in project.done("dvc", "repro", cwd=second)


def test_a_predictor_is_found_by_its_version_tag(clone: Path, tmp_path: Path) -> None:
    project.done(
        "git", "-c", "user.name=T", "-c", "user.email=t@example.org", "tag", "-a", "resnet@v1.0.0", "-m", "1", cwd=clone
    )
    project.done("dvc", "artifacts", "get", str(clone), "resnet", "--out", "got.ckpt", cwd=tmp_path)
    kept = clone / "artifacts" / "rendered" / "predictors" / "resnet.ckpt"
    assert (tmp_path / "got.ckpt").read_bytes() == kept.read_bytes()


def test_going_back_to_former_parameters_computes_nothing_but_the_report(clone: Path) -> None:
    params = (clone / "params.yaml").read_text()
    project.set_params(clone, {"evaluate.tta": 8})
    project.done("dvc", "repro", cwd=clone)
    diff = project.done("dvc", "metrics", "diff", "--md", "HEAD", cwd=clone)
    changed = [line for line in diff.splitlines() if "metrics/rendered/" in line]
    assert len(changed) <= 4 * len(MODELS)
    (clone / "params.yaml").write_text(params)
    out = project.done("dvc", "repro", cwd=clone)
    assert {line.split("'")[1] for line in out.splitlines() if line.startswith("Running stage")} <= {"report"}
    assert project.done("git", "status", "--porcelain", cwd=clone) == ""


def test_one_model_s_rate_concerns_that_model_alone(clone: Path) -> None:
    params = (clone / "params.yaml").read_text()
    try:
        project.set_params(clone, {"models.alexnet.learning_rate": 0.0009})
        after = {"grad_cam", "compare", "calibrate", "check_models", "label_issues", "report", "check_parameters"}
        assert stale(clone) == {"train@alexnet-0", "train@alexnet-1", "evaluate@alexnet", *after}
    finally:
        (clone / "params.yaml").write_text(params)


def test_a_new_pin_of_the_data_runs_the_download_again(clone: Path) -> None:
    pin = (clone / "data.dvc").read_text()
    try:
        (clone / "data.dvc").write_text(pin.replace("5509ad5d", "00000000"))
        assert "download" in stale(clone)
    finally:
        (clone / "data.dvc").write_text(pin)


def test_an_experiment_trains_what_it_changes_and_shows_in_the_diff(clone: Path) -> None:
    out = project.done("dvc", "exp", "run", "--name", "longer", "-S", "models.resnet.learning_rate=3e-4", cwd=clone)
    assert "train@resnet-0" in out
    assert "Running stage 'train@efficientnet-0'" not in out
    shown = project.done("dvc", "metrics", "diff", "--all", "HEAD", "--md", cwd=clone)
    assert all(f"metrics/rendered/{model}.json" in shown for model in MODELS)
    params = project.done("dvc", "params", "diff", "HEAD", cwd=clone)
    assert "models.resnet.learning_rate" in params


def test_the_plots_page_is_made(clone: Path) -> None:
    project.done("dvc", "plots", "show", cwd=clone)
    page = (clone / "dvc_plots" / "index.html").read_text()
    for chart in ("accuracy", "curves", *(f"predictions/{model}" for model in MODELS)):
        assert chart in page
    assert page.count("<img") >= 9  # average, samples, label issues, and of three models mistakes and Grad-CAM


def test_one_stage_can_be_named(clone: Path) -> None:
    params = (clone / "params.yaml").read_text()
    try:
        project.set_params(clone, {"train.label_smoothing": 0.2})
        out = project.done("dvc", "repro", "--dry", "train@resnet-0", cwd=clone)
        assert "Running stage 'train@resnet-0'" in out
        assert "Running stage 'train@resnet-1'" not in out
        assert "alexnet" not in out
    finally:
        (clone / "params.yaml").write_text(params)


def test_the_graph_leads_from_download_to_compare(clone: Path) -> None:
    graph = project.done("dvc", "dag", "--dot", cwd=clone)
    for before, after in (("download", "clean"), ("prepare", "train@resnet-0"), ("evaluate@resnet", "compare")):
        assert f'"{before}" -> "{after}"' in graph


def test_a_changed_sentence_concerns_the_report_alone(clone: Path) -> None:
    before = (clone / SENTENCE).read_text()
    try:
        (clone / SENTENCE).write_text(before + "\nAnother sentence.\n")
        assert stale(clone) == {"report"}
    finally:
        (clone / SENTENCE).write_text(before)


def test_no_other_room_can_make_a_network_train_again(clone: Path) -> None:
    """The stages before training run again, write the same, and training is skipped."""
    rooms = ("cli", "datasets", "evaluation", "imaging", "inference", "reporting", "splits", "visualization")
    added = [clone / "bloodcells" / room / "extra.py" for room in rooms]
    for module in added:
        module.write_text('"""Another module."""\n')
    try:
        out = project.done("dvc", "repro", "train@resnet-0", cwd=clone)
        assert "Running stage 'prepare'" in out
        assert "Stage 'train@resnet-0' didn't change, skipping" in out
    finally:
        for module in added:
            module.unlink()
        project.done("dvc", "repro", "train@resnet-0", cwd=clone)
