"""One run of the command: predict every image, write the results, and explain them on request."""

import sys
from collections import Counter
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from tqdm import tqdm

from bloodcells.cli.decisions import ABSTAINS, BATCH, ERROR, predict_images
from bloodcells.cli.model import NOTICE, Model, find_model, load_model
from bloodcells.cli.predict.explanation_figure import PANEL, write_explanations
from bloodcells.cli.predict.images import ImageFile
from bloodcells.cli.predict.output_formats import FORMATS


def run(images: Sequence[ImageFile], which: str | None, form: str, figures: Path | None = None) -> bool:
    """Write each prediction to standard output as soon as it is made, in the order of the images.

    A summary follows below a table; with the other formats it goes to standard error. On a terminal, a bar shows the
    progress.

    Args:
        images: to classify.
        which: name or path of the model; None for the default.
        form: a key of `FORMATS`.
        figures: folder for the explanation figures; None for none.

    Returns:
        Whether all images could be read.

    Raises:
        InputError: the model can't be loaded, or has no feature maps to explain its predictions.
    """
    model = load_model(find_model(which))
    network = model.network()
    paths = [image.path for image in images]
    output = FORMATS[form](paths, model.predictor.checkpoint.classes, model.predictor.name, model.calibrated)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name may not be valid text
    sys.stdout.write(output.header())
    counts: Counter[str] = Counter()
    remaining = iter(images)
    with tqdm(total=len(paths), unit="image", disable=None if len(paths) > BATCH else True) as bar:
        for predictions in predict_images(paths, model.predictor, network, thumbnail=PANEL if figures else 1):
            batch = [(next(remaining), prediction) for prediction in predictions]
            bar.write("".join(output.row(image.path, prediction) for image, prediction in batch), sys.stdout, end="")
            sys.stdout.flush()
            if figures:
                write_explanations(figures, batch, model, network)
            counts.update(one.verdict if one.verdict in (ABSTAINS, ERROR) else "predicted" for one in predictions)
            bar.update(len(predictions))
    print(_summary(counts, model), file=sys.stdout if form == "table" else sys.stderr)
    return not counts[ERROR]


def _summary(counts: Counter[str], model: Model) -> str:
    images = f"{counts.total()} image{'' if counts.total() == 1 else 's'}"
    numbers = f"{counts['predicted']} predicted, {counts[ABSTAINS]} abstained, {counts[ERROR]} unreadable"
    return f"\n{images}: {numbers}.\n{model.describe()}\n{NOTICE}"
