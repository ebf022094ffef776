"""The fallback poller: it asks the remote now and then, in case a webhook was missed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tornado.ioloop import PeriodicCallback

from reload.lane.outcome import Outcome, Trigger
from reload.lane.reloader import Reloader

JITTER = 0.1
# After a failure the remote is asked again sooner, unless it said that it is asked too often.
RETRY_FIRST_S = 30.0
RATE_LIMITED = "rate-limited"


class Poller:
    """Asks for a reload every `interval_s` seconds, and sooner after the remote could not be reached.

    Then it waits RETRY_FIRST_S, and twice as long each time, up to the interval. Each wait varies by JITTER
    so that a fleet spreads out. Whatever reload succeeds, this one's or a webhook's, starts the wait again.
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
            self._wait(self.interval_s)

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
        too_often = getattr(outcome.error, "reason", "") == RATE_LIMITED
        self._wait(self.interval_s if too_often else self._due_s())

    def _due_s(self) -> float:
        """How long to wait now, in seconds."""
        if not self.consecutive_failures:
            return self.interval_s
        return min(self.interval_s, RETRY_FIRST_S * 2.0 ** min(self.consecutive_failures - 1, 32))

    def _wait(self, due_s: float) -> None:
        if self._callback is not None:
            self._callback.stop()
        wait_s = due_s * random.uniform(1 - JITTER, 1 + JITTER)
        self._callback = PeriodicCallback(self._poll, wait_s * 1000)
        self._callback.start()
        self.next_at = self.now() + timedelta(seconds=wait_s)

    async def _poll(self) -> None:
        await self._reloader.reload(Trigger.POLL)
