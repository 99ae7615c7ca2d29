"""Predictions for images: a class, or the reasons for abstaining."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice, repeat
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import nn

from bloodcells.cli.preprocessing import Sample, preprocess
from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Box
from bloodcells.inference.predictor import Predictor
from bloodcells.inference.probabilities import predict
from bloodcells.inference.temperature import temperature_scaled
from bloodcells.inference.threshold import DIGITS

ABSTAINS, ERROR = "abstains", "error"
"""Verdicts other than a class."""

BATCH = 32
"""Images per pass through the network."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image.

    Attributes:
        verdict: a class, `ABSTAINS` or `ERROR`.
        reasons: why there is no class; empty if there is one.
        likeliest: the most probable class; empty if the network got no input.
        probabilities: of each class; empty if the network got no input.
        sample: the preprocessed image; None if it can't be read.
        raw: the probabilities before temperature scaling; empty if the network got no input.
    """

    verdict: str
    reasons: tuple[str, ...]
    likeliest: str
    probabilities: dict[str, float]
    sample: Sample | None
    raw: dict[str, float] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to treat it with caution."""
        return self.sample.warnings if self.sample else ()


def predict_images(
    paths: Iterable[Path],
    predictor: Predictor,
    network: nn.Module,
    *,
    cells: Iterable[Box | None] = repeat(None),
    range: tuple[float, float] | None = None,
    thumbnail: int = 1,
    batch: int = BATCH,
) -> Iterator[list[Prediction]]:
    """Yield the predictions for images, in order and batch by batch.

    Threads preprocess the next images while the network predicts. An image that can't be read gets the verdict `ERROR`
    and does not stop the others.

    Args:
        paths: the images.
        predictor: the input of the network, and how to interpret its probabilities.
        network: of the predictor's checkpoint, in evaluation mode, on any device.
        cells: for each image the box of its white cell, or None to search for it.
        range: the values of 16-bit images that become 0 and 255; by default those of the training images.
        thumbnail: longer side of the thumbnails that are kept, in pixels.
        batch: images at a time.
    """

    def read(item: tuple[Path, Box | None]) -> Sample | InputError:
        path, cell = item
        try:
            return preprocess(path, predictor, thumbnail, cell, range)
        except InputError as error:
            return InputError(str(error).removeprefix(f"{path} "))

    samples = _map_ahead(read, zip(paths, cells, strict=False), 2 * batch)
    while group := list(islice(samples, batch)):
        yield _predict_batch(group, predictor, network)


def _map_ahead(function: Callable[[Item], Result], items: Iterable[Item], count: int) -> Iterator[Result]:
    """Map in threads, in order, at most `count` items ahead of the consumer."""
    pool = ThreadPoolExecutor(os.cpu_count())
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) == count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # after an interrupt, do not wait for the rest
        pool.shutdown(wait=False, cancel_futures=True)


def _predict_batch(group: Sequence[Sample | InputError], predictor: Predictor, network: nn.Module) -> list[Prediction]:
    checkpoint = predictor.checkpoint
    inputs = [one.model_input.pixels for one in group if isinstance(one, Sample) and one.model_input]
    rows: Iterator[tuple[list[float], list[float]]] = iter(())
    if inputs:
        unscaled = predict(network, np.stack(inputs), checkpoint, predictor.tta)
        scaled = temperature_scaled(unscaled, predictor.temperature).round(DIGITS)
        rows = zip(scaled.tolist(), unscaled.tolist(), strict=True)
    predictions = []
    for one in group:
        if isinstance(one, InputError):
            predictions.append(Prediction(ERROR, (str(one),), "", {}, None))
            continue
        both = next(rows) if one.model_input else ()
        probabilities, raw = [dict(zip(checkpoint.classes, row, strict=True)) for row in both] or ({}, {})
        predictions.append(replace(decide(one, probabilities, predictor.threshold), raw=raw))
    return predictions


def decide(sample: Sample, probabilities: dict[str, float], threshold: float) -> Prediction:
    """Return the most probable class, or abstain.

    Args:
        sample: the image; each of its reasons is one to abstain.
        probabilities: of each class; empty if there is no input.
        threshold: the lowest probability that is accepted.
    """
    likeliest = max(probabilities, key=lambda name: probabilities[name], default="")
    reasons = sample.reasons
    if probabilities and probabilities[likeliest] < threshold:
        limit = f"below the threshold of {threshold:.{DIGITS}f}" if threshold <= 1 else "this model rejects all"
        reasons = (*reasons, f"low confidence: {likeliest} with {probabilities[likeliest]:.{DIGITS}f}, {limit}")
    return Prediction(ABSTAINS if reasons else likeliest, reasons, likeliest, probabilities, sample)
