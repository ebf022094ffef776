"""As many requests as a server answers: `wrk` where it is installed, otherwise a client of our own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.process import PROJECT

CONNECTIONS = 16
_WRK_SECONDS_MIN = 1
_SCRIPT = Path(__file__).with_name("wrk.lua")
_RESULT = re.compile(r"^RESULT (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests a second were answered, how many failed, and the bytes of an answer."""

    per_s: float
    failed: int
    answer_bytes: float


class Load:
    """Sends the requests of a file over CONNECTIONS kept-alive connections, each waiting for its answer."""

    def __init__(self) -> None:
        self._wrk = shutil.which("wrk")

    @property
    def name(self) -> str:
        """The client that is used, with its version."""
        if self._wrk is None:
            return "an asyncio client (wrk is not installed)"
        shown = subprocess.run([self._wrk, "-v"], capture_output=True, text=True).stdout
        return "wrk " + shown.split()[1] if len(shown.split()) > 1 else "wrk"

    def rate(self, port: int, requests: Path, seconds: float) -> Rate:
        """Send for this long; `requests` has one a line, "path" or "path<TAB>If-None-Match"."""
        done = subprocess.run(
            self._command(port, requests, seconds), cwd=PROJECT, capture_output=True, text=True, check=True
        )
        found = _RESULT.search(done.stdout)
        if found is None:
            raise RuntimeError(f"the load was not measured: {done.stdout}{done.stderr}")
        answered, microseconds, failed, size = map(int, found.groups())
        return Rate(answered / microseconds * 1e6, failed, size / max(answered, 1))

    def _command(self, port: int, requests: Path, seconds: float) -> list[str]:
        if self._wrk is None or seconds < _WRK_SECONDS_MIN:
            client = [sys.executable, "-m", "tests.benchmarks.clients.closed_loop"]
            return [*client, str(port), str(CONNECTIONS), str(seconds), str(requests.resolve())]
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{round(seconds)}s", "--timeout", "10s"]
        url = f"http://127.0.0.1:{port}"
        return [self._wrk, *options, "-s", str(_SCRIPT), url, "--", str(requests.resolve())]
