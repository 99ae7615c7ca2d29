"""Grids of images with captions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bloodcells.visualization.style import ALARM, FAINT, GOOD, INK, MAX_BYTES, PAPER, write_png

Pixels = NDArray[np.uint8]
"""One RGB image (height, width, 3)."""

WIDTH = 960
"""Width of a page in pixels; its text stays readable when the page is shown at 800."""

TEXT, TITLE = 16, 24
"""Font sizes in pixels."""

_MARGIN, _GAP, _LINE, _SPACE = 24, 12, 21, 5
_MAX_LINES = 3  # of a caption


@dataclass(frozen=True)
class Caption:
    """A text below a picture, in up to three lines, the text on the right of the first, and the color of both."""

    left: str
    right: str = ""
    color: str = INK


@dataclass(frozen=True)
class Card:
    """A picture and the captions below it."""

    picture: Pixels
    captions: Sequence[Caption]


@dataclass(frozen=True)
class Row:
    """Cards side by side, and a heading above them."""

    heading: str
    cards: Sequence[Card]


@dataclass(frozen=True)
class Mistake:
    """A misclassified cell: both classes, with the probability that each of them got."""

    image: str
    fold: int
    actual: str
    of_actual: float
    predicted: str
    of_predicted: float
    pixels: Pixels


def image_grid(path: Path, title: str, rows: Sequence[Row], columns: int = 0) -> None:
    """Write rows of cards over the width of a page, each card as wide as if its row had that many columns."""
    columns = max([columns, 1, *(len(row.cards) for row in rows)])
    wide = (WIDTH - 2 * _MARGIN - (columns - 1) * _GAP) // columns
    heights = [_row_height(row, wide) for row in rows]
    head = _MARGIN + round(TITLE * 1.4)
    page = Image.new("RGB", (WIDTH, head + sum(heights) + _MARGIN - _GAP), PAPER)
    pen = ImageDraw.Draw(page)
    draw_text(pen, (_MARGIN, _MARGIN - 8), title, INK, TITLE)
    top = head
    for row, height in zip(rows, heights, strict=True):
        draw_text(pen, (_MARGIN, top), row.heading, INK)
        for column, card in enumerate(row.cards):
            left, upper = _MARGIN + column * (wide + _GAP), top + _heading_height(row)
            tall = _picture_height(card, wide)
            picture = Image.fromarray(np.ascontiguousarray(card.picture))
            page.paste(picture.resize((wide, tall), Image.Resampling.BICUBIC), (left, upper))
            for number, line in enumerate(_lines(card, wide)):
                y = upper + tall + 3 + number * _LINE
                draw_text(pen, (left, y), line.left, line.color)
                draw_text(pen, (left + wide - text_width(line.right), y), line.right, line.color)
        top += height
    write_png(path, page, MAX_BYTES * max(1, page.height // WIDTH))


def mistakes(path: Path, title: str, worst: Sequence[Mistake], n_wrong: int, n_cells: int, columns: int = 4) -> None:
    """Write the worst mistakes.

    Args:
        path: where to write the PNG.
        title: whose mistakes they are.
        worst: the cells to show, worst first.
        n_wrong: misclassified cells in total.
        n_cells: tested cells.
        columns: cells in a row.
    """
    if not worst:
        write_png(path, _no_mistakes(title, n_cells))
        return
    cards = [
        Card(
            one.pixels,
            mistake_captions(one.image, one.fold, one.actual, one.of_actual, one.predicted, one.of_predicted),
        )
        for one in worst
    ]
    first = "" if n_wrong == len(worst) else f" The worst {len(worst)} are shown."
    total = count(n_cells, "cell")
    heading = f"{n_wrong} of {total} misclassified.{first} Percentages: probabilities of the two classes."
    rows = [Row("" if start else heading, cards[start : start + columns]) for start in range(0, len(cards), columns)]
    image_grid(path, title, rows, columns)


def mistake_captions(
    image: str, fold: int, actual: str, of_actual: float, predicted: str, of_predicted: float
) -> list[Caption]:
    """Return the lines below a misclassified cell."""
    return [
        Caption(f"actual: {actual}", percent(of_actual)),
        Caption(f"predicted: {predicted}", percent(of_predicted), ALARM),
        Caption(short_name(image), f"fold {fold}", FAINT),
    ]


def count(number: int, what: str) -> str:
    """Return a number of things: 1 cell, 2 cells."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def percent(probability: float) -> str:
    """Return a probability in percent; one that is neither 0 nor 1 is not rounded to them."""
    return f"{probability:.0%}" if 0.005 <= probability < 0.995 or probability in (0, 1) else f"{probability:.1%}"


