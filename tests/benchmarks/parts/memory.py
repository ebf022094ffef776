"""Memory of the server's process with all records, beside the same server with a single record."""

from __future__ import annotations

import time

from tests.benchmarks.bench import Bench
from tests.benchmarks.dataset import Dataset, Pushes
from tests.benchmarks.measurements import Recorder, Series
from tests.benchmarks.questions import Questions, search_url
from tests.benchmarks.stand import Served, Stand

_RELOADS = 5
_SETTLED_MIB = 0.25
_SETTLE_S = 0.5
_DEADLINE_S = 10.0
Memory = dict[str, float]


def measure(bench: Bench, dataset: Dataset) -> Series:
    """MiB that are resident after the same work on both; each round starts both servers again."""
    recorder = Recorder()
    empty = Dataset(1, dataset.layout)
    with bench.stand("memory", dataset) as stand, bench.stand("memory-empty", empty) as empty_stand:
        pushes = [Pushes(each.dataset, each.remote) for each in (stand, empty_stand)]
        for number in bench.rounds(most=3):
            full = _settled(stand, pushes[0], bench.plan.calls)
            least = _settled(empty_stand, pushes[1], bench.plan.calls)
            if number >= 0:
                recorder.add(
                    rss_mib=full["rss"],
                    empty_rss_mib=least["rss"],
                    pss_mib=full["pss"],
                    empty_pss_mib=least["pss"],
                )
    return recorder.series


def _settled(stand: Stand, pushes: Pushes, calls: int) -> Memory:
    """The memory of a server that has started, reloaded, been read from, and come to rest."""
    with stand.served() as served:
        for _ in range(_RELOADS):
            served.push(pushes, 1)
        _read(served, calls)
        before = served.running.memory_mib()
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            time.sleep(_SETTLE_S)
            after = served.running.memory_mib()
            if abs(after["rss"] - before["rss"]) < _SETTLED_MIB or time.monotonic() > deadline:
                return after
            before = after


def _read(served: Served, calls: int) -> None:
    """The same number of records, pages and searches whatever there is; enough to fill the caches."""
    questions = Questions(served.stand.dataset)
    kinds = (
        questions.records(calls),
        questions.pages(served.caller, 600),
        [search_url(phrase) for phrase in questions.phrases(calls)],
    )
    for urls in kinds:
        for number in range(max(calls, len(urls))):
            served.caller.get(urls[number % len(urls)])
