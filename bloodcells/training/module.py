"""One training and one validation step, the optimizer, and the learning-rate schedule."""

import math
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import LRSchedulerConfigType, OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, SequentialSampler
from torchmetrics import MeanMetric

from bloodcells.models.normalization import normalize
from bloodcells.training.augmentation import augment
from bloodcells.training.config import TrainingConfig
from bloodcells.training.data import Cells, EpochBatches


def learning_rate_factor(step: int, steps: int, warmup: float) -> float:
    """Return the factor of the learning rate at a step: a linear rise, then half a cosine down to 0.

    The cosine is that of Loshchilov and Hutter, SGDR (2017), without restarts.
    """
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


class TrainingModule(LightningModule):
    """What Lightning calls in each step and epoch."""

    def __init__(self, network: nn.Module, training: Cells, validation: Cells, config: TrainingConfig) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.training_cells, self.validation_cells, self.config = training, validation, config
        names = ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy")
        self.means = nn.ModuleDict({name: MeanMetric() for name in names})
        self._generator = torch.Generator()

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        world = self.trainer.world_size
        sampler: DistributedSampler[Any] = DistributedSampler(
            self.training_cells, world, self.global_rank, shuffle=True, seed=self.config.seed, drop_last=True
        )
        batch = max(1, min(self.config.batch_size, len(self.training_cells)) // world)
        return DataLoader(self.training_cells, sampler=EpochBatches(sampler, batch, drop_last=True), batch_size=None)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        # Each process sees all cells: the figures then do not depend on the number of processes.
        batches = BatchSampler(SequentialSampler(self.validation_cells), 64, drop_last=False)
        return DataLoader(self.validation_cells, sampler=batches, batch_size=None)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        # No weight decay for biases and normalization: it would bias them, and they cannot overfit by growing.
        matrices = [value for value in self.network.parameters() if value.ndim > 1]
        vectors = [value for value in self.network.parameters() if value.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": self.config.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
            lr=self.config.learning_rate,
            fused=True,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(step, steps, self.config.warmup)
        )
        every_step = LRSchedulerConfigType(scheduler=schedule, interval="step")
        return OptimizerLRSchedulerConfig(optimizer=optimizer, lr_scheduler=every_step)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        # All randomness of a step follows from its number, so that a resumed run needs no generator state.
        numbers = [self.config.seed, self.current_epoch, batch_idx, self.global_rank]
        seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
        torch.manual_seed(seed)
        self._generator.manual_seed(seed)
        pixels, labels = batch
        logits = self.network(normalize(augment(pixels, self.config.augmentation, self._generator))).float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self._update("training", loss.detach(), logits.detach(), labels)
        return loss

    def configure_gradient_clipping(self, *args: Any, **kwargs: Any) -> None:
        # Lightning refuses to clip with a fused optimizer, because of loss scaling; bfloat16 needs no scaling.
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        pixels, labels = batch
        logits = self.network(normalize(pixels.permute(0, 3, 1, 2))).float()
        self._update("validation", F.cross_entropy(logits, labels), logits, labels)

    def _update(self, part: str, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self._mean(f"{part}_loss").update(loss, weight=len(labels))
        self._mean(f"{part}_accuracy").update((logits.argmax(1) == labels).float())

    def _mean(self, name: str) -> MeanMetric:
        metric = self.means[name]
        assert isinstance(metric, MeanMetric)
        return metric

    def take_means(self) -> dict[str, float]:
        """Return loss and accuracy of training and validation since the last call, over all processes."""
        means = {name: float(self._mean(name).compute()) for name in self.means}
        for name in self.means:
            self._mean(name).reset()
        return means
