"""A local web server whose responses a test chooses."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Response = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """The responses to each path: one per request, the last one repeatedly."""

    address: str
    responses: dict[str, list[Response]] = field(default_factory=dict)
    requests: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    """The headers of each request, by path."""

    def put(self, path: str, *responses: Response) -> str:
        """Set the responses at `path` and return its URL."""
        self.responses[path] = list(responses)
        return self.address + path


@contextmanager
def serving() -> Iterator[Site]:
    """Run a server within the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            site.requests[path].append(dict(self.headers))
            responses = site.responses.get(path, [status(404)])
            (responses.pop(0) if len(responses) > 1 else responses[0])(self)

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


def status(code: int, **headers: str) -> Response:
    """Respond with this status and an empty body."""

    def response(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return response


def content(
    body: bytes,
    *,
    cut: int | None = None,
    ranges: bool = False,
    etag: str | None = None,
    kind: str = "application/octet-stream",
    hold: threading.Event | None = None,
) -> Response:
    """Respond with `body`.

    Args:
        body: the whole file.
        cut: send only so many bytes of the requested ones, then close the connection.
        ranges: support range requests.
        etag: version of the file.
        kind: media type of the file.
        hold: after the bytes, keep the connection open until this is set.
    """

    def response(handler: BaseHTTPRequestHandler) -> None:
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

    return response


def redirect(address: str) -> Response:
    """Redirect to another URL."""
    return status(302, Location=address)
