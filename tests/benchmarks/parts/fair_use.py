"""What one stranger costs the others: long questions by the dozen, and attachments of any size."""

from __future__ import annotations

import contextlib
import http.client
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reload.repository import priority
from tests.benchmarks.bench import Bench
from tests.benchmarks.dataset import BRANCH, SHEET, Dataset, git, git_environment
from tests.benchmarks.measurements import Recorder, Series, percentile
from tests.benchmarks.process import PROJECT
from tests.benchmarks.questions import Questions, search_url
from tests.benchmarks.stand import Served, Stand

STRANGER = "tests.benchmarks.clients.stranger"
CONNECTIONS = 40
READER = "127.0.0.3"
NICENESS = 10
TIMEOUT_S = 60.0
READERS = 8
SIZES = (1 << 10, 32 << 10, 1 << 20)
LARGE_BYTES = 512 << 20
SMOKE_LARGE_BYTES = 16 << 20
_SMOKE_CALLS = 100
_GETS_OF_LARGE, _HEADS_OF_LARGE = 8, 16
_PIECE_BYTES = 1 << 20


def measure(bench: Bench, dataset: Dataset) -> Series:
    """A reader's search alone and beside a stranger, and how memory grows by attachments, a value a round."""
    recorder = Recorder()
    large = LARGE_BYTES if bench.plan.calls > _SMOKE_CALLS else SMOKE_LARGE_BYTES
    with bench.stand("fair-use", dataset) as stand:
        urls = attach(stand, dataset, [*SIZES, large])
        phrases = Questions(dataset).phrases(2 * bench.plan.calls * (bench.plan.rounds + 1))
        with stand.served() as served:
            idle_mib = served.running.memory_mib()["rss"]
            for number in bench.rounds():
                start = 2 * (number + 1) * bench.plan.calls
                asked = phrases[start : start + 2 * bench.plan.calls] or phrases
                _questions(recorder if number >= 0 else Recorder(), served, asked, number)
                requests = _attachments(served, urls, 10 * bench.plan.calls)
                if number >= 0:
                    grown = served.running.memory_mib()["rss"] - idle_mib
                    recorder.add(grown_mib=grown, attachment_requests=requests)
    return recorder.series


# -- questions ---------------------------------------------------------------------------------------


def _questions(recorder: Recorder, served: Served, phrases: list[str], number: int) -> None:
    half = len(phrases) // 2
    states = ("idle", "attack") if number % 2 else ("attack", "idle")
    for state, asked in zip(states, (phrases[:half], phrases[half:]), strict=True):
        with _stranger(served) if state == "attack" else contextlib.nullcontext():
            latencies, failed = _searches(served.port, asked)
        values = {f"p{share}_ms": percentile(latencies, share / 100) for share in (50, 99)}
        recorder.add(
            **{f"{state}_{name}": value for name, value in values.items()}, **{f"{state}_failed": failed}
        )


@contextlib.contextmanager
def _stranger(served: Served) -> Iterator[None]:
    """Somebody at another address who asks long questions for the time of the block."""
    command = [sys.executable, "-m", STRANGER, str(served.port), str(CONNECTIONS), SHEET]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env=git_environment(),
        stdin=pipe,
        stdout=pipe,
        text=True,
        start_new_session=True,
    ) as process:
        priority.lower(process.pid, NICENESS)  # a stranger's own work is done on another machine
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()  # all connections have asked
        try:
            yield
        finally:
            process.stdin.close()
        process.stdout.readline()


def _searches(port: int, phrases: list[str]) -> tuple[list[float], int]:
    """How long each search takes in milliseconds, and how many were not answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, TIMEOUT_S, (READER, 0))
    latencies, failed = [], 0
    with contextlib.closing(connection):
        for phrase in phrases:
            begun = time.perf_counter()
            connection.request("GET", search_url(phrase))
            response = connection.getresponse()
            response.read()
            latencies.append((time.perf_counter() - begun) * 1000)
            failed += response.status != 200
    return latencies, failed


# -- attachments -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attached:
    """An attachment: its URL and its size in bytes."""

    url: str
    size: int


def attach(stand: Stand, dataset: Dataset, sizes: list[int]) -> list[Attached]:
    """Commit files of zeros, a small pack whatever their size, below the first record of the remote."""
    record = dataset.path_of(0)
    index = {"GIT_INDEX_FILE": str((stand.folder / "attachments.index").resolve())}
    _git(stand.remote, index, "read-tree", BRANCH)
    found = []
    for size in sizes:
        name = f"{SHEET}/{record}/{size}.bin"
        oid = _hashed(stand.remote, size)
        _git(stand.remote, index, "update-index", "--add", "--cacheinfo", f"100644,{oid},{name}")
        found.append(Attached(f"/api/_attachments/{name}", size))
    tree = _git(stand.remote, index, "write-tree")
    who = {
        f"GIT_{role}_{part}": "bench@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for part in ("NAME", "EMAIL")
    }
    commit = _git(
        stand.remote,
        index | who,
        "commit-tree",
        tree,
        "-p",
        git(stand.remote, "rev-parse", BRANCH),
        "-m",
        "files",
    )
    git(stand.remote, "update-ref", f"refs/heads/{BRANCH}", commit)
    return found


def _hashed(git_dir: Path, size: int) -> str:
    """The blob of so many zeros, written in pieces."""
    command = ["git", "-c", "core.bigFileThreshold=1m", "hash-object", "-w", "--stdin"]
    with open("/dev/zero", "rb") as zeros:
        head = subprocess.Popen(["head", "-c", str(size)], stdin=zeros, stdout=subprocess.PIPE)
        done = subprocess.run(
            command,
            cwd=git_dir,
            env=git_environment(),
            stdin=head.stdout,
            capture_output=True,
            text=True,
            check=True,
        )
        head.wait()
    return done.stdout.strip()


def _git(git_dir: Path, environment: dict[str, str], *arguments: str) -> str:
    command = ["git", "--git-dir=.", *arguments]
    env = git_environment() | environment
    return subprocess.run(
        command, cwd=git_dir, env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


def _attachments(served: Served, attached: list[Attached], count: int) -> int:
    """Ask for files in every way, eight at once, also for the largest; how many requests that were."""
    *small, large = attached
    source = random.Random(count)
    work = [(source.choice(("GET", "HEAD", "range", "known")), source.choice(small)) for _ in range(count)]
    work += [("GET", large)] * _GETS_OF_LARGE + [("HEAD", large)] * _HEADS_OF_LARGE + [("range", large)]
    source.shuffle(work)
    threads = [
        threading.Thread(target=_ask_all, args=(served.port, work[n::READERS])) for n in range(READERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(work)


def _ask_all(port: int, work: list[tuple[str, Attached]]) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)) as connection:
        tags: dict[str, str] = {}
        for way, each in work:
            headers = {"Range": "bytes=0-0"} if way == "range" else {}
            if way == "known" and each.url in tags:
                headers["If-None-Match"] = tags[each.url]
            connection.request("HEAD" if way == "HEAD" else "GET", each.url, headers=headers)
            response = connection.getresponse()
            while response.read(_PIECE_BYTES):
                pass
            tags[each.url] = response.headers["ETag"]
