"""Train one model for one fold; killed and run again, it goes on from the last finished epoch."""

import argparse
import glob
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from dvclive.live import Live

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv, atomic_folder, write_csv, write_json
from bloodcells.core.parameters import Params, read_params
from bloodcells.core.pixels import PreparedCells, open_pixels
from bloodcells.models import networks
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import STD, MEAN
from bloodcells.models.provenance import of_this_process
from bloodcells.training import augmentation as augment
from bloodcells.training import loop as training_loop
from bloodcells.training import snapshots
from bloodcells.training.augmentation import Augmentation
from bloodcells.training.loop import LAST, Cells, Epoch, TrainingConfig, train


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.train", description=__doc__)
    parser.add_argument("model", help="a key under `models:` in params.yaml")
    parser.add_argument("fold", type=int, help="the fold that is left for the test")
    parser.add_argument(
        "--within",
        type=Path,
        help="the folder whose splits are trained on and which gets the rest (the data set's own)",
    )
    args = parser.parse_args()
    params = read_params()
    settings = params.model(args.model)
    artifacts = Path("artifacts", params.dataset)
    within = args.within or artifacts

    split = within / "splits" / f"{args.fold}.csv"
    rows = read_csv(split, ("image", "label", "part"))
    pixels = open_pixels(artifacts / "pixels")
    if params.image.side != pixels.array.shape[1]:
        raise InputError(f"{artifacts / 'pixels'} was made for another image.size: run `dvc repro prepare`")
    training, validation = (cells_of(pixels, rows, part) for part in ("train", "validation"))

    config = recipe_of(params, args.model)
    network = build(settings.architecture, len(CLASSES), params.image.side, settings.weights, config.seed)
    identity = _identity(params, args.model, split, (training, validation))
    side = within / "unfinished" / f"{args.model}-{args.fold}-{identity}"
    curves = within / "curves" / args.model / str(args.fold)
    checkpoint = within / "models" / args.model / f"{args.fold}.ckpt"
    live = _Curves(side / "curves")
    result = train(network, training, validation, config, side, f"{args.model}, fold {args.fold}", live.add)
    if result is None:
        return  # another process than the first: it has trained along, and the first writes
    live.move(curves)
    Checkpoint(
        architecture=settings.architecture,
        classes=CLASSES,
        frame=params.image.input,
        crop=params.image.crop,
        size=params.image.side,
        mean=MEAN,
        deviation=STD,
        epoch=result.epoch,
        state=result.state,
    ).save(checkpoint)
    origin = {"identity": identity, **of_this_process(result.seconds)}
    write_json(within / "provenance" / args.model / f"{args.fold}.json", origin)
    (side / LAST).unlink(missing_ok=True)  # first: without it what a kill leaves of the rest is nothing to go on from
    unfinished = f"{glob.escape(args.model)}-{args.fold}-{'[0-9a-f]' * len(identity)}"
    for folder in side.parent.glob(unfinished):  # what runs with other parameters have left would never be gone on from
        shutil.rmtree(folder)
    chosen = result.history[result.epoch - 1]
    print(
        f"{args.model}, fold {args.fold}: epoch {result.epoch} of {config.epochs} chosen, validation loss "
        f"{chosen.validation_loss:.3f}, accuracy {chosen.validation_accuracy:.3f}; trained for {result.seconds:.0f} s"
    )


class _Curves:
    """The curves twice: as DVCLive's files, while they grow, and as one long table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._live: Live | None = None
        self._rows: list[tuple[int, str, float, float]] = []

    def add(self, epoch: Epoch) -> None:
        if self._live is None:  # not before: only the first of several processes is told of epochs
            self._live = Live(dir=str(self._folder), save_dvc_exp=False, dvcyaml=None, report=None)
        self._live.step = epoch.epoch
        for part, loss, accuracy in (
            ("train", epoch.training_loss, epoch.training_accuracy),
            ("validation", epoch.validation_loss, epoch.validation_accuracy),
        ):
            self._live.log_metric(f"{part}/loss", loss)
            self._live.log_metric(f"{part}/accuracy", accuracy)
            self._rows.append((epoch.epoch, part, round(loss, 5), round(accuracy, 5)))

    def move(self, target: Path) -> None:
        if self._live is not None:
            self._live.end()  # type: ignore[no-untyped-call]
        write_csv(self._folder / "curves.csv", ("epoch", "split", "loss", "accuracy"), self._rows)
        with atomic_folder(target) as folder:
            shutil.copytree(self._folder, folder, dirs_exist_ok=True)


def cells_of(pixels: PreparedCells, rows: list[dict[str, str]], part: str) -> Cells:
    """Give the cells of one part of a split, a repeated row as often as it stands there."""
    chosen = [row for row in rows if row["part"] == part]
    return Cells(
        pixels.array,
        pixels.find([row["image"] for row in chosen]),
        np.array([CLASSES.index(row["label"]) for row in chosen], dtype=np.int64),
    )


def recipe_of(params: Params, model: str) -> TrainingConfig:
    """Gather what the parameters say of training this model."""
    train_params, settings = params.train, params.model(model)
    factor = settings.bccd_epochs_factor if params.dataset == "bccd" else 1
    return TrainingConfig(
        epochs=max(1, round(train_params.epochs * factor)),
        batch_size=train_params.batch_size,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup=train_params.warmup,
        label_smoothing=train_params.label_smoothing,
        gradient_clip=train_params.gradient_clip,
        augmentation=Augmentation(**train_params.augment.model_dump()),
        selection_window=train_params.selection_window,
        precision=train_params.precision,
        devices=train_params.devices,
        nodes=train_params.nodes,
        seed=train_params.seed,
    )


def _identity(params: Params, model: str, split: Path, parts: Sequence[Cells]) -> str:
    """Hash all that defines this run, so that a changed run never goes on from another's epochs."""
    digest = hashlib.sha256(split.read_bytes())
    defining = params.model_dump(include={"dataset", "image", "train"}) | params.model(model).model_dump()
    digest.update(json.dumps(defining, sort_keys=True).encode())
    digest.update(torch.__version__.encode())
    weights = Path(params.model(model).weights)
    for source in (augment.__file__, networks.__file__, snapshots.__file__, training_loop.__file__, __file__, weights):
        digest.update(Path(source).read_bytes() if Path(source).is_file() else b"")
    for cells in parts:
        digest.update(cells.labels.tobytes())
        digest.update(np.ascontiguousarray(cells.array[np.unique(cells.rows)]).tobytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    run(main)
