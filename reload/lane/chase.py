"""An announced commit that has not arrived is looked for, ever less often, until it is there or overdue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from reload.lane.journal import Journal

CHASE_FIRST_S = 2.0
CHASE_MAX_S = 60.0


class Chase:
    """Calls `look` while the journal awaits an announced commit; lives on the event loop."""

    def __init__(self, journal: Journal, look: Callable[[], Awaitable[object]]) -> None:
        self._journal = journal
        self._look = look
        self._task: asyncio.Task[None] | None = None
        self._another = asyncio.Event()

    def after(self, announced: str) -> None:
        """Remember an announced commit and look for it from now on; another one than before anew."""
        before = self._journal.announced
        self._journal.announce(announced)
        if self._journal.announced is not before:
            self._another.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_until_there())

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _look_until_there(self) -> None:
        wait_s = CHASE_FIRST_S
        while self._journal.awaits_announced:
            if await self._is_another_announced_within(wait_s):
                wait_s = CHASE_FIRST_S
                continue
            wait_s = min(wait_s * 2, CHASE_MAX_S)
            if self._journal.awaits_announced:
                await self._look()

    async def _is_another_announced_within(self, wait_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._another.wait()
            self._another.clear()
            return True
        return False
