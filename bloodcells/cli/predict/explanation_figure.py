"""The pictures that explain answers: the smear, what the network was shown of it, and what spoke for the class."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import nn

from bloodcells.cli.predict.images import Source
from bloodcells.cli.predict.model import NOTICE, Model
from bloodcells.cli.predict.predictions import ABSTAINS, Answer
from bloodcells.cli.predict.preprocessing import Seen
from bloodcells.core.geometry import Box
from bloodcells.evaluation.grad_cam import grad_cam
from bloodcells.models.normalization import normalize
from bloodcells.reporting.heatmaps import overlay
from bloodcells.reporting.style import ALARM, CLASS_COLORS, FAINT, INK, PAPER, write_png

PANEL = 300
"""Side of each of the three panels, in pixels."""

_MARGIN, _GAP, _LINE = 24, 12, 23
_WIDTH = 2 * _MARGIN + 3 * PANEL + 2 * _GAP
_LETTERS = 112  # in a line of that width
_NAMES, _FIGURES = 120, 60  # widths of the columns at both sides of the bars


class Explainer:
    """Writes a picture of each answer for which a cell was seen."""

    side = PANEL
    """How wide or high the smears must be that are kept with the answers, in pixels."""

    def __init__(self, folder: Path, model: Model, network: nn.Module) -> None:
        self._folder = folder
        self._model = model
        self._network = network
        self._device = next(network.parameters()).device

    def explain(self, answered: Sequence[tuple[Source, Answer]]) -> None:
        """Write the pictures of some answers.

        Raises:
            InputError: the network has no maps of features that could be weighed.
        """
        shown = [(source, one, one.seen, one.seen.shown) for source, one in answered if one.seen and one.seen.shown]
        if not shown:
            return
        checkpoint = self._model.predictor.checkpoint
        pixels = torch.from_numpy(np.stack([part.pixels for *_, part in shown])).permute(0, 3, 1, 2)
        images = normalize(pixels.to(self._device), checkpoint.mean, checkpoint.deviation)
        heat = grad_cam(self._network, images, [checkpoint.classes.index(one.likeliest) for _, one, *_ in shown])
        for (source, one, seen, part), of_cell in zip(shown, heat, strict=True):
            panels = {
                "The smear, and what of it was used": _framed(seen, part.box),
                "What the network was shown": _panel(part.pixels),
                f"What spoke for {one.likeliest} (Grad-CAM)": _panel(overlay(part.pixels, of_cell)),
            }
            page = _page(source.path.name, one, panels, f"{self._model.describe()} {NOTICE}")
            write_png(self._folder / source.picture, page)


def _page(name: str, answer: Answer, panels: Mapping[str, Image.Image], foot: str) -> Image.Image:
    """Lay out the verdict, the panels, the probabilities as bars, and what speaks against an answer."""
    told = [*answer.reasons, *(f"warning: {warning}" for warning in answer.warnings)]
    told_lines = [line for text in told for line in textwrap.wrap(text, _LETTERS)]
    foot_lines = textwrap.wrap(foot, _LETTERS)
    text, title = ImageFont.load_default(16), ImageFont.load_default(24)
    top = _MARGIN + 2 * _LINE
    bars = top + PANEL + 2 * _LINE
    below = bars + _LINE * len(answer.probabilities) + _LINE // 2
    page = Image.new("RGB", (_WIDTH, below + _LINE * (len(told_lines) + len(foot_lines)) + _LINE // 2 + _MARGIN), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((_MARGIN, _MARGIN - 6), answer.verdict, ALARM if answer.verdict == ABSTAINS else INK, title)
    pen.text((_WIDTH - _MARGIN, _MARGIN), name[-_LETTERS // 2 :], FAINT, text, anchor="ra")
    for number, (caption, picture) in enumerate(panels.items()):
        left = _MARGIN + number * (PANEL + _GAP)
        page.paste(picture, (left, top))
        pen.text((left, top + PANEL + 4), caption, INK, text)
    room = _WIDTH - 2 * _MARGIN - _NAMES - _FIGURES
    for number, (label, chance) in enumerate(answer.probabilities.items()):
        line, start = bars + number * _LINE, _MARGIN + _NAMES
        pen.text((_MARGIN, line), label, INK, text)
        pen.rectangle((start, line + 4, start + round(room * chance), line + 15), CLASS_COLORS.get(label, FAINT))
        pen.text((_WIDTH - _MARGIN, line), f"{chance:.3f}", INK, text, anchor="ra")
    for number, line_of_text in enumerate(told_lines):
        pen.text((_MARGIN, below + number * _LINE), line_of_text, ALARM, text)
    below += _LINE * len(told_lines) + _LINE // 2
    for number, line_of_text in enumerate(foot_lines):
        pen.text((_MARGIN, below + number * _LINE), line_of_text, FAINT, text)
    return page


def _panel(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels).resize((PANEL, PANEL), Image.Resampling.BICUBIC)


def _framed(seen: Seen, box: Box) -> Image.Image:
    """Frame the part of the smear that was used, in a panel of its own."""
    panel = Image.new("RGB", (PANEL, PANEL), PAPER)
    panel.paste(seen.smear, (0, (PANEL - seen.smear.height) // 2))
    scale = seen.smear.width / seen.size[0]
    left, top, right, bottom = (round(edge * scale) for edge in (box.left, box.top, box.right, box.bottom))
    down = (PANEL - seen.smear.height) // 2
    ImageDraw.Draw(panel).rectangle((left, top + down, right - 1, bottom - 1 + down), outline=INK, width=2)
    return panel
