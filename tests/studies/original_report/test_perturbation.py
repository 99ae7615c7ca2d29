import numpy as np
import pytest
import torch

from bloodcells.inference.probabilities import predict
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.training.augmentation import Augmentation
from studies.original_report.perturbation import predict_changed

STILL = Augmentation(rotate=0, zoom=0, shift=0, color=0)
STRONG = Augmentation(rotate=180, zoom=0.15, shift=0.3, color=0.5)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    network = build("squeezenet1_1", 4, 64, seed=1)
    return Checkpoint(
        "squeezenet1_1", ("a", "b", "c", "d"), "cell", 64, 64, (0.5,) * 3, (0.2,) * 3, 1, network.state_dict()
    )


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (70, 64, 64, 3), dtype=np.uint8)


def test_a_draw_is_named_by_its_seed(checkpoint: Checkpoint, pixels: np.ndarray) -> None:
    network = checkpoint.network()
    first, again, other = (predict_changed(network, pixels, checkpoint, STRONG, [1, n]) for n in (0, 0, 1))
    assert first.shape == (70,)
    assert (first == again).all()
    assert (first != other).any()


def test_without_a_mirror_nor_strength_it_is_the_plain_prediction(checkpoint: Checkpoint) -> None:
    """Images that are their own mirror image, since half of the draws mirror even at no strength."""
    half = np.random.default_rng(0).integers(0, 256, (20, 64, 32, 3), dtype=np.uint8)
    pixels = np.concatenate([half, half[:, :, ::-1]], axis=2)
    network = checkpoint.network()
    expected = predict(network, pixels, checkpoint).argmax(axis=1)
    assert (predict_changed(network, pixels, checkpoint, STILL, [1]) == expected).all()


def test_all_images_are_answered_whatever_the_batch_and_none_is_changed_in_place(
    checkpoint: Checkpoint, pixels: np.ndarray
) -> None:
    before = pixels.copy()
    said = predict_changed(checkpoint.network(), pixels, checkpoint, STRONG, [1], batch=32)
    assert len(said) == 70
    assert (pixels == before).all()
    assert not torch.is_grad_enabled() or said.dtype == np.int64
