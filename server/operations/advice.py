"""What each outcome of a reload means, and what an operator does about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reload.lane.journal import Journal


class Kind(StrEnum):
    """What an outcome is to those who watch."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Advice:
    """One outcome in words: a headline, a sentence, and what to do, empty where that is nothing.

    Commands stand between backticks.
    """

    kind: Kind
    headline: str
    meaning: str
    next_step: str = ""


_AGAIN = "The next push, call or poll tries again."
_REWRITE = (
    "If the remote is right, follow it once with `livesheets reload --accept-rewrite`. "
    "Otherwise push the commits that it lacks."
)

ADVICE: Final[Mapping[str, Advice]] = {
    "in-sync": Advice(Kind.UNCHANGED, "The data is current", "The remote has nothing new."),
    "ahead": Advice(
        Kind.UNCHANGED,
        "The data is current",
        "The server's branch has commits that the remote lacks.",
        "Push them, so that they are not lost.",
    ),
    "fast-forwarded": Advice(Kind.CHANGED, "The data is current", "A newer commit is served."),
    "rewritten": Advice(
        Kind.CHANGED,
        "The data is current",
        "Rewritten history was followed; the old head is kept under refs/livesheets/rewound/.",
    ),
    "fetch-failed": Advice(
        Kind.FAILED,
        "The remote cannot be reached",
        "It does not answer, refuses, or takes too long.",
        f"Run `livesheets doctor`: it looks at the remote, the network and the deploy key. {_AGAIN}",
    ),
    "branch-missing": Advice(
        Kind.REFUSED,
        "The branch is missing",
        "The remote answers, but has no such branch, or no commit on it.",
        "Push the branch, or name the one to serve in CFP_DATA_BRANCH.",
    ),
    "diverged": Advice(
        Kind.REFUSED,
        "The remote's branch has diverged",
        "The remote and the server's branch each have commits of their own.",
        _REWRITE,
    ),
    "rewound": Advice(
        Kind.REFUSED,
        "The remote's branch moved back",
        "It ends at an older commit than the one that is served.",
        _REWRITE,
    ),
    "commit-not-on-branch": Advice(
        Kind.REFUSED,
        "An announced commit is missing",
        "A webhook named a commit that the branch does not hold.",
        "Look which branch it was pushed to, and whether the push went through.",
    ),
    "deletions-held": Advice(
        Kind.REFUSED,
        "The newest commit waits for consent",
        "It removes more than half of a sheet.",
        "If that is meant, run `livesheets reload --accept-deletions`. Otherwise revert it and push.",
    ),
    "data-rejected": Advice(
        Kind.REFUSED,
        "The newest commit is refused",
        "It holds files that cannot be served.",
        "Fix the files and push. `livesheets check` finds such faults before a push.",
    ),
    "build-failed": Advice(
        Kind.FAILED,
        "A reload broke",
        "The new state could not be built.",
        f"Run `livesheets doctor`, and read the line `reload.failed` of the log. {_AGAIN}",
    ),
}
_UNKNOWN = Advice(
    Kind.FAILED, "A reload failed", "It did not succeed.", "Read the line `reload.failed` of the log."
)


def advice_on(outcome: str) -> Advice:
    """The words for an outcome, also for one that this version does not know."""
    return ADVICE.get(outcome, _UNKNOWN)


def why_not_ready(journal: Journal) -> str:
    """Why nothing is served yet: the outcome in words, since the text of an error may name places."""
    last = journal.last
    if last is None or last.error is None:
        return "the data is being loaded"
    words = ", ".join(filter(None, (last.outcome, getattr(last.error, "reason", ""))))
    meaning = advice_on(last.outcome).meaning
    return f"nothing can be served yet ({words}): {meaning} Tried again by itself; the status says more."
