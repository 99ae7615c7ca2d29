from collections.abc import Callable

import numpy as np
import pytest
import torch

from bloodcells.inference.probabilities import predict
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import MEAN, STD
from tests.support.smallset import CLASSES

NETWORK = "squeezenet1_1"
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)

Predict = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def predicted() -> Predict:
    network = build(NETWORK, len(CLASSES), 64, seed=5).eval()
    checkpoint = Checkpoint(NETWORK, CLASSES, "crop", 256, 64, MEAN, STD, 3, dict(network.state_dict()))
    return lambda pixels, **options: predict(network, pixels, checkpoint, **options)


@pytest.mark.parametrize("tta", [1, 8])
def test_probabilities_sum_to_1_whatever_the_batch(predicted: Predict, tta: int) -> None:
    result = predicted(PIXELS, tta=tta)
    assert result.shape == (5, 4)
    assert np.allclose(result.sum(axis=1), 1)
    assert np.allclose(result, predicted(PIXELS, tta=tta, batch=2), atol=1e-6)


def test_with_eight_views_a_rotated_or_mirrored_image_has_the_same_probabilities(predicted: Predict) -> None:
    for moved in (np.rot90(PIXELS, 1, (1, 2)), PIXELS[:, :, ::-1]):
        other = np.ascontiguousarray(moved)
        assert np.allclose(predicted(other, tta=8), predicted(PIXELS, tta=8), atol=1e-6)
        assert not np.allclose(predicted(other, tta=1), predicted(PIXELS, tta=1), atol=1e-6)


def test_the_normalization_is_that_of_the_checkpoint() -> None:
    network = build(NETWORK, len(CLASSES), 64, seed=5).eval()
    checkpoint = Checkpoint(NETWORK, CLASSES, "crop", 256, 64, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7), 3, {})
    scaled = (PIXELS / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.6, 0.7]
    with torch.inference_mode():
        logits = network(torch.from_numpy(scaled).float().permute(0, 3, 1, 2))
    assert np.allclose(predict(network, PIXELS, checkpoint), torch.softmax(logits, dim=1), atol=1e-5)
