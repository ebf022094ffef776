"""What happened: the last reloads, how fresh the served data is, and what was refused and why."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from reload.errors import DataRejected, Problem
from reload.outcome import Outcome

HISTORY_MAX = 50
# Outcomes after which the remote is known to have answered.
_UNREACHED = frozenset({"fetch-failed"})


@dataclass(frozen=True, slots=True)
class Rejected:
    """A commit of the branch that is not served, and why."""

    commit: str
    at: datetime
    code: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class RemoteState:
    """What is known of the remote: its commit when last seen, when it last answered, its last error."""

    commit: str | None = None
    last_reached_at: datetime | None = None
    last_error: str | None = None


class Journal:
    """Observes every outcome; three clocks kept apart: remote reached, remote commit seen, commit applied."""

    def __init__(self, *, has_remote: bool, stale_after_s: float | None) -> None:
        self._has_remote = has_remote
        self._stale_after_s = stale_after_s
        self.history: deque[Outcome] = deque(maxlen=HISTORY_MAX)
        self.remote = RemoteState()
        self.rejected: Rejected | None = None
        self.served_at: datetime | None = None
        self.in_step = False
        self.consecutive_failures = 0
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def observe(self, outcome: Outcome) -> None:
        """Note one reload."""
        self.history.appendleft(outcome)
        now = self.now()
        if outcome.new_commit != outcome.old_commit:
            self.served_at = now
        if outcome.fetched:
            self._observe_remote(outcome, now)
        self._observe_rejection(outcome, now)

    def _observe_remote(self, outcome: Outcome, now: datetime) -> None:
        reached = outcome.outcome not in _UNREACHED
        self.in_step = outcome.ok
        self.consecutive_failures = 0 if outcome.ok else self.consecutive_failures + 1
        self.remote = RemoteState(
            outcome.remote_commit or self.remote.commit,
            now if reached else self.remote.last_reached_at,
            None if outcome.ok else str(outcome.error),
        )

    def _observe_rejection(self, outcome: Outcome, now: datetime) -> None:
        commit = getattr(outcome.error, "commit", None)
        if outcome.ok:
            self.rejected = None
        elif commit is not None and (self.rejected is None or self.rejected.commit != commit):
            problems = outcome.error.problems if isinstance(outcome.error, DataRejected) else ()
            self.rejected = Rejected(commit, now, outcome.outcome, problems)

    @property
    def last(self) -> Outcome | None:
        """The reload that ended last."""
        return self.history[0] if self.history else None

    @property
    def fresh(self) -> bool:
        """Whether what is served is what the remote had when it last answered, not too long ago."""
        if not self._has_remote:
            return self.served_at is not None
        reached = self.remote.last_reached_at
        if not self.in_step or reached is None:
            return False
        age_s = (self.now() - reached).total_seconds()
        return self._stale_after_s is None or age_s <= self._stale_after_s
