import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from bloodcells.imaging.near_duplicates import (
    CROP,
    OVERLAP,
    SAME_PLACE,
    SMEAR,
    near_duplicate_groups,
    similarity,
    thumbnail,
)

HEIGHT, WIDTH = 60, 80


def textures(count: int) -> NDArray[np.float32]:
    """Return images of unrelated blobs, twice as wide and as high as a frame."""
    noise = np.random.default_rng(0).normal(0, 1, (count, 2 * HEIGHT, 2 * WIDTH))
    return np.asarray(gaussian_filter(noise, (0, 1.5, 1.5)) * 200 + 128, dtype=np.float32)


def frame(texture: NDArray[np.float32], left: int = 40, top: int = 30) -> NDArray[np.float32]:
    return np.asarray(texture[top : top + HEIGHT, left : left + WIDTH], dtype=np.float32)


def test_images_of_the_same_part_of_a_smear_are_one_group() -> None:
    one, two, three = textures(3)
    tilt = np.linspace(0, 60, WIDTH, dtype=np.float32)
    noise = np.random.default_rng(1).normal(0, 10, (HEIGHT, WIDTH)).astype(np.float32)
    images = [
        frame(one),
        frame(two),
        frame(three),
        frame(one) * 0.7 + 20 + tilt,  # other exposure and illumination
        frame(two) + noise,
        frame(three, left=60, top=20),  # shifted by a quarter of the width and a sixth of the height
    ]
    assert near_duplicate_groups(np.stack(images), 0.75).tolist() == [0, 1, 2, 0, 1, 2]


def test_a_chain_of_near_duplicates_is_one_group() -> None:
    smear = textures(1)[0]
    images = np.stack([frame(smear, left) for left in (0, 40, 79)])
    alike = similarity(images)
    assert min(alike[0, 1], alike[1, 2]) > 0.75 > alike[0, 2]
    assert len(set(near_duplicate_groups(images, 0.75).tolist())) == 1


def test_uniform_images_are_not_near_duplicates() -> None:
    images = np.stack([np.full((HEIGHT, WIDTH), value, np.float32) for value in (0, 128, 128)])
    assert len(set(near_duplicate_groups(images, 0.75).tolist())) == 3


def test_crops_of_neighboring_cells_are_not_near_duplicates() -> None:
    """Two cells half a crop apart: their crops overlap by half, so they show the same smear but not the same cell."""
    smear = textures(1)[0]
    crops = np.stack([smear[30:70, left : left + 40] for left in (20, 24, 40)])
    anywhere, in_place = similarity(crops, OVERLAP), similarity(crops, SAME_PLACE)
    assert min(anywhere[0, 1], anywhere[0, 2]) > 0.75
    assert in_place[0, 1] > 0.75 > in_place[0, 2]


def test_a_thumbnail_has_mean_gray_values() -> None:
    image = Image.new("RGB", (160, 120), "white")
    image.paste((100, 100, 100), (0, 0, 2, 2))
    small = thumbnail(image, SMEAR)
    assert small.shape == (60, 80)
    assert small[0, 0] == 100
    assert small[1:].min() == small[0, 1:].min() == 255
    assert thumbnail(image, CROP).shape == (40, 40)
