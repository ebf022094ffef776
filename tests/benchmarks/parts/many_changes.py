"""A thousand changed records: a reload, beside bare git on the same push with reading and parsing them."""

from __future__ import annotations

import time
from functools import partial

import toml_rs

from tests.benchmarks.bench import Bench, in_turn
from tests.benchmarks.dataset import Dataset, Pushes
from tests.benchmarks.floor import Floor
from tests.benchmarks.measurements import Recorder, Series

CHANGED_RECORDS = 1_000


def measure(bench: Bench, dataset: Dataset) -> Series:
    """Milliseconds of the call, and of bare git with the parsing."""
    recorder = Recorder()
    records = min(CHANGED_RECORDS, dataset.records // 5)
    with bench.stand("many-changes", dataset) as stand:
        pushes, floor = Pushes(dataset, stand.remote), stand.floor()
        with stand.served(stand.trace.environment) as served:
            for number in bench.rounds():
                commit, _ = pushes.prepare(records)
                pushes.publish(commit)
                reload, floor_ms = in_turn(
                    number, partial(served.reload, commit), partial(_followed_ms, floor, commit, records)
                )
                if number >= 0:
                    recorder.add(
                        call_ms=reload.call_ms,
                        floor_ms=floor_ms,
                        **{f"phase_{name}_ms": spent for name, spent in reload.phases_ms.items()},
                    )
    return recorder.series


def _followed_ms(floor: Floor, commit: str, records: int) -> float:
    begun = time.perf_counter()
    _, _, oids = floor.follow(commit)
    parsed = [toml_rs.loads(blob.decode()) for blob in floor.read(oids)]
    elapsed_ms = (time.perf_counter() - begun) * 1000
    if len(parsed) != records:
        raise RuntimeError(f"{records} records were changed, and git tells {len(parsed)}")
    return elapsed_ms
