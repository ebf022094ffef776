"""Thousands of reloads in a row: does anything grow?"""

from __future__ import annotations

import os
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.dataset import Dataset, Pushes
from tests.benchmarks.measurements import Recorder, Series
from tests.benchmarks.questions import Questions, search_url
from tests.benchmarks.stand import Served

DATASET = Dataset(10_000, "nested")
LOOK_EVERY = 50
CHANGED_RECORDS = 3
ALLOWED_GROWTH = 1.1
# What is looked at: in words, and its unit.
SUBJECTS = {
    "rss": ("memory, resident", "MiB"),
    "pss": ("memory, proportional", "MiB"),
    "files": ("open files", ""),
    "threads": ("threads", ""),
    "children": ("child processes", ""),
    "wal": ("write-ahead log", "MiB"),
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
        for number in range(1, reloads + 1):
            reload = served.push(pushes, CHANGED_RECORDS)
            for offset in range(3):
                served.caller.get(urls[(3 * number + offset) % len(urls)])
            bench.show("reload", number, reloads)
            if number % LOOK_EVERY == 0 or number == reloads:
                recorder.add(reloads=number, call_ms=reload.call_ms, **_held(served))
    return recorder.series


def _held(served: Served) -> dict[str, float]:
    process = Path(f"/proc/{served.running.popen.pid}")
    state = served.stand.state_file
    log = state.with_name(state.name + "-wal")
    return {
        **served.running.memory_mib(),
        "files": len(os.listdir(process / "fd")),
        "threads": len(os.listdir(process / "task")),
        "children": sum(
            len((task / "children").read_text().split()) for task in (process / "task").iterdir()
        ),
        "wal": log.stat().st_size / (1 << 20) if log.exists() else 0.0,
        "state": state.stat().st_size / (1 << 20),
    }
