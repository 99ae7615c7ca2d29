"""How pictures look: the colors of classes, and PNG files small enough to send."""

import io
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

from PIL import Image

from bloodcells.core.files import atomic_write

CLASS_COLORS = (
    "#D55E00", "#56B4E9", "#000000", "#CC79A7", "#0000CC", "#11EE00", "#225500", "#770066", "#9911FF", "#BBCC88",
    "#EE44FF", "#CC0099", "#114477", "#6677DD", "#00BB55", "#885544", "#FFAABB", "#778833", "#6633BB", "#00DDCC",
)  # fmt: skip
"""The colors of classes, in their order: four of the palette of Okabe and Ito (2008, "Color Universal Design"), then
those that differ most from all before them, to readers with any kind of color vision, and from the colors of models.
The chart templates in .dvc/plots use the same colors."""

INK, FAINT, PAPER, ALARM, GOOD = "#222222", "#767676", "#FFFFFF", "#B00020", "#009E73"
"""Text, secondary text, background, errors, success."""

MAX_BYTES = 500_000


def class_colors(classes: Iterable[str]) -> dict[str, str]:
    """Return the color of each class, given all classes in their order."""
    return dict(zip(classes, cycle(CLASS_COLORS), strict=False))


def write_png(path: Path, picture: Image.Image, limit: int = MAX_BYTES) -> None:
    """Write an RGB picture as PNG of at most `limit` bytes: with fewer colors, and if necessary smaller."""
    content = _png(picture)
    while len(content) > limit:
        content = _png(picture.quantize(256))
        picture = picture.resize((picture.width * 7 // 8, picture.height * 7 // 8), Image.Resampling.BOX)
    with atomic_write(path) as part:
        part.write_bytes(content)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
