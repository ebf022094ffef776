"""A real Chromium for tests, driven through its DevTools protocol; everything of it ends with the test."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.end_to_end.waiting import eventually

DEADLINE_S = 60.0
MESSAGE_BYTES_MAX = 64 << 20
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


def find_chromium() -> str:
    """The path of a Chromium; skips the test where there is none."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium is installed; on Debian or Ubuntu: apt-get install chromium")
    return found


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in `folder`."""
    profile = folder / "profile"
    process = subprocess.Popen(
        [find_chromium(), *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        port, path = eventually(lambda: _listening(profile), "the browser listens").split("\n")
        with asyncio.Runner() as runner:
            connection = runner.run(_connect(f"ws://127.0.0.1:{port}{path}"))
            try:
                yield Browser(runner, connection)
            finally:
                runner.run(_close(connection))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _listening(profile: Path) -> str:
    """Where the browser listens, once it has noted that: port and path."""
    try:
        noted = (profile / "DevToolsActivePort").read_text()
    except FileNotFoundError:
        return ""
    return noted if "\n/" in noted else ""


async def _connect(url: str) -> WebSocketClientConnection:
    return await websocket_connect(url, max_message_size=MESSAGE_BYTES_MAX)


async def _close(connection: WebSocketClientConnection) -> None:
    connection.close()
    while await connection.read_message() is not None:
        pass


class Browser:
    """Opens tabs."""

    def __init__(self, runner: asyncio.Runner, connection: WebSocketClientConnection) -> None:
        self._runner = runner
        self._connection = connection
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []

    def tab(self) -> Tab:
        """A new, empty tab."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        return Tab(self, target, session)

    def call(self, method: str, parameters: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """The result of a DevTools command."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._runner.run(self._send(json.dumps(message | ({"sessionId": session} if session else {}))))
        while True:
            answer = self.next_message()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer)
                result: dict[str, Any] = answer["result"]
                return result

    def next_message(self) -> dict[str, Any]:
        """The next message of the browser; events among them are kept."""
        message: dict[str, Any] = json.loads(self._runner.run(self._read()))
        if "method" in message:
            self.events.append(message)
        return message

    async def _send(self, message: str) -> None:
        await self._connection.write_message(message)

    async def _read(self) -> str | bytes:
        message = await asyncio.wait_for(self._connection.read_message(), DEADLINE_S)
        assert message is not None, "the browser has gone"
        return message


class Tab:
    """One page; `dark`, `width` and `scripts` are how a visitor sees it."""

    def __init__(self, owner: Browser, target: str, session: str) -> None:
        self._owner = owner
        self._target = target
        self._session = session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a DevTools command in this tab."""
        return self._owner.call(method, parameters, self._session)

    def look(self, *, dark: bool = False, width: int = 1200, height: int = 900, scripts: bool = True) -> None:
        """See pages this way from now on."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=phone,
        )  # fmt: skip
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, url: str, **headers: str) -> None:
        """Load a page, every request with these headers, until it and all in it is there."""
        self.call("Network.setExtraHTTPHeaders", headers=headers)
        self.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def wait_for(self, method: str) -> dict[str, Any]:
        """The next event of this kind; its parameters."""
        while True:
            for event in list(self._owner.events):
                if event["method"] == method and event.get("sessionId") == self._session:
                    self._owner.events.remove(event)
                    parameters: dict[str, Any] = event["params"]
                    return parameters
            self._owner.next_message()

    def run(self, script: str) -> Any:
        """The value of a script, awaited where it is a promise."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    @property
    def complaints(self) -> list[str]:
        """What the browser logged so far: violations of policy, failed requests, scripts' errors."""
        seen = [event for event in self._owner.events if event.get("sessionId") == self._session]
        logged = [
            e["params"]["entry"]["text"] + " " + e["params"]["entry"].get("url", "")
            for e in seen
            if e["method"] == "Log.entryAdded"
        ]
        thrown = [str(e["params"]) for e in seen if e["method"] == "Runtime.exceptionThrown"]
        return logged + thrown

    def requests(self) -> list[str]:
        """Every URL that was asked for so far."""
        return [
            event["params"]["request"]["url"]
            for event in self._owner.events
            if event["method"] == "Network.requestWillBeSent" and event.get("sessionId") == self._session
        ]

    def close(self) -> None:
        """Close the tab."""
        self._owner.call("Target.closeTarget", {"targetId": self._target})
        self._owner.events.clear()

    def picture(self, path: Path) -> None:
        """Save the whole page as a PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
