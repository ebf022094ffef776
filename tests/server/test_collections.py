"""Collections of garbage do not hold the loop: what came with the start is not looked at again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_RUN = """
import asyncio, gc
from server.main import run

class Stopped:
    def __init__(self): self.stopped = asyncio.Event()
    def listen(self): return 0
    def start(self): self.stopped.set()

async def serve(): await run(Stopped(), lambda port: None)

asyncio.run(serve())
print(gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_what_a_server_starts_with_is_left_out_of_collections() -> None:
    done = subprocess.run((sys.executable, "-c", _RUN), cwd=PROJECT, capture_output=True, text=True)
    frozen, looked_at = map(int, done.stdout.splitlines()[-1].split())
    assert frozen > 20 * looked_at, done.stderr
