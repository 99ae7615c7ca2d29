from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import VisionTransformer

from bloodcells.evaluation.grad_cam import NoMapsError, grad_cam
from bloodcells.models.architectures import build

SIZE = 96
CLASSES = [0, 1, 2, 3]


def images(count: int = 4, seed: int = 0) -> Tensor:
    return torch.randn((count, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(seed))


def network(architecture: str) -> nn.Module:
    return build(architecture, len(CLASSES), SIZE, seed=1).eval()


def as_grad_cam(heat: Tensor) -> np.ndarray:
    """Clip maps (n, rows, columns) at 0, resize them, and scale them to a maximum of 1."""
    large = F.interpolate(heat.relu()[:, None], (SIZE, SIZE), mode="bilinear")[:, 0].numpy()
    peak = large.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(large, peak, out=np.zeros_like(large), where=peak > 0))


# The published definition of class activation maps needs the last maps, and the linear layer after their mean. These
# are their places in each network, as torchvision's source shows.
ENDS: dict[str, Callable[[Any, Tensor], tuple[Tensor, nn.Linear]]] = {
    "resnet18": lambda n, x: (nn.Sequential(*list(n.children())[:-2])(x), n.fc),
    "efficientnet_b0": lambda n, x: (n.features(x), n.classifier[1]),
    "densenet121": lambda n, x: (n.features(x).relu(), n.classifier),
    "swin_t": lambda n, x: (n.norm(n.features(x)).permute(0, 3, 1, 2), n.head),
}


@pytest.mark.parametrize("architecture", ENDS)
def test_with_a_mean_and_one_linear_layer_at_the_end_the_map_is_the_class_activation_map(architecture: str) -> None:
    model, batch = network(architecture), images()
    with torch.no_grad():
        maps, linear = ENDS[architecture](model, batch)
        weights = linear.weight[CLASSES]
        expected = as_grad_cam(torch.einsum("nk,nkij->nij", weights, maps))
    assert expected.any(axis=(1, 2)).sum() >= 2  # the maps compared are not empty
    heat = grad_cam(model, batch, CLASSES)
    assert heat.shape == (4, SIZE, SIZE)
    assert heat.dtype == np.float32
    assert np.allclose(heat, expected, atol=1e-4)


def test_with_more_layers_at_the_end_maps_before_the_last_pooling_are_weighted_by_mean_gradients() -> None:
    model, batch = network("alexnet"), images()
    features = model.get_submodule("features")
    assert isinstance(features, nn.Sequential)
    with torch.no_grad():
        maps = features[:12](batch)
    maps.requires_grad_()
    logits = model.get_submodule("classifier")(model.get_submodule("avgpool")(features[12](maps)).flatten(1))
    (gradient,) = torch.autograd.grad(logits[range(4), CLASSES].sum(), maps)
    expected = as_grad_cam((gradient.mean((2, 3), keepdim=True) * maps).sum(1).detach())
    assert expected.any()
    assert np.allclose(grad_cam(model, batch, CLASSES), expected, atol=1e-4)


@pytest.mark.parametrize("architecture", ["mobilenet_v3_small", "convnext_tiny", "squeezenet1_1", "googlenet"])
def test_other_networks_give_maps_from_0_to_1_that_vary_over_the_image(architecture: str) -> None:
    heat = grad_cam(network(architecture), images(), CLASSES)
    assert heat.shape == (4, SIZE, SIZE)
    assert heat.min() >= 0
    peaks = heat.max(axis=(1, 2))
    assert set(peaks.tolist()) <= {0.0, 1.0}
    assert (heat[peaks > 0].std(axis=(1, 2)) > 0.05).any()


def test_a_vision_transformer_is_refused_by_name() -> None:
    with pytest.raises(NoMapsError, match="VisionTransformer: use a convolutional network"):
        grad_cam(VisionTransformer(SIZE, 16, 1, 2, 16, 16, num_classes=4).eval(), images(), CLASSES)


class Colors(nn.Module):
    """Logit c is the mean of channel c at a quarter of the size, after an in-place ReLU; logit 3 is minus their sum."""

    def __init__(self) -> None:
        super().__init__()
        self.shrink = nn.Conv2d(3, 3, 4, stride=4, bias=False)
        self.activate = nn.ReLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.last = nn.Linear(3, 4, bias=False)
        with torch.no_grad():
            self.shrink.weight.copy_(torch.eye(3)[:, :, None, None].expand(3, 3, 4, 4) / 16)
            self.last.weight.copy_(torch.cat([torch.eye(3), -torch.ones(1, 3)]))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.pool(self.activate(self.shrink(images))).flatten(1))
        return logits


def test_each_map_is_large_where_its_image_shows_its_class() -> None:
    scene = torch.zeros(2, 3, 32, 48)
    scene[0, 0, 4:8, 40:44] = 1  # red: row 6, column 42
    scene[0, 2, 20:24, 8:12] = 1  # blue
    scene[1, 2, 24:28, 0:4] = 1
    heat = grad_cam(Colors().eval(), scene, [0, 2])
    assert heat.shape == (2, 32, 48)
    places = [np.argwhere(one > 0.5).mean(axis=0).tolist() for one in heat]
    assert places[0] == pytest.approx([5.5, 41.5])
    assert places[1] == pytest.approx([25.5, 1.5], abs=1)  # at the edge the resized map is flat
    (blue,) = grad_cam(Colors().eval(), scene[:1], [2])
    assert np.argwhere(blue > 0.5).mean(axis=0).tolist() == pytest.approx([21.5, 9.5])


def test_if_nothing_contributes_to_the_class_the_map_is_0_and_not_nan() -> None:
    assert not grad_cam(Colors().eval(), torch.ones(1, 3, 32, 32), [3]).any()


def test_the_batch_size_changes_nothing() -> None:
    model, batch = network("resnet18"), images(5)
    classes = [3, 1, 0, 2, 1]
    assert np.allclose(grad_cam(model, batch, classes, batch=2), grad_cam(model, batch, classes), atol=1e-5)


def test_the_network_is_not_changed() -> None:
    model, batch = network("resnet18"), images(2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        logits = model(batch)
        grad_cam(model, batch, [0, 1])  # gradients are enabled within
        assert not torch.is_grad_enabled()
        again = model(batch)
    assert not again.requires_grad
    assert torch.equal(again, logits)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(value.grad is None for value in model.parameters())
