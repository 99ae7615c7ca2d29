"""One run of the command: every image answered, written out, and explained if that is asked for."""

import sys
from collections import Counter
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from tqdm import tqdm

from bloodcells.cli.predict.images import Source
from bloodcells.cli.predict.model import NOTICE, Model, load_model
from bloodcells.cli.predict.output_formats import Csv, JsonLines, Listing, Table
from bloodcells.cli.predict.predictions import ABSTAINS, BATCH, ERROR, answer


def answer_all(sources: Sequence[Source], model_path: Path, form: str, pictures: Path | None = None) -> bool:
    """Write the answers to standard output as they come, in the order of the images.

    Below a table stands how many were answered and how far to believe it; in the other forms that goes to standard
    error. A bar on a terminal shows the progress.

    Args:
        sources: the images.
        model_path: of a predictor or a checkpoint.
        form: table, csv, or json.
        pictures: the folder for the pictures that explain the answers; None for none.

    Returns:
        whether all images could be read.

    Raises:
        InputError: the model can't be loaded, or has no maps by which it could be explained.
    """
    model = load_model(model_path)
    network = model.network()
    explainer = None
    if pictures:
        from bloodcells.cli.predict.explanation_figure import Explainer  # noqa: PLC0415 (it loads matplotlib)

        explainer = Explainer(pictures, model, network)
    paths = [source.path for source in sources]
    listing = _listing(form, paths, model)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no text at all
    sys.stdout.write(listing.head())
    counts: Counter[str] = Counter()
    waiting = iter(sources)
    with tqdm(total=len(paths), unit="image", disable=None if len(paths) > BATCH else True) as bar:
        for answers in answer(paths, model.predictor, network, thumbnail=explainer.side if explainer else 1):
            answered = [(next(waiting), one) for one in answers]
            bar.write("".join(listing.row(source.path, one) for source, one in answered), file=sys.stdout, end="")
            sys.stdout.flush()
            if explainer:
                explainer.explain(answered)
            counts.update(one.verdict if one.verdict in (ABSTAINS, ERROR) else "answered" for one in answers)
            bar.update(len(answers))
    print(_foot(counts, model), file=sys.stdout if form == "table" else sys.stderr)
    return not counts[ERROR]


def _listing(form: str, paths: Sequence[Path], model: Model) -> Listing:
    name, classes = model.predictor.name, model.predictor.checkpoint.classes
    if form == "json":
        return JsonLines(name, model.calibrated)
    if form == "csv":
        return Csv(name, model.calibrated, classes)
    return Table(paths, classes)


def _foot(counts: Counter[str], model: Model) -> str:
    images = f"{counts.total()} image{'' if counts.total() == 1 else 's'}"
    told = f"{images}: {counts['answered']} answered, {counts[ABSTAINS]} without an answer, {counts[ERROR]} unreadable."
    return f"\n{told}\n{model.describe()}\n{NOTICE}"
