"""Commits that webhooks name before the branch holds them: are they served, and when do they arrive?"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from reload.errors import CommitNotOnBranch
from reload.lane.ancestry import Ancestry
from reload.lane.journal import Journal
from reload.lane.outcome import Outcome, Trigger
from reload.lane.retry import Retry
from reload.snapshot.snapshot import Snapshot, Snapshots

SEARCH_FIRST_S = 2.0
SEARCH_MAX_S = 60.0


class Announced:
    """The commits that were announced; lives on the event loop.

    `contains` (tip, digits) tells whether a commit is an ancestor, and may block; `search` reloads.
    """

    def __init__(
        self,
        contains: Callable[[str, str], bool],
        snapshots: Snapshots,
        journal: Journal,
        search: Callable[[], Awaitable[object]],
    ) -> None:
        self._ancestry = Ancestry(contains)
        self._snapshots = snapshots
        self._journal = journal
        self._search = Retry(
            search, lambda: journal.awaits_announced, first_s=SEARCH_FIRST_S, max_s=SEARCH_MAX_S
        )

    async def is_in(self, tip: str | None, announced: str) -> bool:
        """Whether the announced commit is `tip` or one of its ancestors."""
        return await self._ancestry.contains(tip, announced)

    async def served(self, trigger: Trigger, announced: str, *, is_tip: bool) -> Outcome | None:
        """The outcome `in-sync` where the announced commit is served already, otherwise None.

        With `is_tip` the branch was moved to the commit, maybe backwards: then an ancestor does not count.
        """
        begun = time.perf_counter()
        asked_of: Snapshot | None = None
        while (current := self._snapshots.current) is not asked_of and current is not None:
            is_served = current.commit == announced
            if is_served or (not is_tip and await self.is_in(current.commit, announced)):
                commit, elapsed = current.commit, round((time.perf_counter() - begun) * 1000, 3)
                return Outcome(new_id(), trigger, "in-sync", commit, commit, datetime.now(UTC), elapsed)
            asked_of = current  # another one may be served by now
        return None

    def missing(self, reload: Outcome, announced: str) -> Outcome:
        """The outcome for a commit that is not on the branch after a reload; it is searched for later.

        What the remote answered was reported with that reload. This outcome does not repeat it.
        """
        before = self._journal.announced
        self._journal.announce(announced)
        if self._journal.announced is not before:
            self._search.restart()
        else:
            self._search.start()
        error = CommitNotOnBranch(f"commit {announced} is not on the branch after fetching it")
        return Outcome(
            new_id(),
            reload.trigger,
            error.outcome,
            reload.new_commit,
            reload.new_commit,
            reload.started_at,
            reload.duration_ms,
            reload.phases_ms,
            remote_commit=reload.remote_commit,
            error=error,
        )

    async def observe(self, reload: Outcome) -> None:
        """Note where a fetch has brought the commit that is waited for."""
        announced = self._journal.announced
        if announced is None or not reload.fetched:
            return
        for tip in dict.fromkeys((reload.new_commit, reload.remote_commit)):
            if tip is not None and await self.is_in(tip, announced.commit):
                self._journal.arrived()

    async def close(self) -> None:
        """Search no more."""
        await self._search.close()


def new_id() -> str:
    """An id for a reload."""
    return secrets.token_hex(8)
