"""A small repository with committed results, as a run would leave them, made without one."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bloodcells.core.classes import CLASSES
from bloodcells.core.files import write_csv, write_json, write_text
from bloodcells.evaluation.metrics import headline
from bloodcells.inference.predictions import Predictions, predictions, write_predictions
from tests import project

CELLS = 80
MODELS = ("resnet", "efficientnet", "alexnet")
PIPELINE = {
    "stages": {
        "evaluate": {
            "cmd": "python -m stages.evaluate",
            "params": ["train"],
            "deps": ["stages/evaluate.py", "bloodcells/scores.py"],
            "metrics": [{"metrics/rendered/resnet.json": {"cache": False}}],
        }
    }
}

BESIDE = {
    "stages": {
        "flattery": {
            "wdir": "..",
            "cmd": "python -m stages.flattery",
            "params": ["train"],
            "deps": ["stages/evaluate.py"],
            "outs": [{"plots/rendered/original.csv": {"cache": False}}],
        }
    }
}


def image(number: int) -> str:
    return f"BloodImage_{number:05d}.jpg"


def said(
    wrong: Collection[int] = (),
    numbers: Sequence[int] = range(CELLS),
    labels: Mapping[int, int] | None = None,
    sure: float = 0.7,
    fold: int = 0,
) -> Predictions:
    """What a model says that is right but for the cells `wrong`, which it takes for the class after theirs."""
    actual = np.array([(labels or {}).get(number, number % 4) for number in numbers])
    told = [(label + 1) % 4 if number in wrong else label for number, label in zip(numbers, actual, strict=True)]
    chances = np.full((len(actual), 4), (1 - sure) / 3)
    chances[np.arange(len(actual)), told] = sure
    return predictions([image(number) for number in numbers], [fold] * len(actual), actual, chances)


def hashes(by_model: Mapping[str, Predictions]) -> dict[str, str]:
    """Give what stands for the hash of each model's table."""
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


def lock(folder: Path, name: str = "dvc.lock", pipeline: Mapping[str, Any] = PIPELINE) -> None:
    """Write the lock of a run that made what is there, as DVC writes it."""
    ((stage_name, block),) = pipeline["stages"].items()
    beside = (folder / name).with_name("params.yaml")
    params = yaml.safe_load((beside if beside.exists() else folder / "params.yaml").read_text())

    def entry(path: str) -> dict[str, Any]:
        content = (folder / path).read_bytes()
        return {"path": path, "hash": "md5", "md5": hashlib.md5(content).hexdigest(), "size": len(content)}

    stage = {
        "cmd": block["cmd"],
        "deps": [entry(path) for path in sorted(block["deps"])],
        "params": {"params.yaml": {"train": params["train"]}},
        "outs": [entry(path) for out in (*block.get("metrics", ()), *block.get("outs", ())) for path in out],
    }
    write_text(folder / name, yaml.safe_dump({"schema": "2.0", "stages": {stage_name: stage}}, sort_keys=False))


def second_pipeline(folder: Path) -> None:
    """Write the pipeline `original/dvc.yaml`, its result, and its lock."""
    write_text(folder / "original" / "dvc.yaml", yaml.safe_dump(BESIDE, sort_keys=False))
    write_text(folder / "plots" / "rendered" / "original.csv", "fault\nnone\n")
    lock(folder, "original/dvc.lock", BESIDE)


def repository(folder: Path) -> Path:
    """Make a repository with one commit on `main`: parameters, pipeline, pin, code, and results of three models."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "params.yaml", (project.ROOT / "params.yaml").read_text())
    project.set_params(folder, {"compare.resamples": 500, "train.epochs": 40})
    write_text(folder / "dvc.yaml", yaml.safe_dump(PIPELINE, sort_keys=False))
    write_text(
        folder / "data.dvc", yaml.safe_dump({"outs": [{"md5": "1.dir", "size": 10, "nfiles": 2, "path": "data"}]})
    )
    write_text(folder / ".dvc" / "config", "")
    write_text(folder / "stages" / "evaluate.py", "# the stage\n")
    write_text(folder / "bloodcells" / "scores.py", "# scores\n")
    write_text(folder / ".gitignore", "/review/\n")
    results(folder, {model: said(wrong=range(place * 4)) for place, model in enumerate(MODELS)})
    project.done("git", "init", "--quiet", "--initial-branch=main", cwd=folder)
    project.commit(folder, "base")
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "protocol.file.allow=always")
    return project.done("git", *who, *arguments, cwd=folder).strip()
