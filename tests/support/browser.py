"""A headless Chromium that a test drives as a reader would, by keys and clicks; without a network."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("google-chrome", "chromium", "chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
NAMED_KEYS = {"Backspace": 8, "Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}
PATIENCE = 30  # seconds


def find_browser() -> str:
    """Return the browser; without one, skip the test, or fail if the environment promises one."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None and os.environ.get("BLOODCELLS_BROWSER") == "required":
        pytest.fail("BLOODCELLS_BROWSER is `required`, and there is no Chromium here")
    if found is None:
        pytest.skip("no Chromium here to draw the page: `apt-get install chromium` brings one")
    return found


class Page:
    """A page, driven over Chromium's debugging pipe: JSON messages that a NUL ends (--remote-debugging-pipe)."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes, self._received, self._count, self._session = reads, writes, b"", 0, ""
        self._loaded = set[str]()
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")
        self.send("Page.setLifecycleEventsEnabled", enabled=True)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol, and return its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session and not method.startswith("Browser."):
            message["sessionId"] = self._session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            part = os.read(self._reads, 1 << 16)
            assert part, "Chromium has ended"
            self._received += part
        first, self._received = self._received.split(b"\0", 1)
        message: dict[str, Any] = json.loads(first)
        if message.get("method") == "Page.lifecycleEvent" and message["params"]["name"] == "load":
            self._loaded.add(message["params"]["loaderId"])
        return message

    def open(self, path: Path) -> None:
        """Open a file, or open it again."""
        loader = self.send("Page.navigate", url=path.as_uri())["loaderId"]
        while loader not in self._loaded:
            self._message()

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.value(expression):
            assert time.monotonic() < end, f"still not: {expression}"
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """Return what a reader sees of an element: nothing if it is hidden."""
        element = f"document.querySelector({json.dumps(selector)})"
        return str(self.value(f"{element}.checkVisibility() ? {element}.innerText.trim() : ''"))

    def press(self, *keys: str) -> None:
        """Press keys: letters and digits, or names such as Enter."""
        for key in keys:
            code = NAMED_KEYS.get(key, ord(key[0].upper()) if key.isalnum() else 0)
            text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
            about = {"key": key, "windowsVirtualKeyCode": code}
            self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **about, **text)
            self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, selector: str) -> None:
        """Click into the middle of an element."""
        x, y = self.value(
            f"(e => {{ e.scrollIntoView({{block: 'nearest'}}); const r = e.getBoundingClientRect();"
            f"return [r.x + r.width / 2, r.y + r.height / 2] }})(document.querySelector({json.dumps(selector)}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in an input, as its dialog does."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def save_downloads(self, folder: Path) -> None:
        """Let downloads go into a folder."""
        folder.mkdir(exist_ok=True)
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """Set the size of the window, and the color scheme."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path) -> None:
        """Draw what the window shows into a PNG file."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))


@contextmanager
def driven(profile: Path) -> Iterator[Page]:
    """Start a browser whose profile is in a folder, yield its page, and end it; the profile outlives it."""
    command = find_browser()
    from_test, to_test = os.pipe(), os.pipe()

    def connect() -> None:
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (from_test[0], to_test[1])]  # 3 or 4 may be one of them
        os.dup2(ends[0], 3)
        os.dup2(ends[1], 4)

    process = subprocess.Popen(
        [command, *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={profile}"],
        preexec_fn=connect,  # noqa: PLW1509 (it only numbers two pipes)
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(from_test[0])
    os.close(to_test[1])
    try:
        page = Page(to_test[0], from_test[1])
        yield page
        page.send("Browser.close")
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        os.close(to_test[0])
        os.close(from_test[1])
