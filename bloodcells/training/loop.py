"""Training one network: Lightning runs the loop, this says what a step, an epoch and a resumed run are."""

import logging
import math
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.types import LRSchedulerConfigType, OptimizerLRSchedulerConfig
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, Dataset, DistributedSampler, SequentialSampler
from tqdm import tqdm

from bloodcells.core.errors import InputError
from bloodcells.models.normalization import normalize
from bloodcells.training.augmentation import Augmentation, augment
from bloodcells.training.snapshots import Snapshots

LAST = "last.ckpt"


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained; see `train` and `models` in params.yaml for the units.

    The weights kept are those of the last of the `selection_window` epochs in a row whose mean validation loss is least;
    at the start, where fewer have run, the mean is over those.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float
    label_smoothing: float
    gradient_clip: float
    augmentation: Augmentation
    selection_window: int
    precision: str
    devices: int
    nodes: int
    seed: int


@dataclass(frozen=True)
class Epoch:
    """The curves' values at the end of one epoch, counted from 1."""

    epoch: int
    training_loss: float
    training_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Result:
    """The weights of the epoch that was chosen on validation, that epoch, the curves, and how long it all took.

    `seconds` are those of all stretches, where the training was killed and went on.
    """

    state: dict[str, Tensor]
    epoch: int
    history: list[Epoch]
    seconds: float


class Cells(Dataset[tuple[Tensor, Tensor]]):
    """Cells as (pixels, label), asked for by whole batches of indices.

    Args:
        array: (cells, size, size, 3) uint8; may be mapped from a file.
        rows: for each of the n cells its row in `array`; a repeated cell repeats its row.
        labels: (n,) class indices.
    """

    def __init__(self, array: NDArray[np.uint8], rows: NDArray[np.int64], labels: NDArray[np.int64]) -> None:
        self.array, self.rows, self.labels = array, rows, labels

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self.array[self.rows[indices]]), torch.from_numpy(self.labels[indices])


def train(
    network: nn.Module,
    training: Cells,
    validation: Cells,
    config: TrainingConfig,
    side: Path,
    title: str,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Result | None:
    """Train a network, from the start or from the last epoch that `side` holds.

    Args:
        network: with initial weights; trained in place.
        training, validation: the cells; only those of training are augmented.
        config: how.
        side: folder for what a killed run needs to go on; the caller names it by what defines the run,
            and removes it when the result is safe.
        title: stands before the progress bar.
        on_epoch: called once for each finished epoch in order, those before a resumption included.

    Returns:
        The result in the first process, None in the others.

    Raises:
        InputError: more GPUs are asked for than there are, a launcher started another number of processes, or the
            training diverges.
    """
    _started_as_many(config)
    side.mkdir(parents=True, exist_ok=True)
    for logger in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"lightning\.")  # advice on workers, samplers and logging intervals
    on_gpu = torch.cuda.is_available()
    last = side / LAST
    snapshots = Snapshots(last)
    if on_gpu and config.devices > torch.cuda.device_count():
        raise InputError(f"train.devices is {config.devices}, and this machine has {torch.cuda.device_count()} GPUs")
    record = _Record(title, config, on_epoch)
    trainer = Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=config.devices,
        num_nodes=config.nodes,
        strategy="ddp" if config.devices * config.nodes > 1 else "auto",
        precision="bf16-mixed" if use_bf16(network, config.precision, on_gpu) else "32-true",
        max_epochs=config.epochs,
        deterministic="warn" if on_gpu else False,
        use_distributed_sampler=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        plugins=[_CheckpointIO(snapshots, record)],
        callbacks=[
            record,
            ModelCheckpoint(
                dirpath=side, filename=Path(LAST).stem, save_on_train_epoch_end=True, enable_version_counter=False
            ),
        ],
    )
    module = _Training(network, training, validation, config)
    trainer.fit(module, ckpt_path=last if last.is_file() else None, weights_only=True)
    if not trainer.is_global_zero:
        return None
    weights = snapshots.load(marked=True)["state_dict"]
    state = {name.removeprefix("network."): tensor for name, tensor in weights.items()}
    return Result(state, record.best_epoch, record.history, record.seconds)


