import torch
from torch.nn import functional as F

from bloodcells.training.augmentation import Augmentation, _grid, augment

STRONG = Augmentation(rotate=180, zoom=0.25, shift=0.12, color=0.2)
STILL = Augmentation(rotate=0, zoom=0, shift=0, color=0)


def batch(count: int = 6, side: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_strength_leaves_each_image_or_its_mirror_image() -> None:
    pixels = batch(40)
    images = pixels.permute(0, 3, 1, 2).float()
    result = augment(pixels, STILL, seeded(0))
    same = (result - images).abs().amax((1, 2, 3)) < 0.1
    mirrored = (result - images.flip(3)).abs().amax((1, 2, 3)) < 0.1
    assert bool((same | mirrored).all())
    assert 5 < int(mirrored.sum()) < 35


def test_the_generator_alone_decides() -> None:
    torch.manual_seed(1)
    first = augment(batch(), STRONG, seeded(5))
    torch.manual_seed(2)
    assert torch.equal(first, augment(batch(), STRONG, seeded(5)))
    assert not torch.equal(first, augment(batch(), STRONG, seeded(6)))


def test_each_image_changes_by_its_own_amounts() -> None:
    one = batch(1).expand(5, -1, -1, -1)
    result = augment(one, STRONG, seeded(0))
    assert len({round(float(image.mean()), 3) for image in result}) == 5


def test_colours_keep_within_their_limits() -> None:
    grey = torch.full((200, 8, 8, 3), 100, dtype=torch.uint8)
    means = augment(grey, Augmentation(0, 0, 0, 0.15), seeded(0)).mean((2, 3))
    assert 100 * 0.85 * 0.95 <= float(means.min()) < 95
    assert 105 < float(means.max()) <= 100 * 1.15 * 1.05


def test_a_turn_moves_a_mark_and_keeps_the_centre() -> None:
    pixels = torch.zeros((50, 33, 33, 3), dtype=torch.uint8)
    pixels[:, 14:19, 14:19] = 200
    pixels[:, 2:7, 14:19] = 100
    turned = augment(pixels, Augmentation(180, 0, 0, 0), seeded(0))
    assert float(turned[:, :, 16, 16].min()) > 190
    at_left = turned[:, 0, 14:19, 2:7].mean((1, 2))
    assert float(at_left.max()) > 60
    assert float(at_left.min()) < 5


def test_the_grid_is_that_of_torch() -> None:
    rows = torch.rand(5, 2, 3, generator=seeded(0)) * 2 - 1
    expected = F.affine_grid(rows, [5, 3, 20, 31], align_corners=False)
    assert torch.allclose(_grid(rows, 20, 31), expected, atol=1e-6)
