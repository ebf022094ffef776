"""Running git: fixed arguments, a closed environment, one process group each, and never longer than allowed.

GitPython starts the processes. Its own `kill_after_timeout` leaves helpers such as git-remote-https
behind, so every process gets a session of its own and is ended as a whole group.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

# Without git GitPython refuses to be imported. A missing git is reported where it is needed.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import git as gitpython

from reload.errors import RepositoryError
from reload.repository import priority
from reload.repository.credential import Credential
from reload.repository.environment import Bounds, command_line
from reload.repository.environment import environment as git_environment

TERMINATION_GRACE_S = 1.0
_LOOK_AGAIN_S = 0.002
STDERR_BYTES_MAX = 16_384


class GitFailed(RepositoryError):
    """A git command ended with an error; `stderr` holds its words, `status` its exit status."""

    def __init__(self, command: str, status: int, stderr: str) -> None:
        super().__init__(f"git {command} failed with status {status}: {stderr or 'no message'}")
        self.status = status
        self.stderr = stderr
        self.out_of_memory = "out of memory" in stderr.lower()


class GitTimedOut(RepositoryError):
    """A git command took longer than allowed and was ended with everything it had started."""

    def __init__(self, command: str, deadline_s: float) -> None:
        super().__init__(f"git {command} took longer than {deadline_s:g} s and was ended")


class Process:
    """One running git with pipes; `end` leaves nothing of its process group behind."""

    def __init__(self, guard: object, popen: subprocess.Popen[bytes]) -> None:
        self._guard = guard  # GitPython ends the process when this is collected
        self.popen = popen
        popen.wait = self._wait  # type: ignore[method-assign]  # `communicate` waits by it, too

    @property
    def stdin(self) -> IO[bytes]:
        """Where the process reads from."""
        return cast("IO[bytes]", self.popen.stdin)

    @property
    def stdout(self) -> IO[bytes]:
        """What the process writes."""
        return cast("IO[bytes]", self.popen.stdout)

    def limit_data(self, bytes_max: int) -> None:
        """Let the process have this much memory for its own data at most; files that it maps don't count."""
        if sys.platform == "linux":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                resource.prlimit(self.popen.pid, resource.RLIMIT_DATA, (bytes_max, bytes_max))

    def ask_to_end(self) -> None:
        """Ask the whole group to end, so that git removes its lock files."""
        if self.popen.poll() is None:
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole group: SIGTERM, then SIGKILL. Its pipes stay open for their readers."""
        self.ask_to_end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(TERMINATION_GRACE_S)
        left = self._signal(signal.SIGKILL)
        self.popen.wait()
        # What git started is an orphan now, and ours where this is the first process of a container.
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-self.popen.pid, 0)
        give_up = time.monotonic() + TERMINATION_GRACE_S
        while left and _is_alive(self.popen.pid) and time.monotonic() < give_up:
            time.sleep(_LOOK_AGAIN_S)

    def end(self) -> None:
        """End the whole group and close the pipes; for the thread that uses them."""
        self.kill()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _wait(self, timeout: float | None = None) -> int:
        """Wait for the end and be told at once; the original looks for it after a millisecond or more."""
        if timeout is not None and self.popen.returncode is None and hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                ending, poll = os.pidfd_open(self.popen.pid), select.poll()
                try:
                    poll.register(ending, select.POLLIN)
                    poll.poll(timeout * 1000)
                finally:
                    os.close(ending)
        return subprocess.Popen.wait(self.popen, timeout)

    def _signal(self, number: signal.Signals) -> bool:
        """Whether anybody was left in the group to be told."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, number)
            return True
        return False


