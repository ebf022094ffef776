"""How long readers wait at 300 requests a second: idle, during full builds, during a storm of reloads."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.dataset import Dataset, Pushes, git_environment
from tests.benchmarks.measurements import Recorder, Series, percentile
from tests.benchmarks.process import PROJECT
from tests.benchmarks.questions import Questions, search_url
from tests.benchmarks.stand import Reload, Served

RATE_PER_S = 300
# Of every ten requests; pages and searches are drawn from more than the response cache holds.
MIX = {"record": 8, "page": 1, "search": 1}
_WARM_UP_S = 1.0
SHARES = (0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0)


@dataclass(frozen=True, slots=True)
class Found:
    """What the readers tell: latencies by kind of request, and how many requests failed."""

    latencies_ms: dict[str, list[float]]
    failed: int


def measure(bench: Bench, dataset: Dataset) -> Series:
    """Percentiles and failed requests of each state, a value a round; the curves over all rounds."""
    recorder = Recorder()
    pooled: dict[str, list[float]] = {"idle": [], "build": [], "storm": []}
    with bench.stand("latency", dataset) as stand, stand.served() as served:
        pushes = Pushes(dataset, stand.remote)
        requests = stand.folder / "requests.txt"
        write_requests(requests, dataset, served)
        for number in bench.rounds():
            states: list[str] = list(pooled)
            for state in states[number % 3 :] + states[: number % 3]:
                seconds = bench.plan.open_s if number >= 0 else _WARM_UP_S
                commits = _commits(state, pushes, served, seconds)
                found, reloads = _during(served, pushes, commits, requests, seconds)
                if number >= 0:
                    pooled[state] += _note(recorder, state, found, reloads)
    curves = {f"{state}_curve_ms": [percentile(all_, s) for s in SHARES] for state, all_ in pooled.items()}
    return recorder.series | curves


def _note(recorder: Recorder, state: str, found: Found, reloads: list[Reload]) -> list[float]:
    everything = [latency for latencies in found.latencies_ms.values() for latency in latencies]
    values = {"p50_ms": percentile(everything, 0.5), "p99_ms": percentile(everything, 0.99)}
    values |= {"max_ms": max(everything), "failed": found.failed, "reloads": len(reloads)}
    for kind, latencies in found.latencies_ms.items():
        values[f"{kind}_p99_ms"] = percentile(latencies, 0.99)
    if reloads:
        values["reload_ms"] = sum(reload.call_ms for reload in reloads) / len(reloads)
    recorder.add(**{f"{state}_{name}": value for name, value in values.items()})
    return everything


def write_requests(path: Path, dataset: Dataset, served: Served) -> None:
    """What readers ask, one a line, for the open loop."""
    questions = Questions(dataset)
    several = 1_500
    urls = {
        "record": questions.records(several * MIX["record"]),
        "page": questions.pages(served.caller, 600),
        "search": [search_url(phrase) for phrase in questions.phrases(several)],
    }
    source = random.Random(6)
    kinds = [kind for kind, share in MIX.items() for _ in range(share)]
    lines = [f"{kind}\t{source.choice(urls[kind])}" for kind in kinds * several]
    source.shuffle(lines)
    path.write_text("\n".join(lines))


def _commits(state: str, pushes: Pushes, served: Served, seconds: float) -> Iterator[str]:
    """Pushes to reload while readers read.

    A change of the definition, which makes everything be built from scratch, is prepared when it is
    needed. Changes of a record take longer to prepare, so enough of them are made before.
    """
    if state == "idle":
        return iter(())
    if state == "build":
        return iter(pushes.prepare_definition, "")
    lasted_s = served.push(pushes, 1).call_ms / 1000
    return iter([pushes.prepare(1)[0] for _ in range(int(1.5 * seconds / lasted_s) + 2)])


def _during(
    served: Served, pushes: Pushes, commits: Iterator[str], requests: Path, seconds: float
) -> tuple[Found, list[Reload]]:
    """What readers found while the commits were reloaded one after another."""
    ended = threading.Event()
    reloads: list[Reload] = []
    failures: list[Exception] = []

    def reload_all() -> None:
        try:
            for commit in commits:
                if ended.is_set():
                    break
                pushes.publish(commit)
                reloads.append(served.reload(commit))
        except Exception as error:  # raised below, in the thread that measures
            failures.append(error)

    reloading = threading.Thread(target=reload_all)
    reloading.start()
    try:
        found = readers(served, requests, seconds)
    finally:
        ended.set()
        reloading.join()
    for failure in failures:
        raise failure
    return found, reloads


def readers(served: Served, requests: Path, seconds: float) -> Found:
    """What readers find who come RATE_PER_S times a second for so long."""
    command = [sys.executable, "-m", "tests.benchmarks.clients.open_loop", str(served.port)]
    command += [str(RATE_PER_S), str(seconds), str(requests.resolve())]
    done = subprocess.run(command, cwd=PROJECT, env=git_environment(), capture_output=True, check=True)
    return Found(**json.loads(done.stdout))
