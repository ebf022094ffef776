"""A state file that turns out to be damaged while it is read is built anew, without anybody's help."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import apsw

from reload.snapshot.snapshot import Snapshot, Snapshots

REPAIR_FIRST_S = 2.0
REPAIR_MAX_S = 60.0
# What a read raises where the file, or the disk below it, no longer gives what was written.
DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.IOError)


class Repair:
    """Calls `mend` until a snapshot is served that nobody found damaged; lives on the event loop."""

    def __init__(self, snapshots: Snapshots, mend: Callable[[], Awaitable[object]]) -> None:
        self._snapshots = snapshots
        self._mend = mend
        self._task: asyncio.Task[None] | None = None
        self.retry_s = REPAIR_FIRST_S

    def after(self, snapshot: Snapshot, error: BaseException) -> None:
        """Have a snapshot replaced that could not be read."""
        snapshot.damage = snapshot.damage or f"{type(error).__name__}: {error}"
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._mend_until_sound())

    async def close(self) -> None:
        """Mend no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _mend_until_sound(self) -> None:
        wait_s = self.retry_s
        while self._is_damaged():
            await self._mend()
            if self._is_damaged():
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, REPAIR_MAX_S)

    def _is_damaged(self) -> bool:
        current = self._snapshots.current
        return current is not None and current.damage is not None
