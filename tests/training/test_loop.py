from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bloodcells.inference.probabilities import predict
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import MEAN, STD
from bloodcells.training.augmentation import Augmentation
from bloodcells.training.callbacks import Epoch, History, Progress
from bloodcells.training.config import TrainingConfig
from bloodcells.training.data import Cells
from bloodcells.training.loop import LAST, TrainingResult, train
from bloodcells.training.module import learning_rate_factor
from tests.support.smallset import CLASSES

TINY = "squeezenet1_1"


@pytest.fixture(autouse=True)
def save_after_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bloodcells.training.callbacks.SAVE_INTERVAL", 0.0)


def config(**changes: object) -> TrainingConfig:
    usual = {
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "warmup": 0.1,
        "label_smoothing": 0.1,
        "gradient_clip": 1.0,
        "augmentation": Augmentation(rotate=180, zoom=0.2, shift=0.1, color=0.1),
        "selection_window": 1,
        "precision": "32",
        "devices": 1,
        "nodes": 1,
        "seed": 1,
    }
    return TrainingConfig(**(usual | changes))  # type: ignore[arg-type]


def cells(count: int, seed: int) -> Cells:
    """Make cells whose class is their hue, under noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    hues = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [200, 200, 40]])
    array = hues[labels][:, None, None, :] + rng.integers(-40, 41, (count, 64, 64, 3))
    return Cells(array.clip(0, 255).astype(np.uint8), np.arange(count), labels.astype(np.int64))


def fit(work_dir: Path, **changes: object) -> tuple[TrainingResult, list[Epoch]]:
    torch.set_num_threads(1)
    seen: list[Epoch] = []
    network = build(TINY, 4, 64, seed=1)
    result = train(network, cells(40, 0), cells(12, 1), config(**changes), work_dir, "test", seen.append)
    assert result is not None
    return result, seen


def test_training_learns_what_can_be_learned(tmp_path: Path) -> None:
    result, seen = fit(tmp_path, epochs=12, label_smoothing=0.0)
    assert [epoch.epoch for epoch in seen] == list(range(1, 13))
    assert seen == result.history
    assert result.history[-1].training_loss < 0.5 * result.history[0].training_loss
    assert result.history[result.epoch - 1].validation_accuracy > 0.7  # a guess is right in 1 of 4


def test_the_epoch_of_least_validation_loss_is_the_one_that_is_kept(tmp_path: Path) -> None:
    result, _ = fit(tmp_path, epochs=4, learning_rate=5e-3)
    losses = [epoch.validation_loss for epoch in result.history]
    assert result.epoch == 1 + losses.index(min(losses))
    held = cells(12, 1)
    kept = Checkpoint(TINY, CLASSES, "crop", 64, 64, MEAN, STD, result.epoch, result.state)
    probabilities = torch.from_numpy(predict(kept.network(), held.array, kept))
    # The loss of the kept weights on validation images as they are: so nothing was augmented there.
    assert float(F.nll_loss(probabilities.log(), torch.from_numpy(held.labels))) == pytest.approx(min(losses), abs=1e-4)


def test_a_lucky_epoch_is_not_chosen_where_a_mean_over_several_decides(tmp_path: Path) -> None:
    result, _ = fit(tmp_path, epochs=6, learning_rate=5e-3, selection_window=3)
    losses = [epoch.validation_loss for epoch in result.history]
    means = [np.mean(losses[max(0, end - 3) : end]) for end in range(1, 7)]
    assert result.epoch == 1 + int(np.argmin(means))
    assert np.argmin(means) != np.argmin(losses), "choose another seed: this one shows no difference"


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    one, same, other = (fit(tmp_path / str(i), epochs=2, seed=seed)[0] for i, seed in enumerate((1, 1, 2)))
    assert one.history == same.history
    assert all(torch.equal(value, same.state[name]) for name, value in one.state.items())
    assert one.history != other.history


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [1, 3])
def test_an_interrupted_run_resumes_to_the_same_numbers(tmp_path: Path, after: int) -> None:
    whole, _ = fit(tmp_path / "whole", epochs=4)

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == after + 1:
            raise Killed

    with pytest.raises(Killed):
        train(build(TINY, 4, 64, seed=1), cells(40, 0), cells(12, 1), config(epochs=4), tmp_path / "cut", "test", stop)
    result, seen = fit(tmp_path / "cut", epochs=4)
    assert seen == result.history == whole.history
    assert result.epoch == whole.epoch
    assert all(torch.equal(value, whole.state[name]) for name, value in result.state.items())


def test_a_run_that_was_stopped_after_its_last_epoch_still_gives_its_curves_and_its_time(tmp_path: Path) -> None:
    first, _ = fit(tmp_path, epochs=2)
    again, seen = fit(tmp_path, epochs=2)
    assert again.seconds > first.seconds / 2
    assert seen == again.history == first.history
    assert all(torch.equal(value, first.state[name]) for name, value in again.state.items())


def test_a_damaged_state_is_noticed_and_training_starts_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, _ = fit(tmp_path / "whole", epochs=2)
    fit(tmp_path / "cut", epochs=2)
    state = tmp_path / "cut" / LAST
    state.write_bytes(state.read_bytes()[:1000])
    result, _ = fit(tmp_path / "cut", epochs=2)
    assert "training starts over" in capsys.readouterr().err
    assert result.history == whole.history


def test_between_two_saves_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bloodcells.training.callbacks.SAVE_INTERVAL", 1e9)
    fit(tmp_path, epochs=2)
    assert not list(tmp_path.iterdir())


class Loop:
    """What the progress reads of Lightning's trainer."""

    is_global_zero, max_epochs, current_epoch = True, 25, 3


def test_a_log_gets_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter([0.0, 0.0, 9.0, 10.0, 10.0, 19.0, 20.5, 20.5])
    progress = Progress("resnet, fold 0", History("", config(), print), clock=lambda: next(now))
    progress.on_fit_start(Loop(), None)  # type: ignore[arg-type]
    for _ in range(4):
        progress.on_train_batch_end(Loop(), None)  # type: ignore[arg-type]
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "resnet, fold 0: training for 25 epochs (0 s)",
        "resnet, fold 0: epoch 4 of 25 (10 s)",
        "resnet, fold 0: epoch 4 of 25 (20 s)",
    ]


def test_fewer_cells_than_a_batch_still_train(tmp_path: Path) -> None:
    result, _ = fit(tmp_path, epochs=1, batch_size=64)
    assert result.epoch == 1


def test_the_rate_climbs_then_falls_to_nothing() -> None:
    rates = [learning_rate_factor(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1
    assert rates[55] == pytest.approx(0.5, abs=0.02)
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert 0 < rates[99] < 0.001
    assert learning_rate_factor(0, 1, 0.0) == 1
