"""Get the raw data: generate it from a seed, or download it and verify it against data.dvc."""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from bloodcells.core.errors import run
from bloodcells.core.files import atomic_folder
from bloodcells.core.parameters import StageParameters, read_parameters
from bloodcells.datasets.fingerprint import read_checksums, read_fingerprint
from bloodcells.datasets.records import BCCD_CHECKSUMS
from bloodcells.datasets.synthetic.parameters import SyntheticParameters

LOCAL = Path("data")
CACHE = Path(".dvc", "cache", "files", "md5")


class Parameters(StageParameters):
    """Parameters of the stage."""

    rendered: SyntheticParameters


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.download", description=__doc__)
    parser.add_argument("--pin", required=True, metavar="MD5.dir", help="the md5 of data/ in data.dvc")
    pin = parser.parse_args().pin
    params = read_parameters(Parameters)
    with atomic_folder(params.paths.raw) as folder:
        if params.dataset == "rendered":
            generate(params.rendered, folder)
        else:
            download(pin, folder)


def generate(params: SyntheticParameters, folder: Path) -> None:
    """Generate the synthetic data set in `folder`."""
    from bloodcells.datasets.synthetic import generate  # noqa: PLC0415  each data set imports only what it needs

    generate.generate(folder, images=params.images, seed=params.seed)


def download(pin: str, folder: Path) -> None:
    """Fill `folder` with the data set that has the fingerprint `pin`."""
    from bloodcells.datasets.download import sources  # noqa: PLC0415  importing requests takes a while

    expected = read_fingerprint(pin, Path(f"{LOCAL}.dvc"))
    cache = cache_folder()
    pinned = read_checksums(cache / pin[:2] / pin[2:])
    known = (read_checksums(BCCD_CHECKSUMS), pinned)
    with TemporaryDirectory(
        prefix=".download.", suffix=".part", dir=folder.parent, ignore_cleanup_errors=True
    ) as scratch:
        cached = sources.find_in_cache(pinned, cache)
        chosen = sources.choose_sources(LOCAL, os.environ.get("BLOODCELLS_MIRROR"), cached=cached)
        sources.fetch(chosen, folder, Path(scratch), expected, known)


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
