"""Train one model for one test fold. An interrupted run resumes from the last saved epoch, to the same result."""

import argparse
import glob
import shutil
from pathlib import Path

from dvclive.live import Live

from bloodcells.core.cell_classes import read_classes
from bloodcells.core.errors import InputError, run
from bloodcells.core.files import atomic_folder, read_csv, write_csv, write_json
from bloodcells.core.parameters import ImageParameters, Name, StageParameters, read_parameters, select_model
from bloodcells.core.prepared_cells import open_pixels
from bloodcells.models.parameters import ModelParameters
from bloodcells.models.provenance import describe_process
from bloodcells.training.callbacks import Epoch
from bloodcells.training.config import TrainingConfig
from bloodcells.training.fold_training import FoldTraining
from bloodcells.training.loop import LAST
from bloodcells.training.parameters import TrainParameters


class Parameters(StageParameters):
    """What this stage reads."""

    image: ImageParameters
    train: TrainParameters
    models: dict[Name, ModelParameters]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.train", description=__doc__)
    parser.add_argument("model", help="a key under `models:` in params.yaml")
    parser.add_argument("fold", type=int, help="the fold that is held out for the test")
    args = parser.parse_args()
    params = read_parameters(Parameters)
    paths, model = params.paths, select_model(params.models, args.model)
    cells = open_pixels(paths.pixels)
    if params.image.side != cells.array.shape[1]:
        raise InputError(f"{paths.pixels} was made for another image.side: run `dvc repro prepare`")
    training = FoldTraining(
        cells,
        read_classes(paths.classes),
        read_csv(paths.split(args.fold), ("image", "label", "part")),
        params.image,
        model,
        TrainingConfig.from_parameters(params.train, model),
    )
    work_dir = paths.unfinished(args.model, args.fold, training.fingerprint)
    curves = _Curves(work_dir / "dvclive")
    title = f"{args.model}, fold {args.fold}"
    trained = training.run(work_dir, title, curves.add)
    if trained is None:
        return  # not the first process: that one writes
    checkpoint, result = trained
    with atomic_folder(paths.trained(args.model, args.fold)) as folder:
        checkpoint.save(folder / paths.checkpoint(args.model, args.fold).name)
        curves.save(folder)
        provenance = {"fingerprint": training.fingerprint, "precision": result.precision}
        write_json(
            folder / paths.training_provenance(args.model, args.fold).name,
            provenance | describe_process(result.seconds),
        )
    (work_dir / LAST).unlink(missing_ok=True)  # first: without it, a half-removed folder is nothing to resume from
    for other in _work_dirs(work_dir, training.fingerprint):  # runs with other parameters would never resume
        shutil.rmtree(other)
    selected = result.history[result.epoch - 1]
    print(
        f"{title}: selected epoch {result.epoch} of {len(result.history)}, validation loss "
        f"{selected.validation_loss:.3f}, accuracy {selected.validation_accuracy:.3f}; "
        f"trained for {result.seconds:.0f} s ({result.precision})"
    )


class _Curves:
    """The learning curves: DVCLive's files, which grow while training runs, and one table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._live: Live | None = None
        self._rows: list[tuple[int, str, float, float]] = []

    def add(self, epoch: Epoch) -> None:
        if self._live is None:  # not earlier: only the first of several processes gets here
            self._live = Live(dir=str(self._folder), save_dvc_exp=False, dvcyaml=None, report=None)
        self._live.step = epoch.epoch
        for part, loss, accuracy in (
            ("train", epoch.training_loss, epoch.training_accuracy),
            ("validation", epoch.validation_loss, epoch.validation_accuracy),
        ):
            self._live.log_metric(f"{part}/loss", loss)
            self._live.log_metric(f"{part}/accuracy", accuracy)
            self._rows.append((epoch.epoch, part, round(loss, 5), round(accuracy, 5)))

    def save(self, folder: Path) -> None:
        if self._live is not None:
            self._live.end()  # type: ignore[no-untyped-call]
        shutil.copytree(self._folder, folder / self._folder.name)
        write_csv(folder / "curves.csv", ("epoch", "split", "loss", "accuracy"), self._rows)


def _work_dirs(work_dir: Path, fingerprint: str) -> list[Path]:
    """Return the folders of this network, whatever their fingerprint."""
    network = glob.escape(work_dir.name.removesuffix(fingerprint))
    return [*work_dir.parent.glob(network + "[0-9a-f]" * len(fingerprint))]


if __name__ == "__main__":
    run(main)
