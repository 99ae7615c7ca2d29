"""Training one network with Lightning, from the start or from where an interrupted run stopped."""

import logging
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch import Trainer
from torch import Tensor, nn

from bloodcells.core.errors import InputError
from bloodcells.models.weights import read_weights
from bloodcells.training.callbacks import Epoch, History, Progress, ResumePoint
from bloodcells.training.config import TrainingConfig
from bloodcells.training.data import Cells
from bloodcells.training.module import TrainingModule

LAST = "last.ckpt"


@dataclass(frozen=True)
class TrainingResult:
    """The weights of the selected epoch, and how they came about.

    Attributes:
        state: the weights.
        epoch: the one selected, counted from 1.
        history: the learning curves.
        seconds: training time, including that before a resumption.
        precision: "bf16-mixed" or "32-true", as `train.precision` resolved on this machine.
    """

    state: dict[str, Tensor]
    epoch: int
    history: list[Epoch]
    seconds: float
    precision: str


def train(
    network: nn.Module,
    training: Cells,
    validation: Cells,
    config: TrainingConfig,
    work_dir: Path,
    title: str,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> TrainingResult | None:
    """Train a network, or resume from the last state saved in `work_dir`.

    Args:
        network: with initial weights; trained in place.
        training, validation: the cells; only those of training are augmented.
        config: how to train.
        work_dir: folder for the state from which an interrupted run resumes. The caller names it by what defines the
            run, and removes it once the result is saved.
        title: shown with the progress.
        on_epoch: called once for each finished epoch, in order, including those before a resumption.

    Returns:
        The result in the first process, None in the others.

    Raises:
        InputError: there are fewer GPUs than requested, a launcher started another number of processes, or the loss
            diverges.
    """
    _check_processes(config)
    work_dir.mkdir(parents=True, exist_ok=True)
    for logger in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"lightning\.")  # advice on workers, samplers and logging intervals
    on_gpu = torch.cuda.is_available()
    if on_gpu and config.devices > torch.cuda.device_count():
        raise InputError(f"train.devices is {config.devices}, but this machine has {torch.cuda.device_count()} GPUs")
    together = config.devices * config.nodes > 1
    precision = "bf16-mixed" if use_bf16(network, config.precision, on_gpu) else "32-true"
    history = History(title, config, on_epoch)
    last = work_dir / LAST
    trainer = Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=config.devices,
        num_nodes=config.nodes,
        strategy="ddp" if together else "auto",
        sync_batchnorm=on_gpu and together,  # PyTorch has it for GPUs only
        precision="bf16-mixed" if precision == "bf16-mixed" else "32-true",
        max_epochs=config.epochs,
        deterministic="warn" if on_gpu else False,
        use_distributed_sampler=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=True,
        num_sanity_val_steps=0,
        callbacks=[history, Progress(title, history), ResumePoint(last)],
    )
    module = TrainingModule(network, training, validation, config)
    trainer.fit(module, ckpt_path=last if _is_intact(last) else None, weights_only=True)
    if not trainer.is_global_zero:
        return None
    return TrainingResult(history.best_state, history.best_epoch, history.epochs, history.seconds, precision)


def use_bf16(network: nn.Module, precision: str, on_gpu: bool) -> bool:
    """Decide whether to compute in bfloat16: if requested, or with "auto" if the processor gains from it.

    On CPUs depthwise convolutions lose: EfficientNet-b0 at 160×160 ran at 73 images a second in float32 and at 58 in
    bfloat16, where ResNet-18 went from 62 to 116 (2 cores, AVX-512 with bfloat16).
    """
    if precision != "auto":
        return precision == "bf16"
    if on_gpu:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    depthwise = sum(module.groups > 1 for module in convolutions)
    return bool(torch.cpu._is_avx512_bf16_supported()) and 4 * depthwise < len(convolutions)


def _check_processes(config: TrainingConfig) -> None:
    """Refuse to be one of several processes that each believe to be the only one, and write the same files.

    Lightning does not ask torchrun or Slurm for their number if the configuration has one.
    """
    by_torchrun = TorchElasticEnvironment.detect()
    started = int(os.environ.get("WORLD_SIZE" if by_torchrun else "SLURM_STEP_NUM_TASKS", "1"))
    configured = config.devices * config.nodes
    if started not in (1, configured):
        raise InputError(
            f"the launcher started {started} processes for one training, but train.devices × train.nodes is "
            f"{configured}: set the two parameters in params.yaml to what the launcher is told"
        )


def _is_intact(path: Path) -> bool:
    """Check whether there is a state to resume from; a damaged one is removed, and training starts over."""
    if not path.is_file():
        return False
    try:
        read_weights(path)
    except InputError as error:
        print(f"{error}; training starts over", file=sys.stderr)
        path.unlink()
        return False
    return True
