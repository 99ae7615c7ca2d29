"""Grids of images with captions."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bloodcells.visualization import image_grid
from bloodcells.visualization.image_grid import Caption, Card, Mistake, Row
from bloodcells.visualization.style import INK, MAX_BYTES

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


def mistake(image: str, color: tuple[int, int, int]) -> Mistake:
    return Mistake(image, 0, "eosinophil", 0.01, "neutrophil", 0.99, plain(color))


def ink(text: str) -> NDArray[np.bool_]:
    """Which columns of a line of text have ink."""
    canvas = Image.new("RGB", (400, 40), "white")
    image_grid.draw_text(ImageDraw.Draw(canvas), (10, 5), text, INK)
    return np.asarray((np.asarray(canvas) < 128).any(axis=(0, 2)))


def test_cards_are_below_each_other_in_columns_of_one_width(tmp_path: Path) -> None:
    rows = [
        Row("first", [Card(plain(RED), [Caption("left", "right")])]),
        Row("", [Card(plain(BLUE), []), Card(plain(GREEN), [])]),
    ]
    image_grid.image_grid(tmp_path / "g.png", "Title", rows, 4)
    pixels = page(tmp_path / "g.png")
    assert pixels.shape[1] == image_grid.WIDTH
    assert first_row(pixels, RED) < first_row(pixels, BLUE) == first_row(pixels, GREEN)
    assert first_column(pixels, RED) == first_column(pixels, BLUE) < first_column(pixels, GREEN)
    assert area(pixels, RED) == pytest.approx(area(pixels, BLUE), rel=0.02)
    assert area(pixels, RED) < (image_grid.WIDTH / 4) ** 2


def test_the_worst_mistakes_are_shown_in_their_order(tmp_path: Path) -> None:
    worst = [mistake("bad.jpg", RED), mistake("mild.jpg", GREEN), mistake("third.jpg", BLUE)]
    image_grid.mistakes(tmp_path / "m.png", "Mistakes", worst, 5, 60, columns=2)
    pixels = page(tmp_path / "m.png")
    assert area(pixels, RED) > 150 * 150
    assert first_column(pixels, RED) < first_column(pixels, GREEN)
    assert first_row(pixels, RED) == first_row(pixels, GREEN) < first_row(pixels, BLUE)


def test_without_mistakes_the_page_is_not_empty(tmp_path: Path) -> None:
    image_grid.mistakes(tmp_path / "m.png", "Mistakes", [], 0, 60)
    colors, counts = np.unique(page(tmp_path / "m.png").reshape(-1, 3), axis=0, return_counts=True)
    assert len(colors) > 10
    assert counts.min() < counts.max()


def test_pages_of_photographs_stay_small(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    photo = Card(random.integers(0, 256, (160, 160, 3), dtype=np.uint8), [Caption("a.jpg")])
    image_grid.image_grid(tmp_path / "s.png", "Samples", [Row(f"class {i}", [photo] * 6) for i in range(5)])
    assert (tmp_path / "s.png").stat().st_size < MAX_BYTES


@pytest.mark.parametrize("text", ["46 cells", "of 200 cells", "1 A"])
def test_a_space_after_a_digit_is_a_gap(text: str) -> None:
    words = text.split(" ")
    columns = np.flatnonzero(ink(text))
    widest = sorted(np.diff(columns))[-(len(words) - 1) :]
    letters = max(np.diff(np.flatnonzero(ink(word))).max(initial=1) for word in words)
    assert min(widest) > max(letters, 4)


def test_a_caption_with_spaces_is_broken_into_lines_of_the_width_of_its_card(tmp_path: Path) -> None:
    heights = {}
    for name in ("blast", "neutrophil segmented", "erythroblast (nucleated red blood cell, late)"):
        card = Card(plain(RED), [Caption(f"predicted: {name}", "99%"), Caption("next")])
        image_grid.image_grid(tmp_path / "g.png", "", [Row("", [card])], columns=4)
        pixels = page(tmp_path / "g.png")
        right_of_card = np.flatnonzero((pixels == RED).all(axis=-1).any(axis=0)).max() + 2
        assert (pixels[:, right_of_card:] == 255).all()
        heights[name] = len(pixels)
    one, two, three = heights.values()
    assert two - one == three - two > 0


def test_a_long_page_may_be_larger_so_that_its_text_stays_readable(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    photo = Card(random.integers(0, 256, (160, 160, 3), dtype=np.uint8), [Caption("a.jpg")])
    image_grid.image_grid(tmp_path / "s.png", "Samples", [Row(f"class {i}", [photo] * 6) for i in range(20)])
    with Image.open(tmp_path / "s.png") as image:
        assert image.width > image_grid.WIDTH * 0.7
    assert (tmp_path / "s.png").stat().st_size < 5 * MAX_BYTES


def test_a_long_caption_is_shortened_and_does_not_run_into_the_next_card(tmp_path: Path) -> None:
    card = Card(plain(RED), [Caption("a name that is far too long for the width of this card " * 3)])
    image_grid.image_grid(tmp_path / "g.png", "", [Row("", [card])], columns=4)
    pixels = page(tmp_path / "g.png")
    right_of_card = np.flatnonzero((pixels == RED).all(axis=-1).any(axis=0)).max() + 2
    assert (pixels[:, right_of_card:] == 255).all()


def test_a_probability_is_not_rounded_to_certainty() -> None:
    shown = [image_grid.percent(probability) for probability in (0, 0.001, 0.5, 0.999, 1)]
    assert shown == ["0%", "0.1%", "50%", "99.9%", "100%"]
