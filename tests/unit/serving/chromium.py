"""A headless Chromium, driven by its DevTools protocol: no driver and no further package is needed."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_START_SECONDS, _ANSWER_SECONDS = 60, 60


def find() -> str | None:
    """The path of an installed Chromium, or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One browser with one tab; `requests` are the addresses it has asked for."""

    def __init__(self, program: str, profile: Path) -> None:
        options = "--headless --no-sandbox --disable-gpu --hide-scrollbars --remote-debugging-port=0 --no-first-run"
        self._process = subprocess.Popen(
            [program, *options.split(), f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.PIPE, text=True
        )
        address = self._address()
        self._socket = connect(address, max_size=None, open_timeout=_START_SECONDS)
        self._numbers, self._session = itertools.count(1), ""
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Accessibility", "Log"):
            self.send(f"{domain}.enable")

    def _address(self) -> str:
        for line in self._process.stderr or ():
            if found := re.search(r"DevTools listening on (\S+)", line):
                return found[1]
        raise RuntimeError("Chromium ended before it listened")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(20)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of one command; events that come before it are noted."""
        number = next(self._numbers)
        session = {"sessionId": self._session} if self._session else {}
        self._socket.send(json.dumps({"id": number, "method": method, "params": params, **session}))
        while (message := self._receive()).get("id") != number:
            pass
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next event of that name."""
        while (message := self._receive()).get("method") != event:
            pass
        return message["params"]

    def _receive(self) -> dict[str, Any]:
        message = json.loads(self._socket.recv(timeout=_ANSWER_SECONDS))
        params = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        if message.get("method") == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        return message

    def open(self, url: str) -> None:
        """Goes to a page and waits until it is loaded."""
        self.send("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of an expression; a promise is awaited."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"]))
        return found["result"].get("value")

    def press(self, key: str, code: str = "", text: str = "") -> None:
        """One key, as from a keyboard."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        common = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes.get(key, 0)}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Text into what has the focus."""
        self.send("Input.insertText", text=text)

    def show_as(self, width: int, scheme: str = "light", height: int = 900) -> None:
        """Window size, and whether the system is light or dark."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def allow_scripts(self, allowed: bool) -> None:
        """Whether pages may run JavaScript."""
        self.send("Emulation.setScriptExecutionDisabled", value=not allowed)

    def names_by_role(self) -> list[tuple[str, str]]:
        """Role and accessible name of everything a screen reader meets, in order."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        shown = [node for node in nodes if not node.get("ignored")]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in shown if "role" in node]

    def screenshot(self, file: Path, whole: bool = True) -> None:
        """A PNG of the page."""
        taken = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(taken["data"]))
