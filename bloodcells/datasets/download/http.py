"""How a file comes over HTTP: with timeouts, tried again, resumed where it was cut, whole or not at all."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.exceptions import ChunkedEncodingError, SSLError
from tqdm import tqdm
from urllib3.exceptions import LocationParseError

from bloodcells.core.errors import InputError

LIMIT = 2**30
"""A file of more bytes is refused."""

_CHUNK = 2**16
_LONGEST_PAUSE = 60.0
_PASSING = {408, 416, 425, 429, 500, 502, 503, 504}
"""Statuses after which the same request may go well; 416 since the next one is made without a range."""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for, and how often it is asked again; all in seconds."""

    connect: float = 10
    read: float = 30
    """The longest silence between two pieces of an answer."""
    pauses: tuple[float, ...] = (1, 2, 4)
    """What is waited before the second attempt, the third, …: one attempt more than there are pauses."""
    sleep: Callable[[float], None] = time.sleep


PATIENCE = Patience()


# Not pooch: it can neither resume a cut download nor tell a passing fault (503) from a lasting one (404).
def download(url: str, path: Path, patience: Patience = PATIENCE, limit: int = LIMIT) -> None:
    """Write what is at `url` to `path`, with a progress bar on a terminal.

    Raises:
        InputError: no attempt went well, or there are more than `limit` bytes; the message has the address
            and the reason. A part of the file may then be at `path`.
    """
    path.unlink(missing_ok=True)
    with (
        requests.Session() as session,
        tqdm(desc=path.name, unit="B", unit_scale=True, unit_divisor=1024, disable=None, leave=False) as bar,
    ):
        persist(_Download(url, path, patience, limit, session, bar).attempt, patience, shown(url))


def persist(action: Callable[[], _Result], patience: Patience, what: str) -> _Result:
    """Do `action` until it goes well, as often as `patience` allows; say on stderr that it is tried again.

    Raises:
        InputError: the last attempt failed too, or one failed in a way that won't pass.
    """
    for attempt in range(len(patience.pauses) + 1):
        try:
            return action()
        except LocationParseError as error:  # requests lets it through
            raise InputError(f"{what}: {error}") from None
        except requests.RequestException as error:
            reason = _reason(error, patience)
            if not _passes(error):
                raise InputError(f"{what}: {reason}") from None
            if attempt == len(patience.pauses):
                raise InputError(f"{what}: {reason} ({attempt + 1} attempts)") from None
            pause = max(patience.pauses[attempt], _asked_to_wait(error))
            print(f"{what}: {reason}; trying again in {pause:g} s", file=sys.stderr)
            patience.sleep(pause)
    raise AssertionError("the loop returns or raises")


def shown(url: str) -> str:
    """Give an address as messages may show it: without a password, and without a query, which may be a key.

    Raises:
        InputError: it is no address.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(f"{url!r} is no address: {error}") from None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@dataclass
class _Download:
    """A file on its way: what is at `path` so far stays from one attempt to the next."""

    url: str
    path: Path
    patience: Patience
    limit: int
    session: requests.Session
    bar: "tqdm[Any]"
    etag: str | None = None

    def attempt(self) -> None:
        """Go on where the last attempt was cut if the server can, else begin anew."""
        have = self._size()
        headers = {"Accept-Encoding": "identity"}  # so that lengths and ranges count the bytes of the file
        if have:
            headers["Range"] = f"bytes={have}-"
        timeout = (self.patience.connect, self.patience.read)
        with self.session.get(self.url, headers=headers, stream=True, timeout=timeout) as response:
            resumed = response.status_code == 206
            if response.status_code == 416 or (resumed and not self._fits(response, have)):
                self.path.unlink(missing_ok=True)
                raise requests.ConnectionError("the server could not go on where it was cut")
            response.raise_for_status()
            if response.status_code not in (200, 206):
                raise requests.HTTPError(response=response)
            self._write(response, have if resumed else 0)

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _fits(self, response: requests.Response, have: int) -> bool:
        """Tell whether a partial answer is the rest of the same file."""
        start = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        return have > 0 and start and response.headers.get("ETag") == self.etag

    def _write(self, response: requests.Response, start: int) -> None:
        self.etag = response.headers.get("ETag")
        length = response.headers.get("Content-Length", "")
        whole = start + int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None
        self.bar.reset(whole)
        self.bar.update(start)
        with self.path.open("ab" if start else "wb") as file:
            for chunk in response.iter_content(_CHUNK):
                if max(whole or 0, file.tell() + len(chunk)) > self.limit:
                    raise InputError(f"{shown(self.url)}: more than the {self.limit} bytes that are taken")
                file.write(chunk)
                self.bar.update(len(chunk))
        if whole is not None and self._size() != whole:
            raise ChunkedEncodingError(f"{self._size()} of {whole} bytes came")


def _passes(error: requests.RequestException) -> bool:
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in _PASSING
    passing = (requests.ConnectionError, requests.Timeout, ChunkedEncodingError)
    return isinstance(error, passing) and not isinstance(error, SSLError)


def _reason(error: requests.RequestException, patience: Patience) -> str:
    text = str(error)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
        text = f"HTTP {status} {HTTPStatus(status).phrase if status in list(HTTPStatus) else ''}".rstrip()
    elif isinstance(error, requests.ConnectTimeout):
        text = f"no connection within {patience.connect:g} s"
    elif isinstance(error, requests.Timeout) or "timed out" in text:
        text = f"nothing came for {patience.read:g} s"
    elif isinstance(error, ChunkedEncodingError) or "aborted" in text:
        text = "the connection was cut"
    elif isinstance(error, requests.TooManyRedirects):
        text = "it redirects without end"
    elif isinstance(error, requests.ConnectionError):
        cause = error.args[0] if error.args else error
        text = str(getattr(cause, "reason", cause)).rpartition(": ")[2]  # urllib3's own text, whose end says why
    return text


def _asked_to_wait(error: requests.RequestException) -> float:
    asked = "" if error.response is None else error.response.headers.get("Retry-After", "")
    return min(float(asked), _LONGEST_PAUSE) if asked.isdigit() else 0.0
