"""Explanation figures: the image, the input of the network, and the evidence for its prediction (Grad-CAM)."""

import textwrap
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import nn

from bloodcells.cli.decisions import ABSTAINS, Prediction
from bloodcells.cli.model import NOTICE, Model
from bloodcells.cli.predict.images import ImageFile
from bloodcells.cli.preprocessing import Sample
from bloodcells.core.geometry import Box
from bloodcells.evaluation.grad_cam import grad_cam
from bloodcells.models.normalization import normalize
from bloodcells.visualization.heatmaps import overlay
from bloodcells.visualization.image_grid import TITLE, draw_text, fit, text_width
from bloodcells.visualization.style import ALARM, FAINT, INK, PAPER, class_colors, write_png

PANEL = 300
"""Side of each of the three panels, in pixels."""

_MARGIN, _GAP, _LINE = 24, 12, 23
_WIDTH = 2 * _MARGIN + 3 * PANEL + 2 * _GAP
_LETTERS = 112  # per line
_NAMES, _FIGURES = 120, 60  # widths of the columns on both sides of the bars; long names get more


def write_explanations(
    folder: Path, predictions: Sequence[tuple[ImageFile, Prediction]], model: Model, network: nn.Module
) -> None:
    """Write a figure for each prediction with an input.

    Args:
        folder: for the figures; an image knows its path in it.
        predictions: some images and their predictions, whose thumbnails have `PANEL` pixels.
        model: that predicted.
        network: of the model, in evaluation mode, on any device.

    Raises:
        InputError: the network has no feature maps for Grad-CAM.
    """
    explained = [
        (image, one, one.sample, one.sample.model_input)
        for image, one in predictions
        if one.sample and one.sample.model_input
    ]
    if not explained:
        return
    checkpoint = model.predictor.checkpoint
    pixels = torch.from_numpy(np.stack([model_input.pixels for *_, model_input in explained])).permute(0, 3, 1, 2)
    inputs = normalize(pixels.to(next(network.parameters()).device), checkpoint.mean, checkpoint.std)
    heat_maps = grad_cam(network, inputs, [checkpoint.classes.index(one.likeliest) for _, one, *_ in explained])
    for (image, one, sample, model_input), heat in zip(explained, heat_maps, strict=True):
        panels = {
            "The image, and the part that was used": _framed(sample, model_input.box),
            "The input of the network": _panel(model_input.pixels),
            f"Evidence for {one.likeliest} (Grad-CAM)": _panel(overlay(model_input.pixels, heat)),
        }
        write_png(folder / image.figure, _page(image.path.name, one, panels, f"{model.describe()} {NOTICE}"))


def _page(name: str, prediction: Prediction, panels: Mapping[str, Image.Image], foot: str) -> Image.Image:
    """Lay out the verdict, the panels, the probabilities as bars, and the reasons and warnings."""
    notes = [*prediction.reasons, *(f"warning: {warning}" for warning in prediction.warnings)]
    # Pillow's font has no multiplication sign.
    note_lines = [line for text in notes for line in textwrap.wrap(text.replace("×", "x"), _LETTERS)]
    foot_lines = textwrap.wrap(foot, _LETTERS)
    top = _MARGIN + 2 * _LINE
    bars = top + PANEL + 2 * _LINE
    below = bars + _LINE * len(prediction.probabilities) + _LINE // 2
    height = below + _LINE * (len(note_lines) + len(foot_lines)) + _LINE // 2 + _MARGIN
    page = Image.new("RGB", (_WIDTH, height), PAPER)
    pen = ImageDraw.Draw(page)

    def right_aligned(y: float, text: str, color: str) -> None:
        draw_text(pen, (_WIDTH - _MARGIN - text_width(text), y), text, color)

    draw_text(pen, (_MARGIN, _MARGIN - 6), prediction.verdict, ALARM if prediction.verdict == ABSTAINS else INK, TITLE)
    right_aligned(_MARGIN, name[-_LETTERS // 2 :], FAINT)
    for number, (caption, picture) in enumerate(panels.items()):
        left = _MARGIN + number * (PANEL + _GAP)
        page.paste(picture, (left, top))
        draw_text(pen, (left, top + PANEL + 4), fit(caption, PANEL), INK)
    names = max([_NAMES, *(ceil(text_width(label)) + _GAP for label in prediction.probabilities)])
    room = _WIDTH - 2 * _MARGIN - names - _FIGURES
    colors = class_colors(prediction.probabilities)
    for number, (label, probability) in enumerate(prediction.probabilities.items()):
        line, start = bars + number * _LINE, _MARGIN + names
        draw_text(pen, (_MARGIN, line), label, INK)
        end = start + round(room * probability)
        pen.rectangle((start, line + 4, end, line + 15), colors[label])
        right_aligned(line, f"{probability:.3f}", INK)
    for number, text in enumerate(note_lines):
        draw_text(pen, (_MARGIN, below + number * _LINE), text, ALARM)
    below += _LINE * len(note_lines) + _LINE // 2
    for number, text in enumerate(foot_lines):
        draw_text(pen, (_MARGIN, below + number * _LINE), text, FAINT)
    return page


def _panel(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels).resize((PANEL, PANEL), Image.Resampling.BICUBIC)


def _framed(sample: Sample, box: Box) -> Image.Image:
    """Draw a frame around the part of the image that was used."""
    panel = Image.new("RGB", (PANEL, PANEL), PAPER)
    down = (PANEL - sample.thumbnail.height) // 2
    panel.paste(sample.thumbnail, (0, down))
    scale = sample.thumbnail.width / sample.size[0]
    left, top, right, bottom = (round(edge * scale) for edge in (box.left, box.top, box.right, box.bottom))
    ImageDraw.Draw(panel).rectangle((left, top + down, right - 1, bottom - 1 + down), outline=INK, width=2)
    return panel
