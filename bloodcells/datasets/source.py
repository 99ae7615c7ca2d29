"""Which files the raw data are, as the stage `download` notes it."""

import json
from pathlib import Path

from bloodcells.core.errors import InputError
from bloodcells.datasets.record import PublishedRecord


def read_source_fingerprint(path: Path) -> str:
    """Return the fingerprint of the raw data.

    Raises:
        InputError: the file is missing or not what the stage `download` writes.
    """
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["fingerprint"])
    except (OSError, ValueError, LookupError, TypeError):
        raise InputError(f"{path} is missing or damaged: run `dvc repro -f download`, which writes it") from None


def is_published(published: PublishedRecord, path: Path) -> bool:
    """Return whether the raw data are exactly the published files that the record knows."""
    return read_source_fingerprint(path) == published.fingerprint
