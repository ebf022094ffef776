"""How a reload ended: one value for the answer, the log, the metrics and the status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reload.errors import Problem, ReloadError
from reload.snapshot.state_file import Changes


class Trigger(StrEnum):
    """What asked for a reload."""

    STARTUP = "startup"
    WEBHOOK = "webhook"
    POLL = "poll"
    COMMAND = "command"
    REPAIR = "repair"


SUCCESSES = frozenset({"in-sync", "ahead", "fast-forwarded", "rewritten"})
OUTCOMES = (
    "in-sync",
    "ahead",
    "fast-forwarded",
    "rewritten",
    "fetch-failed",
    "branch-missing",
    "diverged",
    "rewound",
    "commit-not-on-branch",
    "deletions-held",
    "data-rejected",
    "build-failed",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one reload: `outcome` is one of OUTCOMES, `old_commit` what was served before.

    `new_commit` is what is served now; `error` says why a reload failed. `fetched` tells that the
    remote was to be asked, `answered` that it was and answered, `remote_commit` what it had when it
    last did. Durations are milliseconds.
    """

    id: str
    trigger: Trigger
    outcome: str
    old_commit: str | None
    new_commit: str | None
    started_at: datetime
    duration_ms: float
    phases_ms: Mapping[str, float] = field(default_factory=dict)
    changes: Mapping[str, Changes] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    rebuilt: bool = False
    fetched: bool = False
    answered: bool = True
    remote_commit: str | None = None
    error: ReloadError | None = None

    @property
    def ok(self) -> bool:
        """Whether what is served is as new as the branch."""
        return self.outcome in SUCCESSES

    @property
    def reached(self) -> bool:
        """Whether the remote was asked and answered."""
        return self.fetched and self.answered and self.outcome != "fetch-failed"

    @property
    def no_changes(self) -> bool:
        """Whether the reload succeeded without serving another commit."""
        return self.ok and self.old_commit == self.new_commit
