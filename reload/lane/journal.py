"""What happened: the last reloads, how fresh the served data is, and what was refused and why."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from reload.errors import DataRejected, Problem
from reload.lane.outcome import Outcome

HISTORY_MAX = 50
# An announced commit that has not arrived by then is shown as missing and looked for no more.
ANNOUNCED_DEADLINE_S = 900.0


@dataclass(frozen=True, slots=True)
class Rejected:
    """A commit of the branch that is not served, and why; `counts` has all problems by sheet."""

    commit: str
    at: datetime
    code: str
    problems: tuple[Problem, ...]
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Announced:
    """A commit that a webhook named and that the branch does not hold yet."""

    commit: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RemoteState:
    """What is known of the remote: its commit when last seen, when it last answered, its last error."""

    commit: str | None = None
    last_reached_at: datetime | None = None
    last_error: str | None = None


class Journal:
    """Observes every outcome; three clocks kept apart: remote reached, remote commit seen, commit applied.

    What was refused is kept in `path` across restarts; the file is a note, losing it is harmless.
    """

    def __init__(self, *, has_remote: bool, stale_after_s: float | None, path: Path | None = None) -> None:
        self._has_remote = has_remote
        self._stale_after_s = stale_after_s
        self._path = path
        self.history: deque[Outcome] = deque(maxlen=HISTORY_MAX)
        self.remote = RemoteState()
        self.rejected = _read(path)
        self.announced: Announced | None = None
        self.served_at: datetime | None = None
        self.in_step = False
        self.consecutive_failures = 0
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.clock: Callable[[], float] = time.monotonic  # for ages: it never goes back
        self._reached_at_s: float | None = None
        self._announced_at_s = 0.0

    def observe(self, outcome: Outcome) -> None:
        """Note one reload."""
        self.history.appendleft(outcome)
        now = self.now()
        if outcome.new_commit != outcome.old_commit:
            self.served_at = now
        if outcome.fetched:
            self._observe_remote(outcome, now)
        asked = outcome.fetched or not self._has_remote
        if asked:
            self.consecutive_failures = 0 if outcome.ok else self.consecutive_failures + 1
        self._observe_rejection(outcome, now, asked=asked)

    def announce(self, commit: str) -> None:
        """Note that a webhook named a commit which the branch does not hold."""
        if self.announced is None or self.announced.commit != commit:
            self.announced = Announced(commit, self.now())
            self._announced_at_s = self.clock()

    def arrived(self) -> None:
        """Note that the announced commit is served."""
        self.announced = None

    @property
    def awaits_announced(self) -> bool:
        """Whether an announced commit is still worth looking for."""
        if self.announced is None:
            return False
        return self.clock() - self._announced_at_s < ANNOUNCED_DEADLINE_S

    @property
    def last(self) -> Outcome | None:
        """The reload that ended last."""
        return self.history[0] if self.history else None

    @property
    def fresh(self) -> bool:
        """Whether what is served is what the remote had when it last answered, not too long ago.

        An announced commit counts as the remote's until its deadline; after that it is merely shown.
        """
        if not self._has_remote:
            return self.served_at is not None and self.rejected is None
        reached_at_s = self._reached_at_s
        if not self.in_step or reached_at_s is None or self.awaits_announced:
            return False
        return self._stale_after_s is None or self.clock() - reached_at_s <= self._stale_after_s

    def _observe_remote(self, outcome: Outcome, now: datetime) -> None:
        self.in_step = outcome.ok
        if outcome.reached:
            self._reached_at_s = self.clock()
        self.remote = RemoteState(
            outcome.remote_commit or self.remote.commit,
            now if outcome.reached else self.remote.last_reached_at,
            None if outcome.ok else str(outcome.error),
        )

    def _observe_rejection(self, outcome: Outcome, now: datetime, *, asked: bool) -> None:
        before = self.rejected
        commit = getattr(outcome.error, "commit", None) or getattr(outcome.error, "remote_commit", None)
        if outcome.ok and asked:
            self.rejected = None
        elif commit is not None and (
            before is None or (before.commit, before.code) != (commit, outcome.outcome)
        ):
            error = outcome.error
            found = (error.problems, error.counts) if isinstance(error, DataRejected) else ((), {})
            self.rejected = Rejected(commit, now, outcome.outcome, *found)
        if self.rejected != before:
            self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        with contextlib.suppress(OSError):  # a full disk must not end a reload that has ended well
            if self.rejected is None:
                self._path.unlink(missing_ok=True)
                return
            partial = self._path.with_name(self._path.name + ".new")
            partial.write_bytes(orjson.dumps(asdict(self.rejected)))
            partial.replace(self._path)


def _read(path: Path | None) -> Rejected | None:
    """What an earlier run noted; whatever cannot be read counts as nothing."""
    if path is None:
        return None
    try:
        noted = orjson.loads(path.read_bytes())
        problems = tuple(Problem(**problem) for problem in noted["problems"])
        counts = {str(name): int(count) for name, count in dict(noted["counts"]).items()}
        return Rejected(noted["commit"], datetime.fromisoformat(noted["at"]), noted["code"], problems, counts)
    except (OSError, ValueError, TypeError, KeyError):
        return None
