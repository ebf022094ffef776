"""Reload once in a process of its own, to be killed: `python -m tests.reload.reload_once FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.reload.harness import Engine, Place


async def _run(folder: Path) -> None:
    async with Engine(Place(folder)) as engine:
        sys.stdout.write(f"loaded {engine.commit}\n")
        sys.stdout.flush()
        outcome = await engine.reload()
        sys.stdout.write(f"{outcome.outcome} {outcome.duration_ms}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1])))
