"""Download of a data set from Kaggle with kagglehub, which lacks retries and some timeouts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kagglehub
import requests
from kagglehub.config import get_cache_folder
from requests.adapters import HTTPAdapter

from bloodcells.core.errors import DISK_FULL, InputError
from bloodcells.datasets.download.http import RETRY_POLICY, RetryPolicy, retry


def download(handle: str, policy: RetryPolicy = RETRY_POLICY) -> Path:
    """Download and unpack the data set `handle`; return its folder in kagglehub's cache.

    The next attempt resumes an interrupted download, in a later run as well: kagglehub keeps the part in its cache.

    Raises:
        InputError: the download failed; the message has the reason.
    """
    try:
        with _adapters(policy):
            return Path(retry(lambda: kagglehub.dataset_download(handle), policy, handle))
    except InputError:
        raise
    except Exception as error:  # kagglehub raises plain exceptions of many kinds
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        reason = " ".join(str(error).split())
        raise InputError(
            f"{handle}: {type(error).__name__}: {reason} "
            f"(if this persists, remove the data set from kagglehub's cache, {get_cache_folder()})"
        ) from None


@contextmanager
def _adapters(policy: RetryPolicy) -> Iterator[None]:
    """Give all requests timeouts and retries: kagglehub creates its own sessions and takes no options for them."""
    send = HTTPAdapter.send

    def send_with_policy(
        self: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        self.max_retries = policy.adapter_retries()
        if options.get("timeout") is None:
            options["timeout"] = (policy.connect, policy.read)
        return send(self, request, *args, **options)

    HTTPAdapter.send = send_with_policy  # type: ignore[method-assign]
    try:
        yield
    finally:
        HTTPAdapter.send = send  # type: ignore[method-assign]
