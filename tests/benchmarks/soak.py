"""Thousands of reloads in a row: does anything grow?"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.dataset import Dataset, Pushes
from tests.benchmarks.measurements import Recorder, Series
from tests.benchmarks.process import Caller
from tests.benchmarks.questions import Questions, search_url
from tests.benchmarks.stand import WEBHOOK, Served

DATASET = Dataset(10_000, "nested")
LOOK_EVERY = 50
CHANGED_RECORDS = 3
AT_ONCE = 16
ALLOWED_GROWTH = 1.1
# What is looked at: in words, and its unit.
SUBJECTS = {
    "rss": ("memory, resident", "MiB"),
    "pss": ("memory, proportional", "MiB"),
    "files": ("open files", ""),
    "threads": ("threads", ""),
    "children": ("child processes", ""),
    "wal": ("write-ahead log, at its longest since the look before", "MiB"),
    "state": ("state file", "MiB"),
}


def soak(bench: Bench, reloads: int) -> Series:
    """What the server holds after every LOOK_EVERY reloads; readers read in between."""
    recorder = Recorder()
    with bench.stand("soak", DATASET) as stand, stand.served() as served:
        pushes = Pushes(DATASET, stand.remote)
        questions = Questions(DATASET)
        urls = questions.records(200) + questions.pages(served.caller, 60)
        urls += [search_url(phrase) for phrase in questions.phrases(60)]
        _fill_pools(served, urls, pushes.tip)
        peak_mib = 0.0
        for number in range(1, reloads + 1):
            reload = served.push(pushes, CHANGED_RECORDS)
            peak_mib = max(peak_mib, _log_mib(served))
            for offset in range(3):
                served.caller.get(urls[(3 * number + offset) % len(urls)])
            bench.show("reload", number, reloads)
            if number % LOOK_EVERY == 0 or number == reloads:
                recorder.add(reloads=number, call_ms=reload.call_ms, wal=peak_mib, **_held(served))
                peak_mib = 0.0
    return recorder.series


def _fill_pools(served: Served, urls: list[str], tip: str) -> None:
    """Ask for much at once, so that every thread that the server may have is there before counting."""

    def ask(number: int) -> None:
        with contextlib.closing(Caller(served.port)) as caller:
            caller.get(urls[-1 - number])
            caller.post(WEBHOOK, {"commitHash": tip}, served.credential)

    with ThreadPoolExecutor(AT_ONCE) as people:
        list(people.map(ask, range(len(urls) // 2)))


def _held(served: Served) -> dict[str, float]:
    process = Path(f"/proc/{served.running.popen.pid}")
    return {
        **served.running.memory_mib(),
        "files": len(os.listdir(process / "fd")),
        "threads": len(os.listdir(process / "task")),
        "children": sum(
            len((task / "children").read_text().split()) for task in (process / "task").iterdir()
        ),
        "state": served.stand.state_file.stat().st_size / (1 << 20),
    }


def _log_mib(served: Served) -> float:
    state = served.stand.state_file
    log = state.with_name(state.name + "-wal")
    return log.stat().st_size / (1 << 20) if log.exists() else 0.0