def _started_as_many(config: TrainingConfig) -> None:
    """Refuse to be one of several processes that each take themselves for the only one, and write the same files.

    Lightning doesn't ask torchrun or Slurm how many there are where the config has but one.
    """
    by_torchrun = TorchElasticEnvironment.detect()
    started = int(os.environ.get("WORLD_SIZE" if by_torchrun else "SLURM_STEP_NUM_TASKS", "1"))
    meant = config.devices * config.nodes
    if started not in (1, meant):
        raise InputError(
            f"{started} processes were started for one training, and train.devices × train.nodes is {meant}: "
            "let the two parameters in params.yaml be what the launcher is told"
        )


def use_bf16(network: nn.Module, precision: str, on_gpu: bool) -> bool:
    """Decide whether to compute in bfloat16: asked for, or where the machine gains from it.

    On CPUs depthwise convolutions don't: EfficientNet-b0 at 160×160 ran at 73 images a second in float32 and at 58
    in bfloat16 where ResNet-18 went from 62 to 116 (2 cores, AVX-512 BF16).
    """
    if precision != "auto":
        return precision == "bf16"
    if on_gpu:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    depthwise = sum(module.groups > 1 for module in convolutions)
    return bool(torch.cpu._is_avx512_bf16_supported()) and 4 * depthwise < len(convolutions)


def rate_at(step: int, steps: int, warmup: float) -> float:
    """Give the share of the learning rate at a step: a linear climb, then half a cosine down to 0.

    The cosine is that of Loshchilov and Hutter, SGDR (2017), without restarts.
    """
    climb = max(1, round(warmup * steps))
    if step < climb:
        return (step + 1) / climb
    return 0.5 * (1 + math.cos(math.pi * (step - climb) / max(1, steps - climb)))


