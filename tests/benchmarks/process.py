"""Processes that are measured: started, waited for, looked at, and ended."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.benchmarks.dataset import git_environment
from tests.ports import free_port

PROJECT = Path(__file__).resolve().parent.parent.parent
START_TIMEOUT_S = 900.0
_POLL_S = 0.002


class Running:
    """A process of its own group that ends with the block; its messages go to a file."""

    def __init__(
        self, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        with open(log, "ab") as messages:
            self.popen = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=PROJECT,
                env=git_environment() | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                start_new_session=True,
            )

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the process, politely first; nothing of its group is left."""
        self.popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def messages(self) -> list[str]:
        """The lines that the process has logged."""
        with open(self.log, "rb") as file:
            file.seek(self._log_start)
            return file.read().decode("utf-8", "replace").splitlines()

    def require_alive(self) -> None:
        """Raise with the last messages where the process has ended."""
        if self.popen.poll() is not None:
            raise RuntimeError("the process ended:\n" + "\n".join(self.messages()[-15:]))

    def wait_for(self, port: int, path: str) -> None:
        """Wait until a GET is answered with 200."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self.require_alive()
            with contextlib.suppress(OSError, http.client.HTTPException):
                if get(port, path)[0] == 200:
                    return
            time.sleep(_POLL_S)
        raise TimeoutError(f"no answer on port {port} after {START_TIMEOUT_S:g} s")

    def memory_mib(self) -> dict[str, float]:
        """Resident (`rss`) and proportional (`pss`) memory of the process itself, in MiB."""
        text = Path(f"/proc/{self.popen.pid}/smaps_rollup").read_text()
        fields = {line.split(":")[0]: line.split() for line in text.splitlines()[1:]}
        return {name.lower(): int(fields[name][1]) / 1024 for name in ("Rss", "Pss")}


def get(port: int, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    """One GET on a connection of its own: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


class Caller:
    """A kept-alive connection, so that measured calls pay for no connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self._connection.connect()
        assert self._connection.sock is not None
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str) -> bytes:
        """The body of a GET that must be answered with 200."""
        self._connection.request("GET", path)
        return self._body()

    def post(self, path: str, document: object, headers: Mapping[str, str]) -> dict[str, object]:
        """The answer to a POST of JSON that must be answered with 200."""
        self._connection.request("POST", path, json.dumps(document).encode(), dict(headers))
        answer = json.loads(self._body())
        assert isinstance(answer, dict)
        return answer

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _body(self) -> bytes:
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"answered {response.status}: {body[:500]!r}")
        return body


@contextlib.contextmanager
def serving(
    arguments: Sequence[str], log: Path, path: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Running, int]]:
    """A process with `{port}` among its arguments put in, from when it answers `path`; its port."""
    port = free_port()
    filled = [argument.replace("{port}", str(port)) for argument in arguments]
    with Running(filled, log, environment) as running:
        running.wait_for(port, path)
        yield running, port