def _is_alive(group: int) -> bool:
    """Whether any process of a group has not ended yet, where the system tells (Linux)."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, its_group, *_ = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            if int(its_group) == group and state not in (b"Z", b"X"):
                return True
    return False


class Git:
    """Runs git on one bare repository, with `work_tree` also on files; `stop` ends whatever still runs."""

    def __init__(self, git_dir: Path, work_tree: Path | None = None) -> None:
        self.git_dir = git_dir
        self._work_tree = work_tree
        self._runner = gitpython.Git()
        self._running: set[Process] = set()
        self._guard = threading.Lock()
        self._closed = False

    def start(
        self,
        *arguments: str,
        settings: Iterable[str] = (),
        bounds: Bounds | None = None,
        credential: Credential | None = None,
    ) -> Process:
        """Start `git ARGUMENTS` with pipes; the caller ends it with `finish`."""
        environment, given = git_environment(), tuple(settings)
        if credential is not None:
            environment |= credential.environment()
            given += credential.configuration()
        command = command_line(self.git_dir, given, bounds, self._work_tree)
        with self._guard:
            if self._closed:
                raise RepositoryError("git is not started any more: the server is stopping")
            guard = self._runner.execute(
                [*command, *arguments],
                istream=subprocess.PIPE,
                as_process=True,
                env=environment,
                start_new_session=True,
            )
            popen = cast("subprocess.Popen[bytes]", guard.proc)
            priority.share(popen.pid)
            process = Process(guard, popen)
            self._running.add(process)
        return process

    def finish(self, process: Process) -> None:
        """End a started process and forget it; harmless when it has ended by itself."""
        process.end()
        with self._guard:
            self._running.discard(process)

    def run(
        self,
        *arguments: str,
        given: bytes = b"",
        deadline_s: float | None = None,
        settings: Iterable[str] = (),
        bounds: Bounds | None = None,
        credential: Credential | None = None,
        fails_by: str | None = None,
    ) -> bytes:
        """What `git ARGUMENTS` prints; raises GitFailed or, after `deadline_s` seconds, GitTimedOut.

        `settings` are configuration for this one command, which fails beyond its `bounds`. With
        `credential` git may send that to the remote; without one, what the user's own git gives.
        Where git says `fails_by` it has failed, whatever its status.
        """
        process = self.start(*arguments, settings=settings, bounds=bounds, credential=credential)
        try:
            output, errors = process.popen.communicate(given, timeout=deadline_s)
        except subprocess.TimeoutExpired:
            raise GitTimedOut(arguments[0], deadline_s or 0) from None
        finally:
            self.finish(process)
        words = errors[-STDERR_BYTES_MAX:].decode("utf-8", "replace").strip()
        if process.popen.returncode or (fails_by is not None and fails_by in words):
            words = credential.redact(words) if credential else words
            raise GitFailed(arguments[0], process.popen.returncode, words)
        return output

    @contextlib.contextmanager
    def stream(
        self,
        *arguments: str,
        given: Iterable[bytes] = (),
        settings: Iterable[str] = (),
        data_bytes_max: int | None = None,
    ) -> Iterator[IO[bytes]]:
        """The output of `git ARGUMENTS` as it comes, while `given` is written to it from a thread.

        Raises GitFailed on leaving when git itself failed and the reader did not; its `out_of_memory`
        is set where it asked for more than `data_bytes_max`.
        """
        process = self.start(*arguments, settings=settings)
        if data_bytes_max is not None:
            process.limit_data(data_bytes_max)
        feeder = threading.Thread(target=_feed, args=(process.stdin, given), daemon=True)
        watcher = Collector(cast("IO[bytes]", process.popen.stderr))
        feeder.start()
        watcher.start()
        try:
            yield process.stdout
            process.stdout.close()  # who leaves early has git fail instead of waiting for a reader
            process.popen.wait()
        finally:
            process.kill()
            feeder.join()
            watcher.join()
            self.finish(process)
        if process.popen.returncode:
            raise GitFailed(arguments[0], process.popen.returncode, watcher.text())

    def stop(self) -> None:
        """End every process that still runs and start none any more; callable from any thread."""
        with self._guard:
            self._closed = True
            running = list(self._running)
        for process in running:
            process.ask_to_end()
        for process in running:
            process.kill()

    def pids(self) -> frozenset[int]:
        """The processes that run now."""
        with self._guard:
            return frozenset(process.popen.pid for process in self._running)


class Collector(threading.Thread):
    """Reads a pipe to its end, so that git never blocks on its messages, and keeps the last of it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._kept = b""

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            # Past the pipe's buffer and its lock, which the end of the process would wait for.
            while piece := os.read(self._pipe.fileno(), STDERR_BYTES_MAX):
                self._kept = (self._kept + piece)[-STDERR_BYTES_MAX:]

    def text(self) -> str:
        """What was read, as text."""
        return self._kept.decode("utf-8", "replace").strip()


def _feed(pipe: IO[bytes], given: Iterable[bytes]) -> None:
    with contextlib.suppress(OSError, ValueError):  # git has ended, and says why by itself
        try:
            for piece in given:
                pipe.write(piece)
        finally:
            pipe.close()
