"""How pictures look: the colors of models and classes, and PNG files small enough to send."""

import io
from pathlib import Path

from PIL import Image

from bloodcells.core.files import atomic_write

# The palette of Okabe and Ito (2008, "Color Universal Design"), for readers with any kind of color vision. Models and
# classes share no color. The chart templates in .dvc/plots use the same colors.
MODEL_COLORS = {"resnet": "#0072B2", "efficientnet": "#E69F00", "alexnet": "#009E73"}

CLASS_COLORS = {
    "eosinophil": "#D55E00",
    "lymphocyte": "#56B4E9",
    "monocyte": "#000000",
    "neutrophil": "#CC79A7",
    "basophil": "#999999",
}

INK, FAINT, PAPER, ALARM, GOOD = "#222222", "#767676", "#FFFFFF", "#B00020", "#009E73"
"""Text, secondary text, background, errors, success."""

MAX_BYTES = 500_000


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
