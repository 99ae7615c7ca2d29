"""The answer for a smear: a class, or why there is none."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import nn

from bloodcells.cli.predict.preprocessing import Seen, look
from bloodcells.core.errors import InputError
from bloodcells.inference.predictor import Predictor
from bloodcells.inference.probabilities import predict
from bloodcells.inference.selective import DIGITS
from bloodcells.inference.temperature import temperature_scaled

ABSTAINS, ERROR = "abstains", "error"
"""What is said in the place of a class."""

BATCH = 32
"""Images that the network is shown at a time."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Answer:
    """What is said of one image.

    Attributes:
        verdict: a class, `ABSTAINS` or `ERROR`.
        reasons: why there is no class.
        likeliest: the class of the largest probability; empty if the network was shown nothing.
        probabilities: of each class; empty if the network was shown nothing.
        seen: what the network was shown; None if the image can't be read.
    """

    verdict: str
    reasons: tuple[str, ...]
    likeliest: str
    probabilities: dict[str, float]
    seen: Seen | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why it should be taken with care."""
        return self.seen.warnings if self.seen else ()


def answer(
    paths: Iterable[Path], predictor: Predictor, network: nn.Module, *, thumbnail: int = 1, batch: int = BATCH
) -> Iterator[list[Answer]]:
    """Give the answers for images in their order, a batch at a time.

    Images are opened in threads while the network is at work on those before them. One that can't be read has the
    error for an answer, and stops nothing.

    Args:
        paths: the images.
        predictor: how they are cut and how the probabilities are read.
        network: of the predictor's checkpoint, in evaluation mode, on any device.
        thumbnail: largest side of the smears that are kept with the answers, in pixels.
        batch: images at a time.
    """

    def see(path: Path) -> Seen | InputError:
        try:
            return look(path, predictor, thumbnail)
        except InputError as error:
            return InputError(str(error).removeprefix(f"{path} "))

    opened = _ahead(see, paths, 2 * batch)
    while group := list(islice(opened, batch)):
        yield _answers(group, predictor, network)


def _ahead(function: Callable[[Item], Result], items: Iterable[Item], count: int) -> Iterator[Result]:
    """Map in threads and in order, at most so many items ahead of what was asked for."""
    pool = ThreadPoolExecutor(os.cpu_count())
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) == count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # an interrupt does not wait for what nobody asks for any more
        pool.shutdown(wait=False, cancel_futures=True)


def _answers(group: Sequence[Seen | InputError], predictor: Predictor, network: nn.Module) -> list[Answer]:
    checkpoint = predictor.checkpoint
    shown = [seen.shown.pixels for seen in group if isinstance(seen, Seen) and seen.shown]
    rows: Iterator[list[float]] = iter(())
    if shown:
        raw = predict(network, np.stack(shown), checkpoint, predictor.views)
        rows = iter(temperature_scaled(raw, predictor.temperature).round(DIGITS).tolist())
    made = []
    for seen in group:
        if isinstance(seen, InputError):
            made.append(Answer(ERROR, (str(seen),), "", {}, None))
            continue
        probabilities = dict(zip(checkpoint.classes, next(rows), strict=True)) if seen.shown else {}
        made.append(judge(seen, probabilities, predictor.threshold))
    return made


def judge(seen: Seen, probabilities: dict[str, float], threshold: float) -> Answer:
    """Give the likeliest class, unless there are doubts about the smear or its probability is below the threshold."""
    likeliest = max(probabilities, key=lambda name: probabilities[name], default="")
    reasons = seen.doubts
    if probabilities and probabilities[likeliest] < threshold:
        needed = (
            f"an answer needs {threshold:.{DIGITS}f}" if threshold <= 1 else "no confidence is enough for this model"
        )
        reasons = (*reasons, f"unsure: {likeliest} with {probabilities[likeliest]:.{DIGITS}f}, and {needed}")
    return Answer(ABSTAINS if reasons else likeliest, reasons, likeliest, probabilities, seen)
