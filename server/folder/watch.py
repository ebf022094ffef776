"""Looking for changes of a user's folder, some times a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from tornado.ioloop import PeriodicCallback

from reload.errors import RepositoryError
from reload.lane.branch import Branch
from reload.lane.outcome import Trigger
from reload.snapshot.snapshot import Snapshot

INTERVAL_S: Final = 0.5
# Looking takes at most this part of the time, however many files there are.
SHARE_MAX: Final = 0.1

log = structlog.get_logger()


class Source(Protocol):
    """What is watched."""

    def commit(self) -> str | None:
        """The commit that should be served, None while there is none; called on a thread."""

    def stop(self) -> None:
        """End what `commit` does at this moment."""


class FolderWatch:
    """Asks for a reload whenever the source has another commit; lives on the event loop.

    `tell` is told each snapshot that comes to be served.
    """

    def __init__(self, source: Source, tell: Callable[[Snapshot], None]) -> None:
        self._source = source
        self._tell = tell
        self._seen: str | None = None
        self._told: Snapshot | None = None
        self._fault = ""
        self._callback: PeriodicCallback | None = None

    async def look(self) -> str | None:
        """The commit that should be served, None where there is none or the folder cannot be read."""
        began = time.monotonic()
        try:
            commit = await asyncio.to_thread(self._source.commit)
        except (OSError, RepositoryError) as error:
            self._report(str(error))
            return None
        self._fault = ""
        if self._callback is not None:
            took_s = time.monotonic() - began
            self._callback.callback_time = max(INTERVAL_S, took_s / SHARE_MAX) * 1000
        return commit

    def start(self, branch: Branch) -> None:
        """Look again and again from now on, and have `branch` reloaded."""

        async def watch() -> None:
            commit = await self.look()
            if commit is not None and commit != self._seen:
                await self._serve(branch, commit)

        self._callback = PeriodicCallback(watch, INTERVAL_S * 1000)
        self._callback.start()

    def stop(self) -> None:
        """Look no more."""
        if self._callback is not None:
            self._callback.stop()
        self._source.stop()

    async def _serve(self, branch: Branch, commit: str) -> None:
        """Have a commit served; one that could not be fetched is asked for again, a refused one is not."""
        outcome = await branch.reloader.reload(Trigger.POLL)
        if outcome.outcome != "fetch-failed":
            self._seen = commit
        if branch.snapshot is not None and branch.snapshot is not self._told:
            self._told = branch.snapshot
            self._tell(branch.snapshot)

    def _report(self, fault: str) -> None:
        """Log why the folder cannot be looked at, once."""
        if fault != self._fault:
            log.warning("folder.unreadable", reason=fault)
        self._fault = fault
