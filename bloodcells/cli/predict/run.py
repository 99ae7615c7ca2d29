"""One run of the command: predict every image, write the results, and explain them if requested."""

import sys
from collections import Counter
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from tqdm import tqdm

from bloodcells.cli.predict.images import Source
from bloodcells.cli.predict.model import NOTICE, Model, load_model
from bloodcells.cli.predict.output_formats import Csv, JsonLines, OutputFormat, Table
from bloodcells.cli.predict.predictions import ABSTAINS, BATCH, ERROR, predict_images


def predict_all(sources: Sequence[Source], model_path: Path, form: str, pictures: Path | None = None) -> bool:
    """Write the predictions to standard output as they come, in the order of the images.

    A summary follows below a table; with the other formats it goes to standard error. On a terminal, a bar shows the
    progress.

    Args:
        sources: the images.
        model_path: of a predictor or a checkpoint.
        form: table, csv or json.
        pictures: folder for the explanation figures; None for none.

    Returns:
        Whether all images could be read.

    Raises:
        InputError: the model can't be loaded, or has no feature maps for an explanation.
    """
    model = load_model(model_path)
    network = model.network()
    explainer = None
    if pictures:
        from bloodcells.cli.predict.explanation_figure import Explainer  # noqa: PLC0415 (only if requested)

        explainer = Explainer(pictures, model, network)
    paths = [source.path for source in sources]
    output = _output(form, paths, model)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name need not be text
    sys.stdout.write(output.head())
    counts: Counter[str] = Counter()
    remaining = iter(sources)
    with tqdm(total=len(paths), unit="image", disable=None if len(paths) > BATCH else True) as bar:
        thumbnail = explainer.side if explainer else 1
        for predictions in predict_images(paths, model.predictor, network, thumbnail=thumbnail):
            group = [(next(remaining), one) for one in predictions]
            bar.write("".join(output.row(source.path, one) for source, one in group), file=sys.stdout, end="")
            sys.stdout.flush()
            if explainer:
                explainer.explain(group)
            counts.update(one.verdict if one.verdict in (ABSTAINS, ERROR) else "accepted" for one in predictions)
            bar.update(len(predictions))
    print(_summary(counts, model), file=sys.stdout if form == "table" else sys.stderr)
    return not counts[ERROR]


def _output(form: str, paths: Sequence[Path], model: Model) -> OutputFormat:
    name, classes = model.predictor.name, model.predictor.checkpoint.classes
    if form == "json":
        return JsonLines(name, model.calibrated)
    if form == "csv":
        return Csv(name, model.calibrated, classes)
    return Table(paths, classes)


def _summary(counts: Counter[str], model: Model) -> str:
    images = f"{counts.total()} image{'' if counts.total() == 1 else 's'}"
    numbers = f"{counts['accepted']} predicted, {counts[ABSTAINS]} abstained, {counts[ERROR]} unreadable"
    return f"\n{images}: {numbers}.\n{model.describe()}\n{NOTICE}"
