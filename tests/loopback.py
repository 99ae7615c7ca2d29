"""A web server on loopback whose every answer a test decides."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """What the server answers: to each path a list of answers, one per request, the last one for ever."""

    address: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    """The headers of each request, by path."""

    def put(self, path: str, *answers: Answer) -> str:
        """Give these answers at `path`; returns its address."""
        self.answers[path] = list(answers)
        return self.address + path


@contextmanager
def serving() -> Iterator[Site]:
    """Run a server for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            site.requests[path].append(dict(self.headers))
            answers = site.answers.get(path, [status(404)])
            (answers.pop(0) if len(answers) > 1 else answers[0])(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(code: int, **headers: str) -> Answer:
    """Answer with this status and nothing else."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def content(
    body: bytes,
    *,
    cut: int | None = None,
    ranges: bool = False,
    etag: str | None = None,
    kind: str = "application/octet-stream",
    hold: threading.Event | None = None,
) -> Answer:
    """Answer with `body`.

    Args:
        body: the whole file.
        cut: send so many bytes of what was asked for, then close the connection.
        ranges: understand a range, and say so.
        etag: the file's version.
        kind: its media type.
        hold: instead of closing after `cut` bytes, send nothing more until this is set.
    """

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = 0
        asked = handler.headers.get("Range")
        if ranges and asked:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if ranges:
            handler.send_header("Accept-Ranges", "bytes")
        if etag:
            handler.send_header("ETag", etag)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        handler.wfile.write(body[start:] if cut is None else body[start : start + cut])
        handler.wfile.flush()
        if hold is not None:
            hold.wait(30)

    return answer


def redirect(address: str) -> Answer:
    """Answer that it is elsewhere."""
    return status(302, Location=address)
