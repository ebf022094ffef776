"""One git process that answers request after request, over pipes."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Sequence
from typing import IO, cast

from reload.errors import RepositoryError
from reload.repository.command import Collector, Git, Process


class Coprocess:
    """A git process that answers one request after another, started when first needed.

    For use by one thread at a time. `ask` starts another process where the last one has died, or would
    keep packs on the disk that a repack has replaced; `go_on` never does, for what only that one
    process knows.
    """

    def __init__(self, git: Git, arguments: Sequence[str], data_bytes_max: int | None = None) -> None:
        self._git = git
        self._arguments = arguments
        self._data_bytes_max = data_bytes_max
        self._process: Process | None = None
        self._messages: Collector | None = None
        self._repacked_at_ns = 0
        self.status: int | None = None  # how the last process ended
        self.starts = 0  # how many processes there have been

    def ask(self, request: bytes) -> IO[bytes]:
        """Send one request (with its newline) and return where the answer is read from."""
        repacked_at_ns = self._last_repack_ns()
        if self._process is not None and (
            self._process.popen.poll() is not None or self._repacked_at_ns != repacked_at_ns
        ):
            self.close()
        if self._process is None:
            self._repacked_at_ns = repacked_at_ns
            self._process = self._git.start(*self._arguments)
            if self._data_bytes_max is not None:
                self._process.limit_data(self._data_bytes_max)
            self._messages = Collector(cast("IO[bytes]", self._process.popen.stderr))
            self._messages.start()
            self.starts += 1
        return self.go_on(request)

    def go_on(self, request: bytes) -> IO[bytes]:
        """Like `ask`, of the very process that was asked last; raises RepositoryError where it has ended."""
        if self._process is None:
            raise self._ended("nothing was asked of it yet")
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._ended(self.close() or str(error)) from error
        return self._process.stdout

    @property
    def stdout(self) -> IO[bytes]:
        """Where the rest of an answer is read from, after its first line."""
        assert self._process is not None
        return self._process.stdout

    def line(self, request: bytes, *, go_on: bool = False, deadline_s: float | None = None) -> bytes:
        """The line that answers a request; raises RepositoryError where git ends before or takes longer."""
        output = self.go_on(request) if go_on else self.ask(request)
        if deadline_s is not None and not _readable(output, deadline_s):
            self.close()
            raise self._ended(f"no answer within {deadline_s:g} s")
        line = output.readline()
        if not line.endswith(b"\n"):  # what is not answered must never pass for an answer
            raise self._ended(self.close() or "no message")
        return line

    def close(self) -> str:
        """End the process, the next request starts another; what it said on standard error."""
        process, messages = self._process, self._messages
        self._process = self._messages = None
        if process is None or messages is None:
            return ""
        process.kill()
        messages.join()
        self._git.finish(process)
        self.status = process.popen.returncode
        return messages.text()

    def _last_repack_ns(self) -> int:
        """When packs were last replaced, by whomever: `git repack` lists them in a file then."""
        with contextlib.suppress(OSError):
            return (self._git.git_dir / "objects" / "info" / "packs").stat().st_mtime_ns
        return 0

    def _ended(self, why: str) -> RepositoryError:
        return RepositoryError(f"git {self._arguments[0]} ended unexpectedly: {why}")


def _readable(pipe: IO[bytes], deadline_s: float) -> bool:
    """Whether something, or the end, can be read within `deadline_s` seconds."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    with contextlib.suppress(OSError):
        return bool(poll.poll(deadline_s * 1000))
    return False
