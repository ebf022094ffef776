"""How much of the machine other work took while something was measured: what a median cannot tell."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measurements import Series

KEY = "others_share"
_STATISTICS = Path("/proc/stat")


@contextlib.contextmanager
def listened_to(series: Series) -> Iterator[None]:
    """Note in `series` which share of all processors neither we nor our children used, nor nobody."""
    begun, busy, ours = time.monotonic(), _busy_s(), _our_s()
    yield
    elapsed_s = (time.monotonic() - begun) * (os.cpu_count() or 1)
    others_s = _busy_s() - busy - (_our_s() - ours)
    series[KEY] = [round(max(others_s, 0.0) / elapsed_s, 3)]


def _busy_s() -> float:
    """Seconds that all processors worked, for whomever, or were taken away by the host."""
    if not _STATISTICS.exists():
        return 0.0
    values = [int(value) for value in _STATISTICS.read_text().splitlines()[0].split()[1:9]]
    idle = values[3] + values[4]  # idle, and waiting for disks
    return (sum(values) - idle) / os.sysconf("SC_CLK_TCK")


def _our_s() -> float:
    """Seconds of this process and of its children that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)
