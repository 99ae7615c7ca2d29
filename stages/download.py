"""Get the raw data: generated from a seed, downloaded and verified against data.dvc, or copied from the source."""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from bloodcells.core.errors import InputError, run
from bloodcells.core.files import atomic_folder, write_json
from bloodcells.core.parameters import StageParameters, read_parameters
from bloodcells.datasets.annotations import WHITE_CELLS, published_boxes, write_box_table
from bloodcells.datasets.fingerprint import Checksums, hash_files, read_checksums, read_fingerprint
from bloodcells.datasets.layout import Layout, all_files, copy_files
from bloodcells.datasets.record import RECORDS, PublishedRecord, Record, read_record
from bloodcells.datasets.synthetic.parameters import SyntheticParameters

LOCAL = Path("data")
CACHE = Path(".dvc", "cache", "files", "md5")
CHECKSUMS = "files.md5"


class Parameters(StageParameters):
    """Parameters of the stage."""

    synthetic: SyntheticParameters


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.download", description=__doc__)
    parser.add_argument("--pin", required=True, metavar="MD5.dir", help="the md5 of data/ in data.dvc")
    pin = parser.parse_args().pin
    params = read_parameters(Parameters)
    paths, record = params.paths, read_record(params.dataset)
    source = RECORDS / params.dataset / "source"
    paths.source.unlink(missing_ok=True)
    with atomic_folder(paths.raw) as folder:
        if record.source == "synthetic":
            generate(params.synthetic, folder)
        elif record.published is not None:
            download(record, record.published, pin, source, folder)
        else:
            copy(source, folder)
        found = hash_files(all_files(folder))
        if record.published is not None:
            add_boxes(record, source, folder)
    write_json(paths.source, {"source": record.source, "range": record.images.range, **describe(found)})


def describe(found: Checksums) -> dict[str, str | int | None]:
    """Return which files the raw data are."""
    return {"fingerprint": found.fingerprint(), "files": len(found.md5s), "bytes": found.size}


def generate(params: SyntheticParameters, folder: Path) -> None:
    """Generate a synthetic data set in `folder`."""
    from bloodcells.datasets.synthetic import generate  # noqa: PLC0415  each data set imports only what it needs

    generate.generate(folder, images=params.images, seed=params.seed)


def copy(source: Path, folder: Path) -> None:
    """Copy the data that the record describes into `folder`."""
    files = all_files(source) if source.is_dir() else {}
    if not files:
        raise InputError(
            f"{source} holds no files: put the images and their labels there and run `dvc add {source.as_posix()}`, "
            "or fetch them with `dvc pull`"
        )
    copy_files(files, folder)
    print(f"copied {len(files)} files from {source}")


def download(record: Record, published: PublishedRecord, pin: str, source: Path, folder: Path) -> None:
    """Fill `folder` with the data set that has the fingerprint `pin`."""
    from bloodcells.datasets.download import sources  # noqa: PLC0415  importing requests takes a while

    expected = read_fingerprint(pin, Path(f"{LOCAL}.dvc"))
    annotations = (record.white_cells.annotations,) if record.white_cells else ()
    layout = Layout(record.images.folder, str(record.labels.table), annotations)
    public = sources.Published(layout, published.archive, published.labels, published.kaggle)
    cache = cache_folder()
    pinned = read_checksums(cache / pin[:2] / pin[2:])
    known = (read_checksums(source / CHECKSUMS), pinned)
    with TemporaryDirectory(
        prefix=".download.", suffix=".part", dir=folder.parent, ignore_cleanup_errors=True
    ) as scratch:
        cached = sources.find_in_cache(pinned, cache)
        mirror = os.environ.get("BLOODCELLS_MIRROR")
        chosen = sources.choose_sources(LOCAL, mirror, public, cached=cached, origin=origin())
        sources.fetch(chosen, layout, folder, Path(scratch), expected, known)


def add_boxes(record: Record, source: Path, folder: Path) -> None:
    """Write the boxes that are known of published images beside the images."""
    if (source / WHITE_CELLS).is_file():
        images = record.images_folder(folder)
        boxes = published_boxes(source / WHITE_CELLS, source / CHECKSUMS, images, record.images.folder)
        write_box_table(folder / WHITE_CELLS, boxes)


def origin() -> Path | None:
    """Return data/ of the repository if this runs in one of its temporary folders, below .dvc/tmp.

    `dvc add data` leaves the files out of DVC's cache, as data.dvc says, so that a clone without them is complete.
    """
    temporary = next((folder for folder in Path.cwd().parents if folder.name == ".dvc"), None)
    return temporary.parent / LOCAL if temporary else None


def cache_folder() -> Path:
    """Return the folder of DVC's cache. An experiment in a temporary folder shares that of the repository."""
    from dvc.exceptions import DvcException  # noqa: PLC0415  importing dvc takes a second
    from dvc.repo import Repo  # noqa: PLC0415

    try:
        with Repo() as repo:
            return Path(repo.cache.local.path)
    except DvcException:  # outside of a repository
        return CACHE


if __name__ == "__main__":
    run(main)
