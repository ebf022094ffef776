"""A full build in its child process, beside gitsheets.record_list, which only reads and parses."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from reload.build.child import NICENESS, BuildChild, Job
from tests.benchmarks.bench import Bench, in_turn
from tests.benchmarks.dataset import BRANCH, SHEET, Dataset, git, git_environment
from tests.benchmarks.measurements import Recorder, Series
from tests.benchmarks.process import PROJECT


def measure(bench: Bench, dataset: Dataset) -> Series:
    """Milliseconds of the build without the child's start, of that start, and of record_list."""
    recorder = Recorder()
    repository = bench.repository(dataset)
    commit = git(repository, "rev-parse", BRANCH)
    state = bench.cache / "work" / f"full-build-{dataset.name}.db"
    state.parent.mkdir(parents=True, exist_ok=True)
    job = Job(str(repository.resolve()), BRANCH, commit, str(state.resolve()))
    try:
        for number in bench.rounds():
            start_ms = _elapsed_ms(_start_a_child)
            (whole_ms, build_cpu_ms), (list_ms, list_cpu_ms) = in_turn(
                number,
                lambda: _with_cpu(lambda: _built_ms(job, state)),
                lambda: _with_cpu(lambda: _listed_ms(repository, commit, dataset.records)),
            )
            if number >= 0:
                recorder.add(
                    build_ms=whole_ms - start_ms,
                    build_cpu_ms=build_cpu_ms,
                    start_ms=start_ms,
                    list_ms=list_ms,
                    list_cpu_ms=list_cpu_ms,
                    state_mib=state.stat().st_size / (1 << 20),
                )
    finally:
        state.unlink(missing_ok=True)
    return recorder.series


def _with_cpu(work: Callable[[], float]) -> tuple[float, float]:
    """What `work` tells, and the processor's milliseconds that it and its children took, start and all."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return told, spent_s * 1000


def _built_ms(job: Job, state: Path) -> float:
    state.unlink(missing_ok=True)
    child = BuildChild()
    return _elapsed_ms(lambda: child.build(job, lambda done, total: None))


def _start_a_child() -> None:
    """What the child does before its work: Python starts and imports the same modules."""
    command = [sys.executable, "-c", "import reload.build.child"]
    subprocess.run(command, cwd=PROJECT, env=git_environment(), check=True)


def _listed_ms(repository: Path, commit: str, records: int) -> float:
    """record_list in a process of the same priority; only its own time, without the process's start."""
    peer = [sys.executable, "-m", "tests.benchmarks.peers.record_list", str(repository), commit, SHEET]
    done = subprocess.run(
        [*peer, str(NICENESS)], cwd=PROJECT, env=git_environment(), capture_output=True, check=True
    )
    elapsed_ms, found = done.stdout.split()
    if int(found) != records:
        raise RuntimeError(f"record_list found {int(found)} of {records} records")
    return float(elapsed_ms)


def _elapsed_ms(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000
