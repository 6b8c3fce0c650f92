"""A real browser without a window, spoken to through two pipes, with the standard library."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

_CODES = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13}
_CODES |= {"Space": 32, "Tab": 9}
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def browser_path() -> str | None:
    """Where a browser is, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def needed_browser(what: str) -> str:
    """Where a browser is; a test is skipped without one, or fails where .ci/run wants them all.

    Parameters
    ----------
    what : str
        What the browser is needed for, e.g. "look at the report".
    """
    program = browser_path()
    if program is None:
        message = f"there is no chromium here; install it to {what} as a browser does"
        if os.environ.get("WIDEGAP_BROWSER") == "required":
            pytest.fail(message)
        pytest.skip(message)
    return program


class Page:
    """One page of one browser process.

    Parameters
    ----------
    program : str
        The browser.
    folder : Path
        For its profile.
    """

    def __init__(self, program: str, folder: Path) -> None:
        to_them, self._out = os.pipe()
        self._in, from_them = os.pipe()
        shell = f'exec "$0" "$@" 3<&{to_them} 4>&{from_them}'
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options += ["--no-first-run", "--disable-extensions", "--disable-background-networking"]
        options += ["--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", shell, program, *options],
            pass_fds=(to_them, from_them),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_them)
        os.close(from_them)
        os.set_blocking(self._in, False)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait(30)
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + 60.0
        while b"\0" not in self._buffer:
            try:
                self._buffer += os.read(self._in, 1 << 20)
            except BlockingIOError:
                time.sleep(0.005)
            if time.monotonic() > end or self._process.poll() is not None:
                raise TimeoutError("the browser does not answer")
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def open(self, place: Path | str, width: int, height: int = 900, dark: bool = False) -> None:
        """Load a file or an address at a window size, by day or by night."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2,
            mobile=width < 600,
        )
        self.events.clear()
        self.call("Page.navigate", url=place if isinstance(place, str) else place.as_uri())
        end = time.monotonic() + 60.0
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())
            assert time.monotonic() < end

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key, which goes to what has the focus."""
        text = {"Enter": "\r", "Space": " "}.get(key, key if len(key) == 1 else "")
        given = {"key": " " if key == "Space" else key, "code": key}
        if key in _CODES:
            given["windowsVirtualKeyCode"] = _CODES[key]
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **given)
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def wait(self, expression: str, seconds: float = 120.0) -> Any:
        """Value of a JavaScript expression as soon as it is true."""
        end = time.monotonic() + seconds
        while not (found := self.evaluate(expression)):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.1)
        return found

    def picture(self, quality: int = 70) -> bytes:
        """What is to be seen, as WebP."""
        return base64.b64decode(
            self.call("Page.captureScreenshot", format="webp", quality=quality)["data"]
        )

    def complaints(self, own: str = "") -> list[str]:
        """What the console says about the page, and requests to anywhere else.

        Of pages from a server, whose address is ``own``, the errors alone.
        """
        self.evaluate("0")  # lets what is under way arrive
        levels = ("error",) if own else ("error", "warning")
        found = []
        for event in self.events:
            method, parameters = event.get("method"), event.get("params", {})
            if method == "Log.entryAdded" and parameters["entry"]["level"] in levels:
                found.append(parameters["entry"]["text"])
            elif method == "Runtime.exceptionThrown" or (
                method == "Runtime.consoleAPICalled"
                and (not own or parameters["type"] in ("error", "assert"))
            ):
                found.append(json.dumps(parameters))
            elif method == "Network.requestWillBeSent":
                url = parameters["request"]["url"]
                if not url.startswith(("file:", "data:", *([own, "blob:"] if own else []))):
                    found.append(url)
        return found
