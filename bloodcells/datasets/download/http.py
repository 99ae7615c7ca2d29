"""Download of a file over HTTP: with timeouts, retries, a size limit, and resuming where the connection broke."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from tqdm import tqdm
from urllib3 import Retry
from urllib3.exceptions import LocationParseError, ProtocolError, ReadTimeoutError, SSLError

from bloodcells.core.errors import InputError

SIZE_LIMIT = 2**30
"""A larger file, in bytes, is refused."""

_CHUNK = 2**16
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)  # statuses after which the same request may succeed

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait for a server, and how often to try.

    Attributes:
        connect: seconds to wait for a connection.
        read: seconds to wait for the next bytes.
        attempts: number of attempts.
        backoff: urllib3's backoff factor: by default it waits 0, 2 and 4 seconds between attempts.
    """

    connect: float = 10
    read: float = 30
    attempts: int = 4
    backoff: float = 1

    def adapter_retries(self) -> Retry:
        """Return urllib3's Retry for failed connections and temporary statuses; a TLS error is final."""
        return _LoggedRetry(
            total=self.attempts - 1,
            other=0,  # errors of TLS
            status_forcelist=_TEMPORARY,
            allowed_methods=None,  # any: Kaggle's queries are POST requests
            backoff_factor=self.backoff,
            raise_on_status=False,  # the last response tells more than urllib3's error
            retry_after_max=60,  # seconds
        )


RETRY_POLICY = RetryPolicy()


# Not pooch: it can't resume a broken download, and it retries lasting errors (404) as well as temporary ones (503).
def download(url: str, path: Path, policy: RetryPolicy = RETRY_POLICY, limit: int = SIZE_LIMIT) -> None:
    """Download a file, with a progress bar on a terminal.

    Raises:
        InputError: all attempts failed, or the file has more than `limit` bytes; the message has the URL, without
            secrets, and the reason. Part of the file may then be at `path`.
    """
    path.unlink(missing_ok=True)
    with (
        requests.Session() as session,
        tqdm(desc=path.name, unit="B", unit_scale=True, unit_divisor=1024, disable=None, leave=False) as bar,
    ):
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=policy.adapter_retries()))
        retry(_Download(url, path, policy, limit, session, bar).attempt, policy, redact_url(url))


def retry(action: Callable[[], _Result], policy: RetryPolicy, what: str) -> _Result:
    """Run `action`, and again if the connection breaks within a response: urllib3 can't retry that.

    Args:
        action: sends requests through adapters with `policy.adapter_retries()`.
        policy: how often to try.
        what: what is downloaded, for messages.

    Raises:
        InputError: a request failed, or the connection broke in every attempt; the message has the reason.
    """
    for attempt in range(1, policy.attempts + 1):
        try:
            return action()
        except (LocationParseError, requests.RequestException) as error:
            reason = _reason(error, policy)
            if not _is_interrupted(error) or attempt == policy.attempts:
                attempts = f" ({policy.attempts} attempts)" if _is_temporary(error) else ""
                raise InputError(f"{what}: {reason}{attempts}") from None
            print(f"{what}: {reason}; trying again", file=sys.stderr)
            time.sleep(policy.backoff * 2 ** (attempt - 1))
    raise AssertionError("unreachable")


def redact_url(url: str) -> str:
    """Return a URL without its password and its query, which may be a key.

    Raises:
        InputError: it is not a URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(f"{url!r} is not a URL: {error}") from None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _LoggedRetry(Retry):
    """urllib3's Retry, with a line on stderr for each retry."""

    def increment(self, *args: Any, **event: Any) -> Self:
        result = super().increment(*args, **event)
        response = event.get("response")
        reason = f"HTTP {response.status}" if response else _connection_problem(event.get("error"))
        print(f"{event['_pool'].host}: {reason}; trying again", file=sys.stderr)
        return result


@dataclass
class _Download:
    """A download; the part of the file at `path` is kept from one attempt to the next."""

    url: str
    path: Path
    policy: RetryPolicy
    limit: int
    session: requests.Session
    bar: "tqdm[Any]"
    etag: str | None = None

    def attempt(self) -> None:
        """Continue where the last attempt was interrupted if the server supports it; otherwise start again."""
        have = self._size()
        headers = {"Accept-Encoding": "identity"}  # lengths and ranges then count the bytes of the file itself
        if have:
            headers["Range"] = f"bytes={have}-"
        timeout = (self.policy.connect, self.policy.read)
        with self.session.get(self.url, headers=headers, stream=True, timeout=timeout) as response:
            is_partial = response.status_code == 206
            if response.status_code == 416 or (is_partial and not self._continues(response, have)):
                self.path.unlink(missing_ok=True)
                raise ChunkedEncodingError("the server could not resume the download")
            response.raise_for_status()
            if response.status_code not in (200, 206):
                raise requests.HTTPError(response=response)
            self._write(response, have if is_partial else 0)

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _continues(self, response: requests.Response, have: int) -> bool:
        """Return whether a partial response is the rest of the same file."""
        starts = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        return have > 0 and starts and response.headers.get("ETag") == self.etag

    def _write(self, response: requests.Response, start: int) -> None:
        self.etag = response.headers.get("ETag")
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None
        self.bar.reset(total)
        self.bar.update(start)
        with self.path.open("ab" if start else "wb") as file:
            for chunk in response.iter_content(_CHUNK):
                if max(total or 0, file.tell() + len(chunk)) > self.limit:
                    raise InputError(f"{redact_url(self.url)}: larger than the limit of {self.limit} bytes")
                file.write(chunk)
                self.bar.update(len(chunk))
        if total is not None and self._size() != total:
            raise ChunkedEncodingError(f"received {self._size()} of {total} bytes")


def _is_interrupted(error: Exception) -> bool:
    """Return whether the connection broke within a response; other errors have been retried already."""
    cause = error.args[0] if error.args else None
    return isinstance(error, ChunkedEncodingError) or isinstance(cause, ReadTimeoutError)


def _is_temporary(error: Exception) -> bool:
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in _TEMPORARY
    passing = (requests.ConnectionError, requests.Timeout, ChunkedEncodingError)
    return isinstance(error, passing) and not isinstance(error, requests.exceptions.SSLError)


def _reason(error: Exception, policy: RetryPolicy) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.TooManyRedirects):
        return "too many redirects"
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {policy.connect:g} s"
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", cause)  # of urllib3's MaxRetryError
    if isinstance(cause, ReadTimeoutError):
        return f"no data for {policy.read:g} s"
    if isinstance(error, requests.ConnectionError | ChunkedEncodingError):
        return _connection_problem(cause)
    return str(error)


def _connection_problem(cause: object) -> str:
    if isinstance(cause, ProtocolError):
        return "the connection was interrupted"
    if isinstance(cause, SSLError):
        return f"no secure connection: {cause.args[0]}"
    return str(cause).rpartition(": ")[2]  # the end of urllib3's message is the reason
