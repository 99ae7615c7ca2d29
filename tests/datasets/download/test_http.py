import errno
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bloodcells.core.errors import InputError
from bloodcells.datasets.download.http import RetryPolicy, download, redact_url
from tests.support.loopback import Site, content, redirect, status

BODY = bytes(range(256)) * 1000


POLICY = RetryPolicy(connect=5, read=5)


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between attempts, which tests do not wait for."""
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    return pauses


def ranges(site: Site, path: str) -> list[str | None]:
    return [headers.get("Range") for headers in site.requests[path]]


def test_a_file_is_downloaded(site: Site, tmp_path: Path) -> None:
    download(site.put("/a", content(BODY)), tmp_path / "a", POLICY)
    assert (tmp_path / "a").read_bytes() == BODY
    assert ranges(site, "/a") == [None]


def test_an_existing_file_is_replaced(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    download(site.put("/a", content(BODY, ranges=True)), tmp_path / "a", POLICY)
    assert (tmp_path / "a").read_bytes() == BODY


def test_an_empty_file_is_downloaded(site: Site, tmp_path: Path) -> None:
    download(site.put("/a", content(b"")), tmp_path / "a", POLICY)
    assert (tmp_path / "a").read_bytes() == b""


def test_a_redirect_is_followed(site: Site, tmp_path: Path) -> None:
    site.put("/b", content(BODY))
    download(site.put("/a", redirect("/b")), tmp_path / "a", POLICY)
    assert (tmp_path / "a").read_bytes() == BODY


def test_endless_redirects_are_an_error(site: Site, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too many redirects"):
        download(site.put("/a", redirect("/a")), tmp_path / "a", POLICY)


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_lasting_error_is_not_retried(site: Site, tmp_path: Path, code: int) -> None:
    with pytest.raises(InputError, match=rf"{site.address}/a: HTTP {code} \w+"):
        download(site.put("/a", status(code)), tmp_path / "a", POLICY)
    assert len(site.requests["/a"]) == 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_temporary_error_is_retried(
    site: Site, slept: list[float], capsys: pytest.CaptureFixture[str], tmp_path: Path, code: int
) -> None:
    download(site.put("/a", status(code), status(code), content(BODY)), tmp_path / "a", POLICY)
    assert capsys.readouterr().err.count(f"HTTP {code}; trying again\n") == 2
    assert (tmp_path / "a").read_bytes() == BODY
    assert slept == [2]  # urllib3 does not wait before the first retry


def test_the_number_of_attempts_is_limited(site: Site, slept: list[float], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"HTTP 500 Internal Server Error \(4 attempts\)"):
        download(site.put("/a", status(500)), tmp_path / "a", POLICY)
    assert slept == [2, 4]


def test_retry_after_is_respected_within_a_limit(site: Site, slept: list[float], tmp_path: Path) -> None:
    responses = [status(503, Retry_After="30"), status(429, Retry_After="86400"), content(BODY)]
    download(site.put("/a", *responses), tmp_path / "a", POLICY)
    assert slept == [30, 60]


def test_an_interrupted_download_is_resumed(site: Site, tmp_path: Path) -> None:
    responses = [content(BODY, cut=100_000, ranges=True, etag='"1"'), content(BODY, ranges=True, etag='"1"')]
    download(site.put("/a", *responses), tmp_path / "a", POLICY)
    assert (tmp_path / "a").read_bytes() == BODY
    first, second = ranges(site, "/a")
    assert first is None
    assert second is not None
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 100_000


def test_without_ranges_an_interrupted_download_starts_again(site: Site, tmp_path: Path) -> None:
    download(site.put("/a", content(BODY, cut=100_000), content(BODY)), tmp_path / "a", POLICY)
    assert (tmp_path / "a").read_bytes() == BODY


def test_the_download_of_a_file_that_changed_starts_again(site: Site, tmp_path: Path) -> None:
    other = BODY[::-1]
    responses = [content(BODY, cut=100_000, ranges=True, etag='"1"'), content(other, ranges=True, etag='"2"')]
    download(site.put("/a", *responses), tmp_path / "a", POLICY)
    assert (tmp_path / "a").read_bytes() == other


def test_a_download_starts_again_if_the_server_refuses_the_range(site: Site, tmp_path: Path) -> None:
    download(site.put("/a", content(BODY, cut=100_000), status(416), content(BODY)), tmp_path / "a", POLICY)
    assert (tmp_path / "a").read_bytes() == BODY
    assert ranges(site, "/a")[2] is None


def test_a_connection_that_is_always_interrupted_is_an_error(site: Site, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the connection was interrupted \(4 attempts\)"):
        download(site.put("/a", content(BODY, cut=10)), tmp_path / "a", POLICY)


def test_a_silent_server_is_an_error(site: Site, tmp_path: Path) -> None:
    awake = threading.Event()
    url = site.put("/a", content(BODY, cut=10, hold=awake))
    try:
        with pytest.raises(InputError, match=r"no data for 0\.1 s"):
            download(url, tmp_path / "a", replace(POLICY, read=0.1, attempts=2))
    finally:
        awake.set()


def test_a_refused_connection_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        with pytest.raises(InputError, match="refused"):
            download(f"http://127.0.0.1:{free.getsockname()[1]}/a", tmp_path / "a", POLICY)


@pytest.mark.parametrize("url", ["http:///a", "http://[", "https://127.0.0.1:port/a"])
def test_a_wrong_url_is_an_error(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError):
        download(url, tmp_path / "a", POLICY)


@pytest.mark.parametrize("length", [True, False])
def test_a_file_that_is_too_large_is_an_error(site: Site, tmp_path: Path, length: bool) -> None:
    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(BODY)

    with pytest.raises(InputError, match="larger than the limit of 100000 bytes"):
        download(site.put("/a", content(BODY) if length else endless), tmp_path / "a", POLICY, limit=100_000)


def test_secrets_in_an_address_are_not_redact_url(site: Site, tmp_path: Path) -> None:
    assert redact_url("https://me:word@host:8/a/b.zip?key=word#word") == "https://host:8/a/b.zip"
    with pytest.raises(InputError) as error:
        download(site.put("/a", status(500)) + "?key=word", tmp_path / "a", POLICY)
    assert "word" not in str(error.value)


def test_a_full_disk_is_not_retried(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def full(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        if mode == "wb":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, mode, *args, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left"):
        download(site.put("/a", content(BODY)), tmp_path / "a", POLICY)
    assert len(site.requests["/a"]) == 1
