"""How a data set comes from Kaggle: by kagglehub, with the timeouts and the further attempts that it lacks."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kagglehub
import requests
from kagglehub.config import get_cache_folder
from requests.adapters import HTTPAdapter

from bloodcells.core.errors import InputError
from bloodcells.datasets.download.http import PATIENCE, Patience, persist


def download(handle: str, patience: Patience = PATIENCE) -> Path:
    """Give the folder, in kagglehub's own cache, into which it unpacked the data set `handle`.

    A download that was cut is gone on with at the next attempt, in a later run as well: kagglehub keeps the
    part in its cache.

    Raises:
        InputError: it could not be had; the message has the reason.
    """
    try:
        with _timeouts(patience):
            return Path(persist(lambda: kagglehub.dataset_download(handle), patience, handle))
    except InputError:
        raise
    except Exception as error:  # kagglehub raises what it likes, plain exceptions of its own among them
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = " ".join(str(error).split())
        raise InputError(
            f"{handle}: {type(error).__name__}: {reason} "
            f"(if that stays so, remove what kagglehub keeps of it below {get_cache_folder()})"
        ) from None


@contextmanager
def _timeouts(patience: Patience) -> Iterator[None]:
    """Give every request a timeout: those of kagglehub have none and could wait for ever."""
    send = HTTPAdapter.send

    def timed(self: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        if options.get("timeout") is None:
            options["timeout"] = (patience.connect, patience.read)
        return send(self, request, *args, **options)

    HTTPAdapter.send = timed  # type: ignore[method-assign]
    try:
        yield
    finally:
        HTTPAdapter.send = send  # type: ignore[method-assign]
