"""A full build in a child process: killable, at low priority, so that readers do not feel it.

The child reads one line of JSON, its job, and writes lines of JSON: progress, then one result. It ends
when its standard input does, so it never outlives the server. Nothing is unpickled, and a child that
ends without a whole result has failed, whatever its exit status.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import orjson

from reload.build.disk_full import failed_build
from reload.build.scratch import build_from_scratch
from reload.errors import BuildFailed, DataRejected, DiskFull, Problem, ReloadError
from reload.records.policy import DataPolicy
from reload.repository import priority
from reload.repository.repository import Repository
from reload.snapshot.failures import SQLITE_ERROR

BUILD_DEADLINE_S = 900.0
BUILD_MEMORY_BYTES_MAX = 8 << 30
NICENESS = 10
_PROGRESS_INTERVAL_S = 0.2
_MESSAGE_BYTES_MAX = 8_192
# PROBLEMS_MAX problems, however long: a character of a message or a path is six bytes of JSON at most.
_RESULT_BYTES_MAX = 8 << 20
# -P: a module of the same name in the working directory does not count.
COMMAND = (sys.executable, "-P", "-m", "reload.build.child")


@dataclass(frozen=True, slots=True)
class Job:
    """What the child builds: the commit of a repository, into a new file, under a policy."""

    git_dir: str
    branch: str
    commit: str
    path: str
    policy: DataPolicy = field(default_factory=DataPolicy)


class BuildChild:
    """Runs one child at a time; `close` ends it."""

    def __init__(self, deadline_s: float = BUILD_DEADLINE_S, command: Sequence[str] = COMMAND) -> None:
        self._deadline_s = deadline_s
        self._command = list(command)
        self._child: subprocess.Popen[bytes] | None = None
        self._ended: list[int] = []  # the child, and what it had started when it was ended
        self._guard = threading.Lock()
        self._closed = False

    def build(self, job: Job, on_progress: Callable[[int, int], None]) -> None:
        """Build in a child and wait for it; raises DataRejected or BuildFailed."""
        child = self._start()
        late = threading.Event()
        timer = threading.Timer(self._deadline_s, self._end_late, (child, late))
        timer.start()
        errors: list[bytes] = []
        listener = threading.Thread(target=lambda: errors.append(_tail(cast("IO[bytes]", child.stderr))))
        listener.start()
        try:
            result = _converse(child, job, on_progress)
        finally:
            timer.cancel()
            self._kill(child)
            status = child.wait()
            _await(self._ended)
            listener.join()
            for pipe in (child.stdin, child.stdout, child.stderr):
                cast("IO[bytes]", pipe).close()
            self._child = None
        if result is None and late.is_set():
            raise BuildFailed(f"the build took longer than {self._deadline_s:g} s and was ended")
        _raise_for(job, result, status, b"".join(errors).decode("utf-8", "replace").strip())

    def _start(self) -> subprocess.Popen[bytes]:
        with self._guard:
            if self._closed:
                raise BuildFailed("the server is stopping")
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
                start_new_session=True,
            )
            priority.lower(self._child.pid, NICENESS)
            return self._child

    def close(self) -> None:
        """End the child, if one runs, and start none any more."""
        with self._guard:
            self._closed = True
            if self._child is not None:
                self._kill(self._child)

    def _end_late(self, child: subprocess.Popen[bytes], late: threading.Event) -> None:
        late.set()
        self._kill(child)

    def _kill(self, child: subprocess.Popen[bytes]) -> None:
        """End the child with every git that it started, each of which leads a group of its own."""
        ended = [child.pid, *_started_by(child.pid)]
        self._ended += ended
        for pid in ended:
            for kill in (os.killpg, os.kill):  # what it starts in this moment is in its group
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(pid, signal.SIGKILL)


def _started_by(pid: int) -> list[int]:
    """The processes that a process has started, each before those that it has; none without /proc."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for listing in Path(f"/proc/{pid}/task").glob("*/children"):
            for each in map(int, listing.read_text().split()):
                found += [each, *_started_by(each)]
    return found


