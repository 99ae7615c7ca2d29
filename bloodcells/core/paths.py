"""Where stages hand files to one another: the one place in which these paths are built."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DatasetPaths:
    """The files of one data set, relative to the root of the project.

    `artifacts/` is ignored by git and cached by DVC; `metrics/` and `plots/` are committed, but for pictures.
    """

    dataset: str

    @property
    def artifacts(self) -> Path:
        """What DVC caches."""
        return Path("artifacts", self.dataset)

    @property
    def plots(self) -> Path:
        """Tables behind charts, pictures and pages."""
        return Path("plots", self.dataset)

    @property
    def raw(self) -> Path:
        """The data set as downloaded, generated or copied; its record says what is where."""
        return self.artifacts / "raw"

    @property
    def source(self) -> Path:
        """Which files the raw data are: their fingerprint, number and size."""
        return self.artifacts / "source.json"

    @property
    def classes(self) -> Path:
        """The names of the classes, in order."""
        return self.artifacts / "classes.json"

    @property
    def cells(self) -> Path:
        """The cells that are kept, with their label and test fold."""
        return self.artifacts / "cells.csv"

    @property
    def splits(self) -> Path:
        """The folder of splits, one file a test fold."""
        return self.artifacts / "splits"

    def split(self, fold: int) -> Path:
        """Return the training, validation and test parts of one test fold."""
        return self.splits / f"{fold}.csv"

    @property
    def pixels(self) -> Path:
        """The prepared cells; see `bloodcells.core.prepared_cells`."""
        return self.artifacts / "pixels"

    @property
    def localization(self) -> Path:
        """How often the white cell was found where boxes are known."""
        return self.artifacts / "localization.json"

    def gate(self, name: str) -> Path:
        """Return a file whose content never changes: it orders stages without making one stale."""
        return self.artifacts / "gates" / name

    def checks(self, of: str) -> Path:
        """Return the table of checks of `data` or `models`."""
        return self.artifacts / "checks" / f"{of}.csv"

    def trained(self, model: str, fold: int) -> Path:
        """Return the folder that training one network leaves."""
        return self.artifacts / "models" / model / str(fold)

    def checkpoint(self, model: str, fold: int) -> Path:
        """Return the checkpoint of one network."""
        return self.trained(model, fold) / "checkpoint.ckpt"

    def curves(self, model: str, fold: int) -> Path:
        """Return the learning curves of one network."""
        return self.trained(model, fold) / "curves.csv"

    def training_provenance(self, model: str, fold: int) -> Path:
        """Return where one network comes from."""
        return self.trained(model, fold) / "provenance.json"

    def unfinished(self, model: str, fold: int, fingerprint: str) -> Path:
        """Return the folder from which an interrupted training resumes."""
        return self.artifacts / "unfinished" / f"{model}-{fold}-{fingerprint}"

    def predictor(self, model: str) -> Path:
        """Return the file that `bloodcells predict` needs, and nothing else."""
        return self.artifacts / "predictors" / f"{model}.ckpt"

    def validation(self, model: str) -> Path:
        """Return the predictions of the validation cells of all folds."""
        return self.artifacts / "validation" / f"{model}.csv"

    def provenance(self, model: str) -> Path:
        """Return where the metrics of one model come from."""
        return self.artifacts / "provenance" / f"{model}.json"

    def predictions(self, model: str) -> Path:
        """Return the predictions of the test cells."""
        return self.plots / "predictions" / f"{model}.csv"

    def metrics(self, model: str) -> Path:
        """Return the headline metrics of one model."""
        return Path("metrics", self.dataset, f"{model}.json")

    def table(self, name: str) -> Path:
        """Return a table that no chart shows; the stage `report` publishes it."""
        return self.artifacts / "tables" / f"{name}.csv"

    def chart(self, name: str) -> Path:
        """Return the table of a chart that `dvc plots` shows."""
        return self.plots / f"{name}.csv"

    def pictures(self, name: str) -> Path:
        """Return a folder of pictures, which DVC caches."""
        return self.plots / name

    @property
    def report(self) -> Path:
        """The pages, and the tables that stand beside them."""
        return self.plots / "report"
