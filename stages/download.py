"""Get the raw data of the chosen set into one layout: drawn from its seed, or what data.dvc pins."""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from bloodcells.core.errors import run
from bloodcells.core.files import atomic_folder
from bloodcells.core.parameters import Params, read_params
from bloodcells.datasets.fingerprint import read_listing, read_pin

LOCAL = Path("data")
LISTING = Path("datasets", "bccd", "files.md5")
CACHE = Path(".dvc", "cache", "files", "md5")


def main() -> None:
    """Fill `artifacts/DATASET/raw`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pin", required=True, metavar="MD5.dir", help="what data.dvc has as md5 of data/")
    pin = parser.parse_args().pin
    params = read_params()
    raw = Path("artifacts", params.dataset, "raw")
    with atomic_folder(raw) as folder:
        if params.dataset == "rendered":
            draw(params, folder)
        else:
            fetch(pin, folder)


def draw(params: Params, folder: Path) -> None:
    """Draw the rendered set into `folder`."""
    from bloodcells.datasets.synthetic import smears  # noqa: PLC0415  each data set imports only what it needs

    smears.draw(folder, images=params.rendered.images, seed=params.rendered.seed)


def fetch(md5: str, folder: Path) -> None:
    """Fill `folder` with the set that `md5` pins."""
    from bloodcells.datasets.download import sources  # noqa: PLC0415  requests takes as long to import as all else here

    pin = read_pin(md5, Path(f"{LOCAL}.dvc"))
    known = (read_listing(LISTING), read_listing(CACHE / md5[:2] / md5[2:]))
    with TemporaryDirectory(
        prefix=".download.", suffix=".part", dir=folder.parent, ignore_cleanup_errors=True
    ) as scratch:
        chosen = sources.choose(LOCAL, os.environ.get("BLOODCELLS_MIRROR"))
        sources.fetch(chosen, folder, Path(scratch), pin, known)


if __name__ == "__main__":
    run(main)
