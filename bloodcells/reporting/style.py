"""How the project's pictures look: the fixed colours of models and classes, and a PNG small enough to send."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from bloodcells.core.files import atomic_write

# All colours are of the palette of Okabe and Ito (2008, "Color Universal Design"), which readers with any
# kind of color vision can tell apart. Models and classes share none.
MODEL_COLORS = {"resnet": "#0072B2", "efficientnet": "#E69F00", "alexnet": "#009E73"}
"""The color of each model of the project. The plot templates in `.dvc/plots` hold the same."""

CLASS_COLORS = {
    "eosinophil": "#D55E00",
    "lymphocyte": "#56B4E9",
    "monocyte": "#000000",
    "neutrophil": "#CC79A7",
    "basophil": "#999999",
}
"""The color of each class. The plot templates in `.dvc/plots` hold the same."""

INK, FAINT, PAPER, ALARM, GOOD = "#222222", "#767676", "#FFFFFF", "#B00020", "#009E73"
"""Text, lesser text, background, what is wrong, what is well."""

MAX_BYTES = 500_000

_SPARE = ("#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")


def model_color(name: str, models: Sequence[str]) -> str:
    """Give a model's color: its own, or for one that you added a spare one by its place among those added."""
    if name in MODEL_COLORS:
        return MODEL_COLORS[name]
    added = [other for other in models if other not in MODEL_COLORS]
    return _SPARE[added.index(name) % len(_SPARE)]


def write_png(path: Path, picture: Image.Image, limit: int = MAX_BYTES) -> None:
    """Write an RGB picture as PNG of at most `limit` bytes: with fewer colours, and if need be smaller."""
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
