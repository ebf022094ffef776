"""A test stand: a remote, a server that serves a clone of it, and clones for bare git."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reload.snapshot.state_folder import CURRENT
from tests.benchmarks.dataset import BRANCH, Dataset, Pushes, git_environment
from tests.benchmarks.floor import Floor, PlainFetch
from tests.benchmarks.git_trace import GitTrace
from tests.benchmarks.process import Caller, Running, serving

WEBHOOK = "/api/_internal/reload-data"


@dataclass(frozen=True, slots=True)
class Reload:
    """One call of the webhook, in milliseconds: as its caller saw it, and of that in gits that ended."""

    call_ms: float
    git_ms: float
    phases_ms: dict[str, float]
    answer: dict[str, object]


class Stand:
    """A folder with a remote and clones of it; the server runs inside `served`."""

    def __init__(self, folder: Path, dataset: Dataset, source: Path) -> None:
        self.folder = folder
        self.dataset = dataset
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.remote = self._clone(source, "remote.git")
        self.data = self._clone(self.remote, "data.git")
        self.secret = secrets.token_hex(24)
        self.trace = GitTrace(folder / "git.trace")

    def _clone(self, source: Path, name: str) -> Path:
        path = self.folder / name
        command = ["git", "clone", "-q", "--bare", "--template=", "-b", BRANCH, str(source), str(path)]
        subprocess.run(command, env=git_environment(), check=True)
        return path

    def floor(self) -> Floor:
        """A clone in which bare git does what a reload asks of git, traced as the server's git is."""
        trace = GitTrace(self.folder / "floor.trace")
        return Floor(self._clone(self.remote, "floor.git"), trace)

    def plain_fetch(self) -> PlainFetch:
        """A clone that a user updates by `git fetch`."""
        return PlainFetch(self._clone(self.remote, "plain.git"))

    def environment(self) -> dict[str, str]:
        """The settings of the server."""
        return {
            "CFP_DATA_REPO_PATH": str(self.data.resolve()),
            "CFP_DATA_REMOTE": str(self.remote.resolve()),
            "CFP_DATA_RELOAD_SECRET": self.secret,
            "CFP_LOG_FORMAT": "json",
        }

    @contextlib.contextmanager
    def started(self, extra: Mapping[str, str] | None = None) -> Iterator[Served]:
        """The server, from when it is ready; `extra` is added to its environment."""
        environment = self.environment() | dict(extra or {})
        arguments = ["-m", "server", "serve", "--host", "127.0.0.1", "--port", "{port}"]
        with serving(arguments, self.folder / "server.log", "/readyz", environment) as (running, port):
            caller = Caller(port)
            try:
                yield Served(self, running, port, caller)
            finally:
                caller.close()

    @contextlib.contextmanager
    def served(self, extra: Mapping[str, str] | None = None) -> Iterator[Served]:
        """The server, from when it has also asked the remote, as it does after its start."""
        with self.started(extra) as served:
            served.ask_for_reload()
            yield served

    @property
    def state_file(self) -> Path:
        """The server's state file."""
        return (self.folder / "data.git.state" / CURRENT).resolve()

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Served:
    """A running server on its stand."""

    def __init__(self, stand: Stand, running: Running, port: int, caller: Caller) -> None:
        self.stand = stand
        self.running = running
        self.port = port
        self.caller = caller

    @property
    def credential(self) -> dict[str, str]:
        """The header that the webhook asks for."""
        return {"Authorization": f"Bearer {self.stand.secret}"}

    def reload(self, commit: str) -> Reload:
        """Call the webhook; the time counts from sending it until its 200 is here."""
        self.stand.trace.commands_ms()
        begun = time.perf_counter()
        answer = self.ask_for_reload(commitHash=commit)
        call_ms = (time.perf_counter() - begun) * 1000
        if answer["newCommit"] != commit:
            raise RuntimeError(f"{commit} was announced, and this came: {answer}")
        phases = answer["phasesMs"]
        assert isinstance(phases, dict)
        return Reload(call_ms, sum(self.stand.trace.commands_ms().values()), phases, answer)

    def ask_for_reload(self, **members: str) -> dict[str, object]:
        """Call the webhook and wait for its 200."""
        return self.caller.post(WEBHOOK, {"branch": BRANCH, **members}, self.credential)

    def push(self, pushes: Pushes, records: int) -> Reload:
        """Prepare and publish a change of some records, and reload it."""
        commit, _ = pushes.prepare(records)
        pushes.publish(commit)
        return self.reload(commit)
