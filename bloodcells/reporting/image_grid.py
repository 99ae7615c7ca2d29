"""Pictures made of pictures: averages, samples, mistakes and attention, laid out in rows with captions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bloodcells.evaluation.metrics import worst_mistakes
from bloodcells.inference.predictions import Predictions
from bloodcells.reporting.style import ALARM, FAINT, GOOD, INK, PAPER, write_png

Pixels = NDArray[np.uint8]
"""One RGB image (height, width, 3)."""

WIDTH = 960
"""Width of a page in pixels. Its text stays readable when the page is shown at 800."""

_MARGIN, _GAP, _TITLE, _TEXT, _LINE = 24, 12, 24, 16, 21


@dataclass(frozen=True)
class Caption:
    """A line below a picture: a text at its left, one at its right, the color of both."""

    left: str
    right: str = ""
    color: str = INK


@dataclass(frozen=True)
class Card:
    """A picture and the lines below it."""

    picture: Pixels
    captions: Sequence[Caption]


@dataclass(frozen=True)
class Row:
    """Cards side by side, and what stands over them."""

    heading: str
    cards: Sequence[Card]


def gallery(path: Path, title: str, rows: Sequence[Row], columns: int) -> None:
    """Write rows of cards, each as wide as if it had so many columns."""
    write_png(path, _page(title, rows, columns))


def averages(path: Path, title: str, rows: Mapping[str, Mapping[str, Sequence[Pixels]]]) -> None:
    """Write the average image of each class.

    Args:
        path: where to write the PNG.
        title: what the images are of.
        rows: for each kind of image ("whole smear", say) the images of each class, all of a kind of one size.
    """
    page = [
        Row(
            kind,
            [
                Card(_mean(images), [Caption(name), Caption(f"mean of {_count(len(images), 'image')}", color=FAINT)])
                for name, images in by_class.items()
                if images
            ],
        )
        for kind, by_class in rows.items()
    ]
    write_png(path, _page(title, page))


def samples(path: Path, title: str, images: Mapping[str, Sequence[tuple[str, Pixels]]], columns: int = 6) -> None:
    """Write a row of samples of each class, taken evenly from first to last.

    Args:
        path: where to write the PNG.
        title: what the images are of.
        images: for each class its images and their names.
        columns: how many of each class.
    """
    page = []
    for name, named in images.items():
        if named:
            chosen = np.unique(np.linspace(0, len(named) - 1, columns).round().astype(int))
            cards = [Card(named[i][1], [Caption(short(named[i][0]), color=FAINT)]) for i in chosen]
            page.append(Row(f"{name}, {_count(len(named), 'image')}", cards))
    write_png(path, _page(title, page, columns))


def mistakes(
    path: Path, title: str, p: Predictions, crops: Mapping[str, Pixels], *, columns: int = 5, limit: int = 15
) -> None:
    """Write the worst mistakes: the cells whose true class was given the least probability, worst first.

    Args:
        path: where to write the PNG.
        title: whose mistakes they are.
        p: the predictions.
        crops: what the model saw of each image, by the image's name; those of other images don't matter.
        columns: cells in a row.
        limit: cells at most.
    """
    worst = worst_mistakes(p, limit)
    if not len(worst):
        return write_png(path, _no_mistakes(title, len(p.images)))
    cards = [Card(crops[p.images[row]], _mistake(p, row)) for row in worst]
    wrong = int((p.actual != p.predicted).sum())
    heading = (
        f"{wrong} of {_count(len(p.images), 'cell')} got the wrong class"
        f"{'' if wrong == len(worst) else f'; here are the worst {len(worst)}'}. "
        "The figures are the probabilities that the two classes were given."
    )
    page = [Row("" if start else heading, cards[start : start + columns]) for start in range(0, len(cards), columns)]
    return write_png(path, _page(title, page, columns))


def attention(
    path: Path,
    title: str,
    p: Predictions,
    pair: Callable[[str], tuple[Pixels, Pixels]],
    scale: Pixels,
    *,
    columns: int = 3,
    limit: int = 6,
) -> None:
    """Write where a model looked: cells of each class that it got right, taken evenly, then its worst mistakes.

    Args:
        path: where to write the PNG.
        title: whose attention it is.
        p: the predictions.
        pair: gives what the model saw of an image, by its name, and the same under its heat map.
        scale: the colours of heat from none to most, left to right.
        columns: pairs in a row, and cells of each class.
        limit: mistakes at most.
    """
    page = [
        Row(
            "Right of each cell: what spoke for the class that it was given (Grad-CAM). "
            "Ring: most of all. Frame: the annotated cell.",
            [Card(scale, [Caption("nothing", "most", FAINT)])],
        ),
    ]
    for number, name in enumerate(p.classes):
        right = np.flatnonzero((p.actual == number) & (p.predicted == number))
        if len(right):
            chosen = right[np.unique(np.linspace(0, len(right) - 1, columns).round().astype(int))]
            cards = [
                Card(
                    _side_by_side(*pair(p.images[row])),
                    [Caption(short(p.images[row]), percent(p.probabilities[row, number]), FAINT)],
                )
                for row in chosen
            ]
            page.append(Row(f"{name}: {_count(len(right), 'cell')} got the right class", cards))
    worst = worst_mistakes(p, limit)
    for start in range(0, len(worst), columns):
        cards = [Card(_side_by_side(*pair(p.images[row])), _mistake(p, row)) for row in worst[start : start + columns]]
        page.append(Row("" if start else "The worst mistakes, with the map of the class that they were called", cards))
    write_png(path, _page(title, page, columns))


def _mistake(p: Predictions, row: int) -> list[Caption]:
    """Say what a cell is and what it was called, with the probabilities that the two classes were given."""
    actual, predicted = p.actual[row], p.predicted[row]
    return [
        Caption(f"is {p.classes[actual]}", percent(p.probabilities[row, actual])),
        Caption(f"called {p.classes[predicted]}", percent(p.probabilities[row, predicted]), ALARM),
        Caption(short(p.images[row]), f"fold {p.folds[row]}", FAINT),
    ]


def _side_by_side(left: Pixels, right: Pixels) -> Pixels:
    between = np.full((left.shape[0], left.shape[1] // 40, 3), 255, dtype=np.uint8)
    return np.concatenate([left, between, right], axis=1)


def _mean(images: Sequence[Pixels]) -> Pixels:
    return np.asarray(np.mean(np.stack(images), axis=0, dtype=np.float32).round(), dtype=np.uint8)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def percent(chance: float) -> str:
    """Give a probability in percent; one that is neither 0 nor 1 is not rounded to them."""
    return f"{chance:.0%}" if 0.005 <= chance < 0.995 or chance in (0, 1) else f"{chance:.1%}"


def short(image: str) -> str:
    """Give the number of an image named as the published ones are, else its name."""
    return image.removeprefix("BloodImage_").removesuffix(".jpg") if image.startswith("BloodImage_") else image


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _page(title: str, rows: Sequence[Row], columns: int = 0) -> Image.Image:
    """Lay out rows of cards over the width of a page, each picture as wide as its column."""
    columns = max([columns, 1, *(len(row.cards) for row in rows)])
    wide = (WIDTH - 2 * _MARGIN - (columns - 1) * _GAP) // columns
    heights = [_row_height(row, wide) for row in rows]
    head = _MARGIN + round(_TITLE * 1.4)
    page = Image.new("RGB", (WIDTH, head + sum(heights) + _MARGIN - _GAP), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((_MARGIN, _MARGIN - 8), title, INK, _font(_TITLE))
    top = head
    for row, height in zip(rows, heights, strict=True):
        if row.heading:
            pen.text((_MARGIN, top), row.heading, INK, _font(_TEXT))
        for column, card in enumerate(row.cards):
            left, upper = _MARGIN + column * (wide + _GAP), top + _heading_height(row)
            tall = _picture_height(card, wide)
            picture = Image.fromarray(np.ascontiguousarray(card.picture))
            page.paste(picture.resize((wide, tall), Image.Resampling.BICUBIC), (left, upper))
            for number, caption in enumerate(card.captions):
                under = upper + tall + 3 + number * _LINE
                room = wide - _font(_TEXT).getlength(caption.right)
                pen.text((left, under), _fitted(caption.left, room), caption.color, _font(_TEXT))
                pen.text((left + room, under), caption.right, caption.color, _font(_TEXT))
        top += height
    return page


def _heading_height(row: Row) -> int:
    return _LINE + 5 if row.heading else 0


def _picture_height(card: Card, wide: int) -> int:
    height, width = (int(side) for side in card.picture.shape[:2])
    return round(wide * height / width)


def _row_height(row: Row, wide: int) -> int:
    cards = [_picture_height(card, wide) + _LINE * len(card.captions) for card in row.cards]
    return _heading_height(row) + max(cards, default=0) + 2 * _GAP


def _fitted(text: str, room: float) -> str:
    """Cut a text so that it keeps within its room, in pixels."""
    if _font(_TEXT).getlength(text) <= room:
        return text
    while text and _font(_TEXT).getlength(text + "...") > room:
        text = text[:-1]
    return text + "..."


def _no_mistakes(title: str, cells: int) -> Image.Image:
    """Draw a friendly face, so that nobody takes an empty page for a fault."""
    page = Image.new("RGB", (WIDTH, 300), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((_MARGIN, _MARGIN - 8), title, INK, _font(_TITLE))
    x, y = WIDTH // 2, 140
    pen.ellipse((x - 52, y - 52, x + 52, y + 52), outline=GOOD, width=5)
    pen.arc((x - 28, y - 24, x + 28, y + 30), 20, 160, fill=GOOD, width=5)
    for eye in (x - 18, x + 18):
        pen.ellipse((eye - 5, y - 19, eye + 5, y - 9), fill=GOOD)
    text = f"No mistakes: {_count(cells, 'cell')}, and no wrong class."
    pen.text((x, 235), text, INK, _font(_TITLE), anchor="mm")
    pen.text((x, 265), "Harder cells would tell more.", FAINT, _font(_TEXT), anchor="mm")
    return page
