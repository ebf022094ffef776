"""A restart with unchanged data, until ready, beside a Python process that imports the same modules."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.bench import Bench, in_turn
from tests.benchmarks.dataset import Dataset, git_environment
from tests.benchmarks.measurements import Recorder, Series
from tests.benchmarks.process import PROJECT
from tests.benchmarks.stand import Stand

_IMPORTED = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$")


def measure(bench: Bench, dataset: Dataset) -> Series:
    """Milliseconds from starting the process until it is ready, or has imported everything."""
    recorder = Recorder()
    with bench.stand("warm-start", dataset) as stand:
        _ready_ms(stand)  # builds the state file
        modules = stand.folder / "modules.txt"
        modules.write_text("\n".join(_imported_modules(stand)))
        for number in bench.rounds(times=2):
            ready_ms, imports_ms = in_turn(number, lambda: _ready_ms(stand), lambda: _imports_ms(modules))
            if number >= 0:
                recorder.add(ready_ms=ready_ms, imports_ms=imports_ms)
    return recorder.series


def _ready_ms(stand: Stand) -> float:
    begun = time.perf_counter()
    with stand.started():
        return (time.perf_counter() - begun) * 1000


def _imported_modules(stand: Stand) -> list[str]:
    """Every module that a server imports from its start to its end, in the order in which it does."""
    with stand.started({"PYTHONPROFILEIMPORTTIME": "1"}) as served:
        running = served.running
    return [found[1] for line in running.messages() if (found := _IMPORTED.match(line))]


def _imports_ms(modules: Path) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.peers.imports", str(modules.resolve())]
    begun = time.perf_counter()
    with subprocess.Popen(
        command, cwd=PROJECT, env=git_environment(), stdout=subprocess.PIPE, text=True
    ) as peer:
        assert peer.stdout is not None
        said = peer.stdout.readline()
        elapsed_ms = (time.perf_counter() - begun) * 1000
    if said != "imported\n":
        raise RuntimeError("the modules could not be imported")
    return elapsed_ms
