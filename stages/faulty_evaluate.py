"""Ask the networks of both protocols about their validation and test parts: as they are, and randomly changed."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import run
from bloodcells.core.files import read_csv
from bloodcells.core.parameters import Params, read_params
from bloodcells.core.pixels import PreparedCells, open_pixels
from bloodcells.inference.probabilities import predict
from bloodcells.models.checkpoints import load_checkpoint
from bloodcells.training.augmentation import Augmentation
from studies.original_report.perturbation import predict_changed
from studies.original_report.predictions import FAULTY, OURS, TEST, VALIDATION, Answers, together, write_answers

DRAWS = 20  # of random changes; the original report made one and printed it


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.faulty_evaluate", description=__doc__)
    parser.add_argument("model", help="a key under `models:` in params.yaml")
    model = parser.parse_args().model
    params = read_params()
    params.model(model)
    artifacts = Path("artifacts", params.dataset)
    pixels = open_pixels(artifacts / "pixels")
    answers = together(
        part
        for protocol, folder in ((FAULTY, artifacts / "original"), (OURS, artifacts))
        for fold in sorted(params.test_folds)
        for part in _answers(params, protocol, folder, model, fold, pixels)
    )
    write_answers(Path("plots", params.dataset, "original", "answers.csv"), answers)
    print(f"{model}: {len(answers.image)} rows, each answered as it is and {DRAWS} times randomly changed")


def _answers(params: Params, protocol: str, folder: Path, model: str, fold: int, pixels: PreparedCells) -> Iterator[Answers]:
    checkpoint = load_checkpoint(folder / "models" / model / f"{fold}.ckpt", params.image)
    network = checkpoint.network()
    strength = Augmentation(**params.train.augment.model_dump())
    split = read_csv(folder / "splits" / f"{fold}.csv", ("image", "label", "part"))
    trained = {row["image"] for row in split if row["part"] == "train"}
    for number, part in enumerate((VALIDATION, TEST)):
        rows = [row for row in split if row["part"] == part]
        images = [row["image"] for row in rows]
        shown = pixels.take(images)
        # The two protocols share their seeds: the same test cells are changed alike.
        seeds = ([params.train.seed, fold, number, draw] for draw in range(DRAWS))
        yield Answers(
            protocol=np.full(len(rows), protocol),
            fold=np.full(len(rows), fold),
            part=np.full(len(rows), part),
            image=np.array(images),
            in_training=np.array([image in trained for image in images]),
            actual=np.array([CLASSES.index(row["label"]) for row in rows]),
            as_it_is=predict(network, shown, checkpoint).argmax(axis=1),
            views=predict(network, shown, checkpoint, params.evaluate.tta).argmax(axis=1),
            draws=np.stack([predict_changed(network, shown, checkpoint, strength, seed) for seed in seeds], axis=1),
        )


if __name__ == "__main__":
    run(main)
