"""Looking for words that must not show: in answers, logs, arguments, environments and files of a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.end_to_end.client import RELOAD_PATH
from tests.end_to_end.server_process import ServerProcess

PUBLIC = ("/", "/healthz", "/readyz", "/metrics", "/api", "/api/people", "/api/nothing", "/nowhere")
INTERNAL = ("status", "reloads/unknown")


class Traces:
    """Everything that a server shows and leaves, in which none of `words` may be."""

    def __init__(self, server: ServerProcess, words: Sequence[str]) -> None:
        self._server = server
        self._words = [word.encode() for word in words]

    def look(self) -> None:
        """Look at what a running server answers, logs, writes, and tells other processes."""
        client = self._server.client
        replies = [client.get(path) for path in PUBLIC]
        replies += [client.internal(path) for path in INTERNAL]
        replies += [client.get(f"/api/_internal/{path}") for path in INTERNAL]
        replies += [client.request("POST", RELOAD_PATH)]
        for reply in replies:
            self._clean("an answer", str(reply.headers).encode() + reply.body)
        for words in self.arguments():
            self._clean("arguments", words.encode())
        self._look_at_log_and_files()

    def look_at_the_end(self) -> None:
        """Look at what a server that has stopped leaves behind."""
        self._look_at_log_and_files()

    def arguments(self) -> list[str]:
        """The command lines of the server and of every process that it started."""
        return [words for pid in self._pids() for words in _read(pid, "cmdline")]

    def environments(self) -> list[str]:
        """The environments of the processes that it started, without its own."""
        return [words for pid in self._server.others() for words in _read(pid, "environ")]

    def _pids(self) -> list[int]:
        return [self._server.process.pid, *self._server.others()]

    def _look_at_log_and_files(self) -> None:
        log = self._server.log
        self._clean("the log", repr(log.lines).encode() + b"".join(log.faults))
        folder = self._server.repo_path.parent
        for path in folder.glob(f"{self._server.repo_path.name}*/**/*"):
            with contextlib.suppress(FileNotFoundError):  # git and SQLite come and go
                if path.is_file():
                    self._clean(str(path), path.read_bytes())

    def _clean(self, where: str, found: bytes) -> None:
        for word in self._words:
            assert word not in found, f"{where} shows {word!r}: {found[:2000]!r}"


def _read(pid: int, name: str) -> Iterator[str]:
    with contextlib.suppress(OSError):
        yield Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b" ").decode(errors="replace")