def short_name(image: str) -> str:
    """Return the number of an image that is named like the published ones, or its name."""
    return image.removeprefix("BloodImage_").removesuffix(".jpg") if image.startswith("BloodImage_") else image


def text_width(text: str, size: int = TEXT) -> float:
    """Return the width in pixels of what `draw_text` draws."""
    words = text.split(" ")
    return sum(_font(size).getlength(word) for word in words) + _space(size) * (len(words) - 1)


def draw_text(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, color: str, size: int = TEXT) -> None:
    """Draw one line, word by word: at this size, the font's own kerning swallows the space after a digit."""
    x, y = at
    for word in text.split(" "):
        pen.text((x, y), word, color, _font(size))
        x += _font(size).getlength(word) + _space(size)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _space(size: int) -> float:
    return size * _SPACE / TEXT


def _heading_height(row: Row) -> int:
    return _LINE + 5 if row.heading else 0


def _picture_height(card: Card, wide: int) -> int:
    height, width = (int(side) for side in card.picture.shape[:2])
    return round(wide * height / width)


def _row_height(row: Row, wide: int) -> int:
    cards = [_picture_height(card, wide) + _LINE * len(_lines(card, wide)) for card in row.cards]
    return _heading_height(row) + max(cards, default=0) + 2 * _GAP


def _lines(card: Card, wide: int) -> list[Caption]:
    """Break the captions of a card into lines of at most its width, each with the text on its left and its right."""
    lines = []
    for caption in card.captions:
        texts, right = [""], caption.right
        room = wide - (text_width(right) + _GAP / 2 if right else 0)
        for word in caption.left.split(" "):
            longer = f"{texts[-1]} {word}" if texts[-1] else word
            if texts[-1] and len(texts) < _MAX_LINES and text_width(longer) > (wide if len(texts) > 1 else room):
                texts.append(word)
            else:
                texts[-1] = longer
        lines += [Caption(fit(texts[0], room), right, caption.color)]
        lines += [Caption(fit(text, wide), color=caption.color) for text in texts[1:]]
    return lines


def fit(text: str, room: float) -> str:
    """Shorten a text so that it fits into its room, in pixels."""
    if text_width(text) <= room:
        return text
    while text and text_width(text + "…") > room:
        text = text[:-1]
    return text + "…"


def _no_mistakes(title: str, cells: int) -> Image.Image:
    """Draw a friendly face, so that nobody takes an empty page for a bug."""
    page = Image.new("RGB", (WIDTH, 300), PAPER)
    pen = ImageDraw.Draw(page)
    draw_text(pen, (_MARGIN, _MARGIN - 8), title, INK, TITLE)
    x, y = WIDTH // 2, 140
    pen.ellipse((x - 52, y - 52, x + 52, y + 52), outline=GOOD, width=5)
    pen.arc((x - 28, y - 24, x + 28, y + 30), 20, 160, fill=GOOD, width=5)
    for eye in (x - 18, x + 18):
        pen.ellipse((eye - 5, y - 19, eye + 5, y - 9), fill=GOOD)
    for line, size, at in (
        (f"No mistakes in {count(cells, 'cell')}.", TITLE, 222),
        ("Harder cells would tell more.", TEXT, 257),
    ):
        draw_text(pen, (x - text_width(line, size) / 2, at), line, INK if size == TITLE else FAINT, size)
    return page