class _Training(LightningModule):
    """What Lightning calls in each step and epoch."""

    def __init__(self, network: nn.Module, training: Cells, validation: Cells, config: TrainingConfig) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.training_cells, self.validation_cells, self.config = training, validation, config
        self._generator = torch.Generator()
        self._sums: dict[str, Tensor] = {}

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        world = self.trainer.world_size
        sampler: DistributedSampler[Any] = DistributedSampler(
            self.training_cells, world, self.global_rank, shuffle=True, seed=self.config.seed, drop_last=True
        )
        batch = max(1, min(self.config.batch_size, len(self.training_cells)) // world)
        return DataLoader(self.training_cells, sampler=_Batches(sampler, batch, drop_last=True), batch_size=None)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        # Each process sees all: the figures then don't depend on how many there are.
        batches = BatchSampler(SequentialSampler(self.validation_cells), 64, drop_last=False)
        return DataLoader(self.validation_cells, sampler=batches, batch_size=None)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        # Biases and normalisations are not decayed: they can't overfit by growing, and decay would only bias them.
        matrices = [value for value in self.network.parameters() if value.ndim > 1]
        vectors = [value for value in self.network.parameters() if value.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": self.config.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
            lr=self.config.learning_rate,
            fused=True,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, steps, self.config.warmup))
        every_step = LRSchedulerConfigType(scheduler=schedule, interval="step")
        return OptimizerLRSchedulerConfig(optimizer=optimizer, lr_scheduler=every_step)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        # All that is random in a step follows from its number, so a resumed run needs no generator's state.
        numbers = [self.config.seed, self.current_epoch, batch_idx, self.global_rank]
        seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
        torch.manual_seed(seed)
        self._generator.manual_seed(seed)
        pixels, labels = batch
        logits = self.network(normalize(augment(pixels, self.config.augmentation, self._generator))).float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self._add("training", loss.detach() * len(labels), logits.detach(), labels)
        return loss

    def configure_gradient_clipping(self, *args: Any, **kwargs: Any) -> None:
        # Lightning refuses to clip beside a fused optimizer, because of loss scaling; bfloat16 needs no scaling.
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        pixels, labels = batch
        logits = self.network(normalize(pixels.permute(0, 3, 1, 2))).float()
        self._add("validation", F.cross_entropy(logits, labels, reduction="sum"), logits, labels)

    def _add(self, part: str, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        sums = torch.stack([loss.double(), (logits.argmax(1) == labels).double().sum(), loss.new_tensor(len(labels))])
        self._sums[part] = self._sums.get(part, torch.zeros_like(sums)) + sums

    def take_means(self) -> tuple[float, float, float, float]:
        """Give training loss and accuracy, validation loss and accuracy since the last call, over all processes."""
        total = {part: self.trainer.strategy.reduce(sums, reduce_op="sum") for part, sums in self._sums.items()}
        self._sums = {}
        means = [float(value) for part in ("training", "validation") for value in total[part][:2] / total[part][2]]
        return means[0], means[1], means[2], means[3]


class _Batches(BatchSampler):
    """A batch sampler that passes on the number of the epoch, which decides the order."""

    def set_epoch(self, epoch: int) -> None:
        assert isinstance(self.sampler, DistributedSampler)
        self.sampler.set_epoch(epoch)


class _Record(Callback):
    """Keeps the curves, knows the best epoch, and shows how far it is."""

    def __init__(self, title: str, config: TrainingConfig, on_epoch: Callable[[Epoch], None]) -> None:
        self.on_epoch = on_epoch
        self.history: list[Epoch] = []
        self.best_epoch, self.best_loss = 0, math.inf
        self._title, self._epochs, self._selection_window = title, config.epochs, config.selection_window
        self._started, self._before = time.perf_counter(), 0.0
        self._bar: tqdm[Any] | None = None

    @property
    def seconds(self) -> float:
        """Give how long it has taken so far, in this process and in those that it goes on from."""
        return self._before + time.perf_counter() - self._started

    def state_dict(self) -> dict[str, Any]:
        best = [self.best_epoch, self.best_loss]
        return {"history": [asdict(epoch) for epoch in self.history], "best": best, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = [Epoch(**epoch) for epoch in state_dict["history"]]
        self.best_epoch, self.best_loss = state_dict["best"]
        self._before = state_dict["seconds"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Not on_train_start, which a run that was killed after its last epoch never comes to.
        if trainer.is_global_zero:
            if self.history:
                print(f"{self._title}: goes on after epoch {len(self.history)}", file=sys.stderr)
            for epoch in self.history:
                self.on_epoch(epoch)
            self._bar = tqdm(
                total=self._epochs, initial=len(self.history), desc=self._title, unit="epoch", disable=None
            )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, _Training)
        epoch = Epoch(trainer.current_epoch + 1, *pl_module.take_means())
        if not math.isfinite(epoch.training_loss + epoch.validation_loss):
            raise InputError(
                f"{self._title}: the loss of epoch {epoch.epoch} is no number; lower the model's learning_rate"
            )
        self.history.append(epoch)
        recent = [past.validation_loss for past in self.history[-self._selection_window :]]
        loss = sum(recent) / len(recent)
        if loss < self.best_loss or not self.best_epoch:
            self.best_epoch, self.best_loss = epoch.epoch, loss
        if trainer.is_global_zero and self._bar is not None:
            self.on_epoch(epoch)
            self._bar.set_postfix_str(
                f"validation loss {epoch.validation_loss:.3f}, accuracy {epoch.validation_accuracy:.3f}"
            )
            self._bar.update()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.close()


class _CheckpointIO(TorchCheckpointIO):
    """Has Lightning's checkpoint, after each epoch the same path, kept as snapshots; that of the best is marked."""

    def __init__(self, snapshots: Snapshots, record: _Record) -> None:
        super().__init__()
        self._snapshots, self._record = snapshots, record

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        self._snapshots.save(checkpoint, mark=self._record.best_epoch == len(self._record.history))

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return self._snapshots.load()

    def remove_checkpoint(self, path: Any) -> None:
        pass  # the next one takes its place
