from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bloodcells.inference.predictions import predictions
from bloodcells.reporting import image_grid as galleries
from bloodcells.reporting.style import MAX_BYTES

RED, GREEN, BLUE = (250, 10, 10), (10, 250, 10), (10, 10, 250)


def plain(color: tuple[int, int, int], width: int = 40, height: int = 40) -> NDArray[np.uint8]:
    return np.full((height, width, 3), color, dtype=np.uint8)


def page(path: Path) -> NDArray[np.uint8]:
    assert path.stat().st_size < MAX_BYTES
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def area(pixels: NDArray[np.uint8], color: tuple[int, int, int]) -> int:
    return int((pixels == color).all(axis=-1).sum())


def first_row(pixels: NDArray[np.uint8], color: tuple[int, int, int]) -> int:
    return int(np.flatnonzero((pixels == color).all(axis=-1).any(axis=1))[0])


def first_column(pixels: NDArray[np.uint8], color: tuple[int, int, int]) -> int:
    return int(np.flatnonzero((pixels == color).all(axis=-1).any(axis=0))[0])


def test_averages_are_means_of_the_images_in_a_row_per_kind(tmp_path: Path) -> None:
    dark, bright = plain((20, 40, 60)), plain((40, 80, 100))
    galleries.averages(
        tmp_path / "a.png",
        "Averages",
        {"smear": {"eosinophil": [dark, bright], "monocyte": [plain(RED)]}, "cell": {"eosinophil": [plain(BLUE)]}},
    )
    pixels = page(tmp_path / "a.png")
    assert pixels.shape[1] == galleries.WIDTH
    assert area(pixels, (30, 60, 80)) > 150 * 150  # the mean of the two, large enough to be looked at
    assert area(pixels, (20, 40, 60)) == 0
    assert first_column(pixels, (30, 60, 80)) < first_column(pixels, RED)
    assert first_row(pixels, RED) < first_row(pixels, BLUE)


def test_samples_are_taken_from_first_to_last_and_a_class_without_images_is_left_out(tmp_path: Path) -> None:
    many = [(f"{i}.jpg", plain((0, i, 0))) for i in range(101)]
    galleries.samples(tmp_path / "s.png", "Samples", {"eosinophil": many, "monocyte": [], "x": [("a.jpg", plain(RED))]})
    pixels = page(tmp_path / "s.png")
    shown = [i for i in range(101) if area(pixels, (0, i, 0)) > 100 * 100]
    assert shown == [0, 20, 40, 60, 80, 100]
    assert area(pixels, RED) > 100 * 100


def test_mistakes_show_wrong_cells_alone_the_worst_first(tmp_path: Path) -> None:
    p = predictions(
        ["mild.jpg", "bad.jpg", "right.jpg"],
        [0, 1, 2],
        [0, 0, 0],
        [[0.4, 0.6, 0, 0], [0.01, 0, 0, 0.99], [0.9, 0.1, 0, 0]],
    )
    crops = {"mild.jpg": plain(GREEN), "bad.jpg": plain(RED), "right.jpg": plain(BLUE), "other.jpg": plain(BLUE)}
    galleries.mistakes(tmp_path / "m.png", "Mistakes", p, crops)
    pixels = page(tmp_path / "m.png")
    assert area(pixels, RED) > 150 * 150
    assert first_column(pixels, RED) < first_column(pixels, GREEN)
    assert area(pixels, BLUE) == 0


def test_no_more_mistakes_than_the_limit(tmp_path: Path) -> None:
    p = predictions(["a.jpg", "b.jpg"], [0, 0], [0, 0], [[0.4, 0.6, 0, 0], [0.3, 0.7, 0, 0]])
    galleries.mistakes(tmp_path / "m.png", "Mistakes", p, {"b.jpg": plain(RED)}, limit=1)
    assert area(page(tmp_path / "m.png"), RED) > 0


def test_no_mistake_gives_a_picture_that_says_so(tmp_path: Path) -> None:
    p = predictions(["a.jpg"], [0], [0], [[1.0, 0.0, 0.0, 0.0]])
    galleries.mistakes(tmp_path / "m.png", "Mistakes", p, {})
    pixels = page(tmp_path / "m.png")
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


def test_attention_shows_each_class_s_right_cells_beside_their_maps_and_then_the_mistakes(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(8)]
    actual = [0, 0, 0, 0, 0, 2, 2, 2]
    said = [0, 0, 0, 0, 0, 2, 3, 3]
    p = predictions(names, [0] * 8, actual, [[0.9 if c == s else 0.1 / 3 for c in range(4)] for s in said])
    asked = []

    def pair(image: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        asked.append(image)
        number = names.index(image)
        return plain((0, 100 + number, 0)), plain((0, 0, 100 + number))

    galleries.attention(tmp_path / "a.png", "Attention", p, pair, plain(RED, 40, 4), columns=3, limit=1)
    assert asked == ["0.jpg", "2.jpg", "4.jpg", "5.jpg", "6.jpg"]
    pixels = page(tmp_path / "a.png")
    rows = [first_row(pixels, (0, 100 + number, 0)) for number in (0, 2, 4, 5, 6)]
    assert rows[0] == rows[1] == rows[2] < rows[3] < rows[4]
    assert first_row(pixels, RED) < rows[0]
    for number in (0, 2, 4, 5, 6):
        cell, heat = (0, 100 + number, 0), (0, 0, 100 + number)
        assert first_row(pixels, heat) == first_row(pixels, cell)
        assert first_column(pixels, cell) < first_column(pixels, heat)
        assert area(pixels, heat) > 120 * 120


def test_pages_of_photographs_stay_small(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    photo = [("a.jpg", random.integers(0, 256, (160, 160, 3), dtype=np.uint8)) for _ in range(6)]
    galleries.samples(tmp_path / "s.png", "Samples", {f"class {i}": photo for i in range(5)})
    assert (tmp_path / "s.png").stat().st_size < MAX_BYTES


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    p = predictions(["a.jpg"], [0], [0], [[0.0, 1.0, 0.0, 0.0]])
    with pytest.raises(KeyError):
        galleries.mistakes(tmp_path / "m.png", "Mistakes", p, {})
    assert list(tmp_path.iterdir()) == []


def test_rows_of_a_gallery_stand_below_each_other_in_columns_of_one_width(tmp_path: Path) -> None:
    rows = [
        galleries.Row("first", [galleries.Card(plain(RED), [galleries.Caption("left", "right")])]),
        galleries.Row("", [galleries.Card(plain(BLUE), []), galleries.Card(plain(GREEN), [])]),
    ]
    galleries.gallery(tmp_path / "g.png", "Title", rows, 4)
    pixels = page(tmp_path / "g.png")
    assert first_row(pixels, RED) < first_row(pixels, BLUE) == first_row(pixels, GREEN)
    assert first_column(pixels, RED) == first_column(pixels, BLUE) < first_column(pixels, GREEN)
    assert area(pixels, RED) == pytest.approx(area(pixels, BLUE), rel=0.02)
    assert area(pixels, RED) < (galleries.WIDTH / 4) ** 2


def test_a_probability_is_not_rounded_to_certainty() -> None:
    assert [galleries.percent(chance) for chance in (0, 0.001, 0.5, 0.999, 1)] == ["0%", "0.1%", "50%", "99.9%", "100%"]
