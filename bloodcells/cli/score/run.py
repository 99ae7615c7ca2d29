"""One run of the command: predict every labeled cell, and write the page and its tables."""

from collections import Counter
from pathlib import Path

from tqdm import tqdm

from bloodcells.cli.decisions import BATCH, ERROR, predict_images
from bloodcells.cli.external_tests import FOLDER, SCORES
from bloodcells.cli.model import NOTICE, find_model, load_model
from bloodcells.cli.score.cells import find_cells
from bloodcells.cli.score.origin import find_origin
from bloodcells.cli.score.page import ExternalTest, headline, page_values
from bloodcells.cli.score.results import examine
from bloodcells.cli.score.tables import write_tables
from bloodcells.core.errors import InputError
from bloodcells.core.files import atomic_folder, write_text
from bloodcells.core.parameters import StageParameters, read_parameters
from bloodcells.core.paths import DatasetPaths
from bloodcells.datasets.record import read_record
from bloodcells.evaluation.parameters import CompareParameters
from bloodcells.reporting.pages import render

PAGE = "page.md"
FILES = {PAGE, SCORES, "predictions.csv", "reliability.csv"}


class Parameters(StageParameters):
    """What the command reads of `params.yaml`."""

    compare: CompareParameters


def run(which: str, dataset: str, output: Path | None = None) -> None:
    """Test a model on a data set, write the page and its tables, and print the headline.

    Args:
        which: name or path of the model.
        dataset: name of the data set.
        output: folder to write; None for the default.

    Raises:
        InputError: the model or the data set is missing or unusable, or the model was trained on this data set.
    """
    compare = read_parameters(Parameters).compare
    record, path = read_record(dataset), find_model(which)
    model, origin = load_model(path), find_origin(path)
    if origin.dataset == dataset:
        raise InputError(
            f"{origin.model} was trained on {dataset}, so this would be no external test: name another data set (the "
            f"test on {dataset} itself is in {DatasetPaths(dataset).report / 'comparison.md'})"
        )
    predictor = model.predictor
    classes = predictor.checkpoint.classes
    found = find_cells(dataset, record, classes, origin.dataset)
    folder = output or DatasetPaths(dataset).plots / FOLDER / origin.label
    _check_replaceable(folder)
    shared = [path for path, count in Counter(cell.path for cell in found.cells).items() if count > 1]
    if shared and predictor.checkpoint.input == "full":
        raise InputError(
            f"{shared[0]} shows several cells, but {origin.model} looks at whole images: name a model that was trained "
            "with image.input: crop"
        )
    predictions = []
    with tqdm(total=len(found.cells), unit="cell", disable=None if len(found.cells) > BATCH else True) as bar:
        paths, boxes = (cell.path for cell in found.cells), (cell.row.box for cell in found.cells)
        for batch in predict_images(paths, predictor, model.network(), cells=boxes, range=record.images.range):
            predictions += batch
            bar.update(len(batch))
    readable = [one for cell, one in zip(found.cells, predictions, strict=True) if cell.known and one.verdict != ERROR]
    if not readable:
        raise InputError(f"no image of {dataset} can be read; the first: {predictions[0].reasons[0]}")
    results = examine(found.cells, predictions, classes, origin.internal, compare, model.calibrated)
    test = ExternalTest(dataset, record.title, path.name, model, origin, found, results)
    with atomic_folder(folder) as part:
        write_tables(part, results, found.cells, predictions, classes, test.target)
        page = render("page.md.j2", folder="bloodcells.cli.score", **page_values(test))
        write_text(part / PAGE, page.rstrip("\n") + "\n")
    print(f"{headline(test)}\n{NOTICE}\n{folder / PAGE}")


def _check_replaceable(folder: Path) -> None:
    """Raise InputError if a folder, which will be replaced, holds anything but an earlier test."""
    others = {path.name for path in folder.iterdir()} - FILES if folder.is_dir() else set()
    if others:
        raise InputError(f"{folder} holds {min(others)}, which is no file of this command: name a new --output")
