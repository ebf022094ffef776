"""Notifications: a commit was refused, the data is current again, the data stays stale."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from tornado.ioloop import PeriodicCallback

from reload.lane.journal import Journal
from reload.lane.outcome import Outcome
from server.operations.advice import advice_on
from server.operations.notifications.sender import Report
from server.operations.time_text import span
from server.webhook.outcome_documents import problem_list

REFUSED: Final = "commit.refused"
RECOVERED: Final = "data.recovered"
STALE: Final = "data.stale"
TYPES: Final = (REFUSED, RECOVERED, STALE)

# Not fresh for this long is told once, until it is fresh again.
STALE_AFTER_S: Final = 900.0
LOOK_INTERVAL_S: Final = 15.0
PROBLEMS_MAX: Final = 20
_REFUSALS: Final = frozenset({"data-rejected", "deletions-held", "diverged", "rewound", "branch-missing"})


class Notifier:
    """Decides what is worth telling; every one of `sinks` gets each report.

    A refused commit is told once per commit and outcome, however often it is tried again, until the
    data has recovered. What an earlier run of the server has told is not told again.
    """

    def __init__(
        self,
        journal: Journal,
        branch: Callable[[], str | None],
        sinks: Sequence[Callable[[Report], None]],
        *,
        stale_after_s: float = STALE_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._branch = branch
        self._sinks = tuple(sinks)
        self._stale_after_s = stale_after_s
        self._clock = clock
        known = journal.rejected
        self._told: set[tuple[str, str | None]] = {(known.code, known.commit)} if known else set()
        self._told_stale = False
        self._stale_since: float | None = None
        self._looking: PeriodicCallback | None = None

    def start(self) -> None:
        """Watch for staleness from now on."""
        self.look()
        self._looking = PeriodicCallback(self.look, LOOK_INTERVAL_S * 1000)
        self._looking.start()

    def stop(self) -> None:
        """Watch no more."""
        if self._looking is not None:
            self._looking.stop()

    def observe(self, outcome: Outcome) -> None:
        """Look at a reload that has ended, after the journal has."""
        key = (outcome.outcome, _refused_commit(outcome))
        if outcome.outcome in _REFUSALS and key not in self._told:
            self._told.add(key)
            self._tell(REFUSED, _refusal(outcome, self._branch()), _refusal_data(outcome))
        self.look()

    def look(self) -> None:
        """Tell of staleness that lasts, and of recovery."""
        journal = self._journal
        if journal.fresh and journal.rejected is None:
            if self._told or self._told_stale:
                served = journal.last.new_commit if journal.last else None
                text = f"{self._where()} is current again: commit {served} is served."
                self._tell(RECOVERED, text, {"servedCommit": served})
            self._told.clear()
            self._told_stale, self._stale_since = False, None
            return
        now = self._clock()
        if self._stale_since is None:
            self._stale_since = now
        elapsed_s = now - self._stale_since
        if elapsed_s >= self._stale_after_s and not self._told_stale:
            self._told_stale = True
            self._tell_stale(elapsed_s)

    def _tell_stale(self, elapsed_s: float) -> None:
        last = self._journal.last
        outcome = self._journal.rejected.code if self._journal.rejected else last.outcome if last else None
        advice = advice_on(outcome) if outcome else None
        reached = self._journal.remote.last_reached_at
        data: dict[str, Any] = {
            "outcome": outcome,
            "servedCommit": last.new_commit if last else None,
            "staleSeconds": round(elapsed_s),
            "remoteLastReachedAt": reached.isoformat().replace("+00:00", "Z") if reached else None,
            "lastError": self._journal.remote.last_error,
            "nextStep": advice.next_step if advice else "",
        }
        why = f" {advice.headline}: {self._journal.remote.last_error or outcome}." if advice else ""
        text = f"{self._where()} has been out of date for {span(elapsed_s)}.{why} {data['nextStep']}"
        self._tell(STALE, text.strip(), data)

    def _where(self) -> str:
        branch = self._branch()
        return f"Livesheets: branch {branch}" if branch else "Livesheets: the data"

    def _tell(self, kind: str, text: str, data: dict[str, Any]) -> None:
        report = Report(kind, text, {"branch": self._branch(), **data}, self._journal.now())
        for sink in self._sinks:
            sink(report)


def _refused_commit(outcome: Outcome) -> str | None:
    """The commit that a reload did not accept, where there is one."""
    error = outcome.error
    commit: str | None = getattr(error, "commit", None) or getattr(error, "remote_commit", None)
    return commit


def _refusal(outcome: Outcome, branch: str | None) -> str:
    advice = advice_on(outcome.outcome)
    where = f" on branch {branch}" if branch else ""
    return f"Livesheets: {advice.headline}{where} ({outcome.outcome}): {outcome.error}. {advice.next_step}"


def _refusal_data(outcome: Outcome) -> dict[str, Any]:
    return {
        "outcome": outcome.outcome,
        "commit": _refused_commit(outcome),
        "servedCommit": outcome.new_commit,
        "detail": str(outcome.error),
        "problemCount": getattr(outcome.error, "total", 0),
        "problems": problem_list(outcome)[:PROBLEMS_MAX],
        "reloadId": outcome.id,
        "nextStep": advice_on(outcome.outcome).next_step,
    }
