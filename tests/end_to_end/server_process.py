"""The real server as a child process: on a free port, watched through its log, ended without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from tests.end_to_end.client import SECRET, Client, Reply
from tests.end_to_end.waiting import DEADLINE_S, eventually

PROJECT = Path(__file__).resolve().parent.parent.parent
EXIT_DEADLINE_S = 45.0
_MARK = "LIVESHEETS_TEST_RUN"

Settings = dict[str, str | None]
Serve = Callable[..., "ServerProcess"]


def command(*arguments: str) -> list[str]:
    """The command line of `livesheets ARGUMENTS`."""
    return [sys.executable, "-m", "server", *arguments]


def run_command(*arguments: str, **settings: str | None) -> subprocess.CompletedProcess[str]:
    """`livesheets ARGUMENTS`, run to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=PROJECT,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=EXIT_DEADLINE_S,
    )


def environment(settings: Settings) -> dict[str, str]:
    """The tests' environment without settings of its own, and with `settings`; None is unset."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CFP_")}
    given = {name: value for name, value in settings.items() if value is not None}
    return inherited | {"PYTHONPATH": str(PROJECT)} | given


class Log:
    """The log of a process as it comes: `lines` are JSON objects, anything else is a fault."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.lines: list[dict[str, Any]] = []
        self.faults: list[bytes] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()

    def of(self, event: str, **values: object) -> list[dict[str, Any]]:
        """The lines of an event that have these values."""
        return [
            line
            for line in list(self.lines)
            if line.get("event") == event and all(line.get(key) == value for key, value in values.items())
        ]

    def wait_for(self, event: str, **values: object) -> dict[str, Any]:
        """The first line of an event that has these values, once it is there."""
        with self._news:
            self._news.wait_for(lambda: self._ended or self.of(event, **values), DEADLINE_S)
        seen = self.of(event, **values)
        assert seen, f"no log line {event} {values}; there are {self.lines[-20:]} {self.faults}"
        return seen[0]

    def close(self) -> None:
        """Wait until everything is read."""
        self._reader.join(DEADLINE_S)

    def _read(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            with self._news:
                self._take(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _take(self, line: bytes) -> None:
        try:
            self.lines.append(json.loads(line))
        except ValueError:
            self.faults.append(line)


class ServerProcess:
    """`livesheets serve`, or another command that serves, in a process of its own.

    `folder` holds its repository. `settings` are environment variables; None takes one out.
    """

    process: subprocess.Popen[bytes]
    log: Log
    client: Client

    def __init__(self, folder: Path, remote: Path | str | None, **settings: str | None) -> None:
        self.repo_path = folder / "data.git"
        self.state_path = folder / "data.git.state"
        self._mark = uuid.uuid4().hex
        defaults: Settings = {
            "CFP_DATA_REPO_PATH": str(self.repo_path),
            "CFP_DATA_REMOTE": None if remote is None else str(remote),
            "CFP_DATA_RELOAD_SECRET": SECRET,
            "CFP_LOG_FORMAT": "json",
            "CFP_FAILED_ATTEMPTS": "0",  # all tests are one peer
        }
        self.settings = defaults | settings

    def start(self, *arguments: str) -> ServerProcess:
        """Start it and wait until it listens; `arguments` take the place of `serve --port 0`."""
        self.process = subprocess.Popen(
            command(*(arguments or ("serve", "--port", "0"))),
            cwd=PROJECT,
            env=environment(self.settings) | {_MARK: self._mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.log = Log(cast("IO[bytes]", self.process.stderr))
        self.client = Client(int(self.log.wait_for("server.started")["port"]))
        return self

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process.poll() is None

    def ready(self, commit: str | None = None) -> Reply:
        """The answer of /readyz once data is served, and `commit` where that is given."""

        def look() -> Reply | None:
            reply = self.client.get("/readyz")
            return reply if reply.status == 200 and commit in (None, reply.json["commit"]) else None

        return cast("Reply", eventually(look, f"serves {commit or 'any commit'}"))

    def stop(self) -> None:
        """End it with SIGTERM; it must end as `ended` says."""
        self.process.send_signal(signal.SIGTERM)
        self.ended(0)

    def ended(self, status: int) -> None:
        """Wait for its end: this exit status, a log without crashes, and no process left behind."""
        found = self.process.wait(EXIT_DEADLINE_S)
        self._close()
        assert found == status, f"exit status {found}: {self.log.lines[-5:]} {self.log.faults}"
        eventually(lambda: not self.others(), "every process that the server started has ended")
        for event in ("request.crashed", "server.drain_ended"):
            assert not self.log.of(event), self.log.of(event)
        assert not self.log.faults

    def kill(self, *, all_of_it: bool = False) -> None:
        """End it with SIGKILL; `all_of_it`: together with git and builds, as when a container dies."""
        processes = [self.process.pid, *(self.others() if all_of_it else ())]
        # Stopped first, so that none can tidy up when it sees another one die.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        self.process.wait(DEADLINE_S)
        self._close()

    def others(self) -> list[int]:
        """The processes that it started, directly or not, and that still run; needs Linux's /proc."""
        wanted = f"{_MARK}={self._mark}".encode()
        return [pid for pid, environ in _environments() if wanted in environ and pid != self.process.pid]

    def clean_up(self) -> None:
        """Stop it if it runs, and leave nothing running however that went."""
        try:
            if self.running:
                self.stop()
        finally:
            self.kill(all_of_it=True)

    def _close(self) -> None:
        self.log.close()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def servers() -> Iterator[Serve]:
    """Gives `serve(folder, remote, NAME=value)`, which starts a server; all are stopped in the end."""
    with contextlib.ExitStack() as started:

        def serve(folder: Path, remote: Path | str | None, **settings: str | None) -> ServerProcess:
            server = ServerProcess(folder, remote, **settings)
            started.callback(server.clean_up)
            return server.start()

        yield serve


def _environments() -> Iterator[tuple[int, bytes]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield int(folder.name), (folder / "environ").read_bytes()
