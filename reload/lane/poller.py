"""The fallback poller: it asks the remote now and then, in case a webhook was missed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tornado.ioloop import PeriodicCallback

from reload.lane.outcome import Outcome, Trigger
from reload.lane.reloader import Reloader

JITTER = 0.1
BACKOFF_FACTOR_MAX = 32


class Poller:
    """Asks for a reload every `interval_s` seconds, less often while the remote fails.

    Each wait varies by JITTER so that a fleet spreads out. Whatever reload succeeds, this one's or a
    webhook's, starts the wait again.
    """

    def __init__(self, reloader: Reloader, interval_s: float) -> None:
        self._reloader = reloader
        self.interval_s = interval_s
        self._callback: PeriodicCallback | None = None
        self.next_at: datetime | None = None
        self.consecutive_failures = 0
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def start(self) -> None:
        """Wait for the first interval; harmless when polling is off."""
        if self.interval_s > 0:
            self._wait()

    def stop(self) -> None:
        """Poll no more."""
        if self._callback is not None:
            self._callback.stop()
        self._callback, self.next_at = None, None

    def observe(self, outcome: Outcome) -> None:
        """Any reload that asked the remote postpones the next poll, and so does the poll itself."""
        if self._callback is None or not (outcome.fetched or outcome.trigger is Trigger.POLL):
            return
        failed = outcome.fetched and not outcome.reached
        self.consecutive_failures = self.consecutive_failures + 1 if failed else 0
        self._wait()

    def _wait(self) -> None:
        if self._callback is not None:
            self._callback.stop()
        factor = min(2**self.consecutive_failures, BACKOFF_FACTOR_MAX)
        wait_s = self.interval_s * factor * random.uniform(1 - JITTER, 1 + JITTER)
        self._callback = PeriodicCallback(self._poll, wait_s * 1000)
        self._callback.start()
        self.next_at = self.now() + timedelta(seconds=wait_s)

    async def _poll(self) -> None:
        await self._reloader.reload(Trigger.POLL)