def _await(ended: list[int]) -> None:
    """Take the ends of orphans and of their groups, ours where this is the first process of a container.

    Parents come first: before they have ended, what they started is theirs.
    """
    while ended:
        pid = ended.pop(0)
        for whom in (pid, -pid):
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(whom, 0):
                    pass


def _tail(pipe: IO[bytes]) -> bytes:
    kept = b""
    for line in pipe:
        kept = (kept + line)[-_MESSAGE_BYTES_MAX:]
    return kept


def _converse(
    child: subprocess.Popen[bytes], job: Job, on_progress: Callable[[int, int], None]
) -> dict[str, Any] | None:
    """Give the child its job and follow it to its result, None where it ended without one."""
    stdin, stdout = cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout)
    with contextlib.suppress(BrokenPipeError):
        stdin.write(orjson.dumps(asdict(job)) + b"\n")
        stdin.flush()
    while line := stdout.readline(_RESULT_BYTES_MAX):
        message = _message(line)
        if isinstance(message.get("done"), int) and isinstance(message.get("total"), int):
            on_progress(message["done"], message["total"])
        elif message.keys() & {"built", "failed", "problems"}:
            return message
    return None


def _message(line: bytes) -> dict[str, Any]:
    """One message of the child; an empty one where the line is whatever a library printed."""
    with contextlib.suppress(orjson.JSONDecodeError):
        message = orjson.loads(line)
        if isinstance(message, dict):
            return message
    return {}


def _raise_for(job: Job, result: dict[str, Any] | None, status: int, errors: str) -> None:
    if result is None:
        how = f"signal {-status}" if status < 0 else f"status {status}"
        last = errors.splitlines()[-1] if errors else "no message"
        raise BuildFailed(f"the build child ended by {how} without a result: {last}")
    if "failed" in result:
        full = result.get("reason") == DiskFull.reason
        raise (DiskFull if full else BuildFailed)(str(result["failed"]))
    if "problems" in result:
        try:
            problems = [Problem(**problem) for problem in result["problems"]]
            counts = {name: int(count) for name, count in dict(result["counts"]).items()}
            raise DataRejected(job.commit, problems, counts)
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise BuildFailed(f"the build child's result is not understood: {error}") from error


def main() -> None:
    """The child: one job from standard input, progress and one result on standard output."""
    gc.disable()  # records make no cycles, and what there is ends with the process
    resource.setrlimit(resource.RLIMIT_AS, (BUILD_MEMORY_BYTES_MAX, BUILD_MEMORY_BYTES_MAX))
    given = orjson.loads(sys.stdin.buffer.readline())
    job = Job(**given | {"policy": DataPolicy(**given["policy"])})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _say(_result_of(job))


def _result_of(job: Job) -> dict[str, Any]:
    repository = Repository(Path(job.git_dir), job.branch, remote=False, timeout_s=0)
    try:
        build_from_scratch(repository, job.commit, Path(job.path), _Reporter().report, job.policy)
        with open(job.path, "rb") as built:
            os.fsync(built.fileno())
        return {"built": job.path}
    except DataRejected as error:
        problems = [asdict(problem) for problem in error.problems]
        return {"problems": problems, "counts": error.counts}
    except (ReloadError, SQLITE_ERROR, OSError, MemoryError) as error:
        failed = failed_build(error)
        return {"failed": str(failed), "reason": failed.reason}
    finally:
        repository.close()


class _Reporter:
    """Tells how far the build is, a few times a second."""

    def __init__(self) -> None:
        self._last = 0.0

    def report(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= _PROGRESS_INTERVAL_S or done == total:
            self._last = now
            _say({"done": done, "total": total})


def _say(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
    sys.stdout.buffer.flush()


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
