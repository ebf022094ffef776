"""kill -9 at any moment of a reload: what starts next serves the old or the new commit, never a mixture."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.reload.harness import Engine, Place

# LIVESHEETS_KILLS=200 makes it the long run.
KILLS = int(os.environ.get("LIVESHEETS_KILLS", "6"))
PROJECT = Path(__file__).parent.parent.parent
MANY = 5_001  # so many changed files are built from scratch in a child


def reload_in_a_process(place: Place, kill_after_s: float | None, *, everything: bool) -> float:
    """Reload once, and kill the process (or all that it started too) in the midst; how long it took in ms."""
    command = [sys.executable, "-m", "tests.reload.reload_once", str(place.folder)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith(b"loaded ")
        if kill_after_s is not None:
            threading.Event().wait(kill_after_s)
            os.kill(process.pid, signal.SIGKILL)
            for pid in place.processes() if everything else ():
                with contextlib.suppress(ProcessLookupError):  # it ended by itself
                    os.kill(pid, signal.SIGKILL)
        ended = process.stdout.read().split()
        return float(ended[1]) if ended else 0.0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def starts_again(place: Place, old: str, new: str) -> None:
    """Without the remote the old or the new commit is served, with it the new one."""
    place.remote.vanish()
    async with Engine(place) as engine:
        assert engine.commit in (old, new)
        engine.is_whole(str(engine.commit))
        place.remote.return_()
        await engine.reload()
        engine.is_whole(new)


@pytest.mark.timeout(120 + 10 * KILLS)
@pytest.mark.gen_test(timeout=120 + 10 * KILLS)
@pytest.mark.parametrize("many", [1, MANY])
async def test_a_kill_at_any_moment_leaves_the_old_or_the_new_commit(place: Place, many: int) -> None:
    old = place.remote.head
    new = place.remote.push({f"notes/n{number}.toml": "n = 0\n" for number in range(many)})
    duration_s = reload_in_a_process(place, None, everything=False) / 1000
    assert duration_s > 0
    await starts_again(place, new, new)
    for seed in range(KILLS if many == 1 else max(2, KILLS // 3)):
        old = new
        new = place.remote.push({f"notes/n{number}.toml": f"n = {seed + 1}\n" for number in range(many)})
        moment = random.Random(seed).uniform(0, 1.2 * duration_s)
        reload_in_a_process(place, moment, everything=seed % 2 == 0)
        await starts_again(place, old, new)
