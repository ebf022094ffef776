"""How long readers wait while strangers call the webhook and a thousand slow connections are held."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

from reload.repository import priority
from tests.benchmarks.bench import Bench
from tests.benchmarks.dataset import Dataset, git_environment
from tests.benchmarks.measurements import Recorder, Series, percentile
from tests.benchmarks.parts.latency import Found, readers, write_requests
from tests.benchmarks.process import PROJECT
from tests.benchmarks.stand import Served

FLOOD = "tests.benchmarks.clients.flood"
WRONG_CALLS_PER_S = 1_000
SLOW_CONNECTIONS = 1_000
NICENESS = 10
_ENDLESS = 10**9
_WARM_UP_S = 1.0


def measure(bench: Bench, dataset: Dataset) -> Series:
    """Percentiles and failed requests when idle and in the flood, and what it cost, a value a round."""
    recorder = Recorder()
    with bench.stand("door", dataset) as stand, stand.served() as served:
        requests = stand.folder / "requests.txt"
        write_requests(requests, dataset, served)
        idle_mib = served.running.memory_mib()["rss"]
        for number in bench.rounds():
            seconds = bench.plan.open_s if number >= 0 else _WARM_UP_S
            for state in ("idle", "flood") if number % 2 else ("flood", "idle"):
                statuses: dict[str, int] = {}
                with flood(served, statuses) if state == "flood" else contextlib.nullcontext():
                    found = readers(served, requests, seconds)
                    grown_mib = served.running.memory_mib()["rss"] - idle_mib
                if number >= 0:
                    _note(recorder, state, found, statuses, grown_mib)
    return recorder.series


@contextlib.contextmanager
def flood(served: Served, statuses: dict[str, int]) -> Iterator[None]:
    """Strangers for the time of the block; `statuses` is then how often each answer came."""
    command = [sys.executable, "-m", FLOOD, str(served.port), str(_ENDLESS)]
    command += [str(WRONG_CALLS_PER_S), str(SLOW_CONNECTIONS)]
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
        priority.lower(process.pid, NICENESS)  # a stranger's own work is done on other machines
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()  # all slow connections are open
        try:
            yield
        finally:
            process.stdin.close()
        statuses |= json.loads(process.stdout.readline())


def _note(recorder: Recorder, state: str, found: Found, statuses: dict[str, int], grown_mib: float) -> None:
    everything = [latency for latencies in found.latencies_ms.values() for latency in latencies]
    values = {f"p{share:g}_ms": percentile(everything, share / 100) for share in (50, 99)}
    values |= {"failed": found.failed, "grown_mib": grown_mib, "wrong_calls": sum(statuses.values())}
    values["unanswered"] = statuses.get("0", 0)
    recorder.add(**{f"{state}_{name}": value for name, value in values.items()})
