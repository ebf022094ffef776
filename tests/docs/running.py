"""Real servers and real shells for the documentation's examples."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

START_TIMEOUT_S = 60
SHELL_TIMEOUT_S = 100
END_TIMEOUT_S = 40
EXAMPLE_URL = "http://127.0.0.1:8080"

# Values that differ from one call to the next, by their name in an answer.
_IDS = frozenset(("requestId", "reloadId", "id", "nextCursor", "score"))
_TIMES = frozenset(
    ("durationMs", "phasesMs", "startedAt", "servedAt", "lastReachedAt", "nextAt", "since", "at")
)
_VOLATILE = _IDS | _TIMES
_TICK = threading.Event()


@dataclass(frozen=True)
class Demo:
    """A running demo: where it listens, its folder, and its webhook's secret."""

    url: str
    folder: Path
    secret: str

    def call(self, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, Any]:
        """The status and JSON document of a request that carries the secret."""
        headers = {"Authorization": f"Bearer {self.secret}"}
        request = Request(self.url + path, body, headers, method=method)
        try:
            with urlopen(request, timeout=START_TIMEOUT_S) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def text(self, path: str) -> str:
        """The body of an open route."""
        with urlopen(self.url + path, timeout=START_TIMEOUT_S) as answer:
            return answer.read().decode()


@contextlib.contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """`livesheets demo` in `folder` on a free port, ready; it ends with the block."""
    command = [sys.executable, "-m", "server", "demo", "--port", "0", "--dir", str(folder)]
    with open(folder.with_name(folder.name + ".log"), "w+b") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        try:
            assert process.stdout is not None
            lines = (line.decode() for line in process.stdout)
            url = next((found[0] for line in lines if (found := re.search(r"http://127[\d.:]+", line))), "")
            assert url, f"the demo did not start: {Path(log.name).read_text()}"
            wait_until_ready(url)
            yield Demo(url, folder, (folder / "secret").read_text().strip())
        finally:
            end(process)
            process.stdout.close()


def wait_until_ready(url: str) -> None:
    """Return when the server at `url` serves data."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(URLError, ConnectionError):
            with urlopen(f"{url}/readyz", timeout=START_TIMEOUT_S):
                return
        _TICK.wait(0.02)
    raise AssertionError(f"{url} did not become ready")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything it started."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run_shell(script: str, folder: Path, **variables: str) -> str:
    """What a bash script prints in `folder`, both streams together; nothing it started is left."""
    scripts = str(Path(sys.executable).parent)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CFP_")} | variables
    environment["PATH"] = f"{scripts}{os.pathsep}{environment['PATH']}"
    process = subprocess.Popen(
        ["bash"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(script.encode(), timeout=SHELL_TIMEOUT_S)
        return output.decode()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def settled(value: Any) -> Any:
    """An answer with everything replaced that differs from one call to the next."""
    if isinstance(value, dict):
        return {
            key: "~" if key in _VOLATILE and inner is not None else settled(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [settled(inner) for inner in value]
    return value
