"""Reloads that were answered before they ended; their outcomes can be asked for."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from reload.errors import BuildFailed
from reload.lane.outcome import Outcome

KEPT_MAX: Final = 1_000

log = structlog.get_logger()


class TooMany(Exception):
    """So many accepted reloads run that none is accepted any more."""


class AcceptedReloads:
    """Runs reloads on behalf of callers who do not wait; the last `kept_max` are remembered.

    `began` and `ended` are told of each, so that a server that stops waits for them.
    """

    def __init__(
        self, began: Callable[[], None], ended: Callable[[], None], kept_max: int = KEPT_MAX
    ) -> None:
        self._began = began
        self._ended = ended
        self._kept_max = kept_max
        self._outcomes: OrderedDict[str, Outcome | BuildFailed | None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, reload: Callable[[], Awaitable[Outcome]], then: Callable[[str, Outcome], None]) -> str:
        """Begin a reload and return its id; `then` is called with the id and the outcome.

        Raises TooMany while `kept_max` of them run.
        """
        if len(self._outcomes) >= self._kept_max and not self._forget_one():
            raise TooMany(f"{self._kept_max} reloads are under way")
        reload_id = secrets.token_hex(8)
        self._outcomes[reload_id] = None
        self._began()
        task = asyncio.create_task(self._run(reload_id, reload, then))
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return reload_id

    def knows(self, reload_id: str) -> bool:
        """Whether a reload of this id was accepted, not too long ago."""
        return reload_id in self._outcomes

    def outcome(self, reload_id: str) -> Outcome | BuildFailed | None:
        """How an accepted reload ended, or what broke it; None while it runs."""
        return self._outcomes[reload_id]

    def close(self) -> None:
        """Give up what still runs."""
        for task in self._tasks:
            task.cancel()

    async def _run(
        self, reload_id: str, reload: Callable[[], Awaitable[Outcome]], then: Callable[[str, Outcome], None]
    ) -> None:
        try:
            outcome = await reload()
        except Exception as error:  # no caller waits: the error must be found under the id
            self._outcomes[reload_id] = BuildFailed(f"{type(error).__name__}: {error}")
            log.exception("reload.crashed", reload_id=reload_id)
            return
        self._outcomes[reload_id] = outcome
        then(reload_id, outcome)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended()

    def _forget_one(self) -> bool:
        """Forget the oldest reload that has ended; whether there was one."""
        ended = next((known for known, outcome in self._outcomes.items() if outcome is not None), None)
        if ended is not None:
            del self._outcomes[ended]
        return ended is not None
