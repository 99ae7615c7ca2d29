"""Measure the speed of training on this machine: the loop against bare steps, and `dvc repro` against its training.

python -m studies.speed            # both; run `make run` first, whose cells are used
python -m studies.speed --skip-repro --models alexnet --epochs 25
"""

import argparse
import dataclasses
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from bloodcells.core.cell_classes import read_classes
from bloodcells.core.errors import run
from bloodcells.core.files import read_csv
from bloodcells.core.parameters import ImageParameters, Name, StageParameters, read_parameters, select_model
from bloodcells.core.prepared_cells import open_pixels
from bloodcells.models.architectures import build
from bloodcells.models.normalization import normalize
from bloodcells.models.parameters import ModelParameters
from bloodcells.models.provenance import describe_device
from bloodcells.training.callbacks import Epoch
from bloodcells.training.config import TrainingConfig
from bloodcells.training.data import Cells
from bloodcells.training.loop import train, use_bf16
from bloodcells.training.parameters import TrainParameters

CLASSES = ("one", "two", "three", "four")
"""The names do not matter, only their number."""


class Parameters(StageParameters):
    """What the study reads."""

    image: ImageParameters
    train: TrainParameters
    models: dict[Name, ModelParameters]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m studies.speed", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each ratio (default 3)")
    parser.add_argument("--models", nargs="+", help="models of params.yaml (default: all)")
    parser.add_argument("--epochs", type=int, default=9, help="per measurement, the first not counted (default 9)")
    parser.add_argument("--skip-repro", action="store_true", help="skip the second ratio, which takes minutes")
    args = parser.parse_args()
    params = read_parameters(Parameters)
    device = describe_device()
    where = ", ".join(device["gpus"]) or f"{device['processor']}, {device['threads']} threads"
    features = ", ".join(device["features"]) or "none of the known features"
    print(f"{where} ({features}), torch {torch.__version__}, {params.image.side}×{params.image.side} pixels")
    for model in args.models or params.models:
        select_model(params.models, model)
        ratios = []
        for _ in range(args.rounds):
            loop, count, held = time_loop(params, model, args.epochs)
            bare = time_bare_steps(params, model, args.epochs, count, held)
            ratios.append(loop / bare)
            print(f"  {model}: loop {loop:.1f}, bare steps {bare:.1f} images a second, ratio {ratios[-1]:.3f}")
        print(f"{model}: the loop runs at {statistics.median(ratios):.1%} of bare steps (median of {args.rounds})")
    if not args.skip_repro:
        total, training = time_repro()
        fraction = (total - training) / training
        print(f"dvc repro: {total:.0f} s in all, {training:.0f} s of them training; the rest adds {fraction:.1%}")


def time_loop(params: Parameters, model: str, epochs: int) -> tuple[float, int, int]:
    """Train a few epochs as the stage does.

    Returns:
        Trained images a second over whole epochs (including reading, augmentation and validation), batches per epoch,
        and validation images.
    """
    training, validation = (_cells(params, part) for part in ("train", "validation"))
    config = dataclasses.replace(_config(params, model), epochs=epochs, devices=1, nodes=1)
    stamps: list[float] = []

    def stamp(epoch: Epoch) -> None:
        stamps.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as work_dir:
        train(_network(params, model), training, validation, config, Path(work_dir), model, stamp)
    batches = len(training) // config.batch_size
    return batches * config.batch_size * (epochs - 1) / (stamps[-1] - stamps[0]), batches, len(validation)


def time_bare_steps(params: Parameters, model: str, epochs: int, batches: int, held: int) -> float:
    """Run the same steps and validation passes on tensors in memory; return trained images a second."""
    config, settings = _config(params, model), params.models[model]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = _network(params, model).to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, fused=True)
    size = params.image.side
    images = normalize(torch.rand(config.batch_size, 3, size, size, device=device) * 255)
    labels = torch.arange(config.batch_size, device=device) % len(CLASSES)
    bf16 = use_bf16(network, config.precision, device.type == "cuda")

    held_out = normalize(torch.rand(held, 3, size, size, device=device) * 255)

    def forward(batch: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits: torch.Tensor = network(batch)
        return logits

    def step() -> None:
        logits = forward(images)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=config.label_smoothing)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
        optimizer.step()

    def epoch() -> None:
        for _ in range(batches):
            step()
        network.eval()
        with torch.inference_mode():
            forward(held_out)
        network.train()

    epoch()
    _wait(device)
    start = time.perf_counter()
    for _ in range(epochs - 1):
        epoch()
    _wait(device)
    return batches * (epochs - 1) * config.batch_size / (time.perf_counter() - start)


def time_repro() -> tuple[float, float]:
    """Run the pipeline in a clone of the last commit; return its seconds, and those that training reports."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", ".", folder], check=True)
        Path(folder, "dvc.lock").unlink(missing_ok=True)
        start = time.perf_counter()
        out = subprocess.run(["dvc", "repro"], cwd=folder, check=True, capture_output=True, text=True).stdout
        total = time.perf_counter() - start
    return total, sum(float(seconds) for seconds in re.findall(r"trained for ([\d.]+) s", out))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _network(params: Parameters, model: str) -> torch.nn.Module:
    return build(params.models[model].architecture, len(CLASSES), params.image.side)


def _cells(params: Parameters, part: str) -> Cells:
    rows = read_csv(params.paths.split(0), ("image", "label", "part"))
    return Cells.from_split(open_pixels(params.paths.pixels), rows, part, read_classes(params.paths.classes))


def _config(params: Parameters, model: str) -> TrainingConfig:
    return TrainingConfig.from_parameters(params.train, params.models[model])


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    run(main)
