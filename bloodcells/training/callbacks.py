"""What happens around the epochs: learning curves, epoch selection, progress, and the state to resume from."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor
from tqdm import tqdm

from bloodcells.core.errors import InputError
from bloodcells.training.config import TrainingConfig
from bloodcells.training.module import TrainingModule

Clock = Callable[[], float]

SAVE_INTERVAL = 30.0
"""Seconds of training after which the state is saved at the end of an epoch."""

LOG_INTERVAL = 10.0
"""Seconds after which a log without a terminal gets another line."""


@dataclass(frozen=True)
class Epoch:
    """The learning curves at the end of one epoch, counted from 1."""

    epoch: int
    training_loss: float
    training_accuracy: float
    validation_loss: float
    validation_accuracy: float


class History(Callback):
    """Record the learning curves, and keep the weights of the best epoch."""

    def __init__(self, title: str, config: TrainingConfig, on_epoch: Callable[[Epoch], None]) -> None:
        self.epochs: list[Epoch] = []
        self.best_epoch, self.best_loss = 0, math.inf
        self.best_state: dict[str, Tensor] = {}
        self._title, self._window, self._on_epoch = title, config.selection_window, on_epoch
        self._started, self._before = time.perf_counter(), 0.0

    @property
    def seconds(self) -> float:
        """Training time so far, including that before a resumption."""
        return self._before + time.perf_counter() - self._started

    def state_dict(self) -> dict[str, Any]:
        return {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "best": [self.best_epoch, self.best_loss],
            "best_state": self.best_state,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epochs = [Epoch(**epoch) for epoch in state_dict["epochs"]]
        self.best_epoch, self.best_loss = state_dict["best"]
        self.best_state = state_dict["best_state"]
        self._before = state_dict["seconds"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Not on_train_start: a run that was killed after its last epoch never gets there.
        if trainer.is_global_zero:
            for epoch in self.epochs:
                self._on_epoch(epoch)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        epoch = Epoch(trainer.current_epoch + 1, **pl_module.take_means())
        if not math.isfinite(epoch.training_loss + epoch.validation_loss):
            raise InputError(
                f"{self._title}: the loss of epoch {epoch.epoch} is not finite; lower the model's learning_rate"
            )
        self.epochs.append(epoch)
        recent = [past.validation_loss for past in self.epochs[-self._window :]]
        loss = sum(recent) / len(recent)
        if loss < self.best_loss or not self.best_epoch:
            self.best_epoch, self.best_loss = epoch.epoch, loss
            state = pl_module.network.state_dict()
            self.best_state = {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
        if trainer.is_global_zero:
            self._on_epoch(epoch)


class Progress(Callback):
    """Show how far training is: a bar on a terminal, otherwise a line every ten seconds."""

    def __init__(self, title: str, history: History, clock: Clock = time.monotonic) -> None:
        self._title, self._history, self._clock = title, history, clock
        self._bar: tqdm[Any] | None = None
        self._started = self._logged = 0.0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        done = len(self._history.epochs)
        self._started = self._logged = self._clock()
        if sys.stderr.isatty():
            self._bar = tqdm(total=trainer.max_epochs, initial=done, desc=self._title, unit="epoch")
        elif done:
            self._log(f"resumes after epoch {done} of {trainer.max_epochs}")
        else:
            self._log(f"training for {trainer.max_epochs} epochs")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any) -> None:
        if trainer.is_global_zero and self._bar is None and self._clock() - self._logged >= LOG_INTERVAL:
            last = self._history.epochs[-1:]
            loss = f", validation loss {last[0].validation_loss:.3f}" if last else ""
            self._log(f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}{loss}")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._bar is not None:
            last = self._history.epochs[-1]
            self._bar.set_postfix_str(
                f"validation loss {last.validation_loss:.3f}, accuracy {last.validation_accuracy:.3f}"
            )
            self._bar.update()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.close()

    def _log(self, text: str) -> None:
        self._logged = self._clock()
        print(f"{self._title}: {text} ({self._logged - self._started:.0f} s)", file=sys.stderr, flush=True)


class ResumePoint(Checkpoint):
    """Save the state of the training at the end of an epoch, at most every half minute.

    Lightning runs callbacks of this base class last, when the others are up to date.
    """

    def __init__(self, path: Path, clock: Clock = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._saved = clock()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._clock() - self._saved >= SAVE_INTERVAL:
            trainer.save_checkpoint(self._path)
            self._saved = self._clock()
