"""A small repository with committed results, as a run would leave them, made without one."""

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bloodcells.core.files import write_csv, write_json, write_text
from bloodcells.evaluation.metrics import headline
from bloodcells.inference.predictions import Predictions, write_predictions
from bloodcells.visualization.vega import TEMPLATES
from tests.support import project
from tests.support.smallset import CLASSES

CELLS = 80
MODELS = ("resnet", "efficientnet", "alexnet")
PIPELINE: dict[str, Any] = {
    "stages": {
        "evaluate": {
            "cmd": "python -m stages.evaluate",
            "params": ["train"],
            "deps": ["stages/evaluate.py", "bloodcells/evaluation"],
            "metrics": [{"metrics/rendered/resnet.json": {"cache": False}}],
        }
    }
}


def image(number: int) -> str:
    return f"BloodImage_{number:05d}.jpg"


def predictions(
    wrong: Collection[int] = (),
    numbers: Sequence[int] = range(CELLS),
    labels: Mapping[int, int] | None = None,
    confidence: float = 0.7,
    fold: int = 0,
) -> Predictions:
    """Return predictions that are correct except for the cells `wrong`, which get the class after theirs."""
    actual = np.array([(labels or {}).get(number, number % 4) for number in numbers])
    predicted = [(label + 1) % 4 if number in wrong else label for number, label in zip(numbers, actual, strict=True)]
    probabilities = np.full((len(actual), 4), (1 - confidence) / 3)
    probabilities[np.arange(len(actual)), predicted] = confidence
    return Predictions.from_probabilities(
        [image(number) for number in numbers], [fold] * len(actual), actual, probabilities, CLASSES
    )


def hashes(by_model: Mapping[str, Predictions]) -> dict[str, str]:
    """Return a stand-in for the hash of each model's table."""
    return {
        f"plots/bccd/predictions/{model}.csv": repr((p.images, p.actual.tolist(), p.probabilities.tolist()))
        for model, p in by_model.items()
    }


def results(folder: Path, by_model: Mapping[str, Predictions], dataset: str = "rendered", loss: float = 1.0) -> None:
    """Write the tables and metrics of a run."""
    plots = folder / "plots" / dataset
    for model, p in by_model.items():
        write_predictions(plots / "predictions" / f"{model}.csv", p)
        write_json(folder / "metrics" / dataset / f"{model}.json", headline(p))
    rows = [
        (model, 0, split, epoch, round(loss / epoch, 5), 0.5)
        for model in by_model
        for epoch in (1, 2, 3)
        for split in ("train", "validation")
    ]
    write_csv(plots / "curves.csv", ("model", "fold", "split", "epoch", "loss", "accuracy"), rows)
    counts = np.bincount(next(iter(by_model.values())).actual, minlength=4)
    rows_of_counts = [(name, "kept", int(count)) for name, count in zip(CLASSES, counts, strict=True)]
    write_csv(plots / "counts.csv", ("class", "step", "count"), rows_of_counts)
    write_csv(plots / "dropped.csv", ("line", "image", "labels", "reason"), [(7, image(500), "", "null: no label")])


def lock(folder: Path, name: str = "dvc.lock") -> None:
    """Write the lock file of a run that made the files in the folder, as DVC writes it."""
    ((stage_name, block),) = PIPELINE["stages"].items()
    params = yaml.safe_load((folder / name).with_name("params.yaml").read_text())

    def entry(path: str) -> dict[str, Any]:
        hashes = {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in (folder / path).glob("*")}
        if not hashes:
            content = (folder / path).read_bytes()
            return {"path": path, "hash": "md5", "md5": hashlib.md5(content).hexdigest(), "size": len(content)}
        listed = json.dumps([{"md5": hashes[name], "relpath": name} for name in sorted(hashes)])
        return {"path": path, "hash": "md5", "md5": f"{hashlib.md5(listed.encode()).hexdigest()}.dir"}

    stage = {
        "cmd": block["cmd"],
        "deps": [entry(path) for path in sorted(block["deps"])],
        "params": {"params.yaml": {"train": params["train"]}},
        "outs": [entry(path) for metric in block["metrics"] for path in metric],
    }
    write_text(folder / name, yaml.safe_dump({"schema": "2.0", "stages": {stage_name: stage}}, sort_keys=False))


def repository(folder: Path) -> Path:
    """Make a repository with one commit on `main`: parameters, pipeline, pin, code, charts, results of three models."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "params.yaml", (project.ROOT / "params.yaml").read_text())
    project.set_params(folder, {"compare.resamples": 500, "train.epochs": 40})
    write_text(folder / "dvc.yaml", yaml.safe_dump(PIPELINE, sort_keys=False))
    write_text(
        folder / "data.dvc", yaml.safe_dump({"outs": [{"md5": "1.dir", "size": 10, "nfiles": 2, "path": "data"}]})
    )
    write_text(folder / ".dvc" / "config", "")
    write_text(folder / "stages" / "evaluate.py", "# the stage\n")
    write_text(folder / "bloodcells" / "evaluation" / "scores.py", "# scores\n")
    shutil.copytree(project.ROOT / TEMPLATES, folder / TEMPLATES)
    write_text(folder / ".gitignore", "/review/\n")
    results(folder, {model: predictions(wrong=range(place * 4)) for place, model in enumerate(MODELS)})
    project.done("git", "init", "--quiet", "--initial-branch=main", cwd=folder)
    project.commit(folder, "base")
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "protocol.file.allow=always")
    return project.done("git", *who, *arguments, cwd=folder).strip()
