"""Check the data and the splits for leakage. If a check fails, training does not start."""

import argparse
from collections import Counter

from bloodcells.core.errors import InputError, run
from bloodcells.core.files import read_csv, write_csv, write_text
from bloodcells.core.parameters import StageParameters, read_parameters
from bloodcells.datasets.corrections import UNSURE
from bloodcells.datasets.labels import read_labels
from bloodcells.datasets.record import read_record
from bloodcells.datasets.source import is_published
from bloodcells.evaluation import data_checks
from bloodcells.evaluation.checks import COLUMNS, Check, check_table, failure
from bloodcells.evaluation.data_checks import SplitRow
from bloodcells.imaging.near_duplicates import similarity, smear_thumbnails
from bloodcells.splits.parameters import CleanParameters
from bloodcells.splits.resampling import most_frequent


class Parameters(StageParameters):
    """What this stage reads."""

    clean: CleanParameters


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.check_data", description=__doc__).parse_args()
    params = read_parameters(Parameters)
    paths = params.paths
    paths.gate("data").unlink(missing_ok=True)
    checks = _checks(params)
    write_csv(paths.checks("data"), COLUMNS, check_table(checks))
    if fault := failure(checks):
        raise InputError(f"{paths.checks('data')}: {fault}")
    write_text(paths.gate("data"), "passed\n")
    print(f"{sum(bool(check.allowed) for check in checks)} checks of the data passed")


def _checks(params: Parameters) -> list[Check]:
    paths, clean, record = params.paths, params.clean, read_record(params.dataset)
    images, published = record.images_folder(paths.raw), record.published
    cells = data_checks.read_cells(paths.cells)
    splits = {
        fold: [
            SplitRow(row["image"], row["label"], row["part"]) for row in read_csv(paths.split(fold), SplitRow._fields)
        ]
        for fold in range(clean.n_splits)
    }
    dropped = read_csv(paths.chart("dropped"), ("reason",))
    group_and_file = {
        row["image"]: (row["group"], row["file"]) for row in read_csv(paths.cells, ("image", "group", "file"))
    }
    files = {cell: file for cell, (_, file) in group_and_file.items()}
    distinct = [*dict.fromkeys(files.values())]
    alike = similarity(smear_thumbnails((images / file for file in distinct), record.images.range))
    majority = most_frequent([cell.label for cell in cells])
    changes = read_csv(paths.chart("label_changes"), ("old", "new"))
    return [
        *data_checks.overlap(splits),
        *data_checks.folds(cells, splits),
        *data_checks.groups(group_and_file, splits),
        *data_checks.near_duplicates(distinct, alike, files, splits, clean.near_duplicate),
        *data_checks.copies(splits),
        *data_checks.resampling(cells, splits, majority, clean.downsample, clean.oversample),
        *data_checks.counts(
            len(read_labels(record, paths.raw)),
            Counter(cell.label for cell in cells),
            Counter(row["reason"].split(":")[0] for row in dropped),
            published.counts if published and is_published(published, paths.source) else None,
            [(row["old"], row["new"]) for row in changes if row["new"] != UNSURE],
        ),
    ]


if __name__ == "__main__":
    run(main)
