"""An action that is repeated, less and less often, until it is not needed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable


class Retry:
    """Calls `action` while `is_needed` says so; lives on the event loop.

    Waits `first_s` seconds, then twice as long each time, at most `max_s`. With `at_once` the first call
    comes without a wait.
    """

    def __init__(
        self,
        action: Callable[[], Awaitable[object]],
        is_needed: Callable[[], bool],
        *,
        first_s: float,
        max_s: float,
        at_once: bool = False,
    ) -> None:
        self._action = action
        self._is_needed = is_needed
        self.first_s = first_s
        self._max_s = max_s
        self._at_once = at_once
        self._restarted = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._repeat())

    def restart(self) -> None:
        """Wait for `first_s` again, however long the present wait is."""
        self._restarted.set()
        self.start()

    async def close(self) -> None:
        """Stop, also in the middle of a call."""
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task

    async def _repeat(self) -> None:
        wait_s = 0.0 if self._at_once else self.first_s
        while self._is_needed():
            if await self._is_restarted_within(wait_s):
                wait_s = self.first_s
                continue
            if self._is_needed():
                await self._action()
            wait_s = min(max(wait_s * 2, self.first_s), self._max_s)

    async def _is_restarted_within(self, wait_s: float) -> bool:
        if not wait_s:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._restarted.wait()
            self._restarted.clear()
            return True
        return False
