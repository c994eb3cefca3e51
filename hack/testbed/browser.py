"""A browser without a window, by Chromium's protocol over two pipes: what a page shows, asks for, complains of."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localcluster import debian

_PACKAGE = "chromium-headless-shell"
_PROGRAMS = (_PACKAGE, "chromium", "google-chrome")
_SECONDS = 60.0
_FLAGS = (
    "--headless",
    "--no-sandbox",  # root may not have one
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_KEYS = {"Tab": 9, "Enter": 13}


def program() -> str:
    """One that is there, else Debian's smallest (100 MB)."""
    found = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if found is None:
        debian.install(_PACKAGE)
    return found or _PACKAGE


class Browser:
    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._rest = to, back, b""
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        number, until = next(self._numbers), time.monotonic() + _SECONDS
        message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._read(until)).get("id") != number:
            self.events.append(answer)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        found: dict[str, Any] = answer["result"]
        return found

    def event(self, method: str) -> dict[str, Any]:
        """The first one of that name, perhaps one that is still to come."""
        until = time.monotonic() + _SECONDS
        while not (found := [event for event in self.events if event.get("method") == method]):
            self.events.append(self._read(until))
        return found[0]

    def _read(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            readable, _, _ = select.select([self._back], [], [], max(0.0, until - time.monotonic()))
            new = os.read(self._back, 1 << 16) if readable else b""
            if not new:
                raise TimeoutError(f"no answer from the browser in {_SECONDS:.0f} s, or it has ended")
            self._rest += new
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


class Page:
    """One page, and all that has happened while it was loaded and looked at."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self._call(f"{domain}.enable")
        browser.events.clear()
        self._call("Page.navigate", url=url)
        browser.event("Page.loadEventFired")

    @property
    def requests(self) -> list[str]:
        return [event["params"]["request"]["url"] for event in self._events("Network.requestWillBeSent")]

    @property
    def complaints(self) -> list[str]:
        """Errors, warnings and words on the console; what the page's policy has refused is among them."""
        names = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for name in names for event in self._events(name)]

    def look(self, width: int, *, dark: bool = False, media: str = "screen") -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)

    def value(self, expression: str) -> Any:
        """Of JavaScript, as the browser's own console would have it."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"])
        return found["result"].get("value")

    def press(self, key: str) -> None:
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=_KEYS[key], **text)

    def screenshot(self, file: Path, *, height: int | None = None) -> None:
        """The whole page, or as much of it; a file's suffix says in which format."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}
        shot = self._call("Page.captureScreenshot", format=file.suffix[1:], captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    def _events(self, method: str) -> Iterator[dict[str, Any]]:
        return (event for event in self._browser.events if event.get("method") == method)


@contextlib.contextmanager
def opened(file: Path, query: str = "") -> Iterator[Page]:
    """The page in a browser of its own, which ends with the block."""
    words = [program(), *_FLAGS]
    (theirs, to), (back, their) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as home:
        # the browser reads from 3 and writes to 4; a plain sh can put only pipes of one digit there
        shell = ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{their}', "bash", *words, f"--user-data-dir={home}"]
        process = subprocess.Popen(
            shell, pass_fds=(theirs, their), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(theirs)
        os.close(their)
        try:
            yield Page(Browser(to, back), file.as_uri() + query)
        finally:
            process.terminate()
            process.wait(timeout=_SECONDS)
            os.close(to)
            os.close(back)
