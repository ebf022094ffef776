"""What can go wrong below HTTP.

::

    ReloadError                 anything this package raises on purpose
    ├── RepositoryError         git said no
    │   ├── FetchFailed         the remote cannot be reached, refuses, or takes too long
    │   ├── BranchMissing       the remote answers, but the branch is not there
    │   ├── BranchUnborn        the local repository has no commit on the branch yet
    │   ├── ObjectMissing       an object that a commit needs cannot be read
    │   └── RefMoved            the branch moved under us (compare-and-swap lost)
    │       └── RefLocked       another git holds the branch's lock, or left it behind
    ├── CommitNotOnBranch       the announced commit is not there, even after fetching again
    ├── HistoryRefused          the remote's history is no continuation of what is served
    │   ├── Diverged            both sides have commits of their own
    │   └── Rewound             the remote moved back to an ancestor
    ├── DataRejected            the commit holds files that cannot be served
    ├── DeletionsHeld           the commit removes most of a sheet
    ├── BuildFailed             the build itself broke: a bug, no memory, a killed child
    │   ├── DiskFull            there was no room for what it writes
    │   └── DerivationFailed    a function that makes derived state raised
    └── StateFileError              the state file is damaged, foreign or from another version

Every error names an `outcome`, the stable word that a reload ends with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

PROBLEMS_MAX = 100
# What stands before the first problem in the words of a rejection.
FIRST = ", first "
# What is longer loses its middle: a message quotes names and values, which may be as large as a file.
MESSAGE_CHARACTERS_MAX = 1_000
PATH_CHARACTERS_MAX = 4_096  # any path that a file system knows


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the file at `path`; `line` and `column` count from 1, 0 where unknown.

    The message has at most MESSAGE_CHARACTERS_MAX characters.
    """

    path: str
    line: int
    column: int
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shortened(self.message, MESSAGE_CHARACTERS_MAX))

    def __str__(self) -> str:
        where = f":{self.line}:{self.column}" if self.line else ""
        return f"{self.path}{where}: {self.message}"


def shortened(text: str, characters_max: int) -> str:
    """A text of at most so many characters, without its middle where it was longer."""
    if len(text) <= characters_max:
        return text
    kept = characters_max // 2 - 2
    return f"{text[:kept]} … {text[-kept:]}"


class ReloadError(Exception):
    """Anything this package raises on purpose."""

    outcome: ClassVar[str] = "build-failed"


class RepositoryError(ReloadError):
    """git said no; the message carries git's own words."""


class FetchFailed(RepositoryError):
    """The remote cannot be reached, refuses, or takes longer than allowed; `reason` is a stable word."""

    outcome = "fetch-failed"

    def __init__(self, message: str, reason: str = "unreachable") -> None:
        super().__init__(message)
        self.reason = reason


class BranchMissing(RepositoryError):
    """The remote answers, but the branch is not there."""

    outcome = "branch-missing"


class BranchUnborn(RepositoryError):
    """The local repository has no commit on the branch yet."""

    outcome = "branch-missing"


class ObjectMissing(RepositoryError):
    """An object that a commit needs cannot be read; the repository is damaged."""


class RefMoved(RepositoryError):
    """The branch moved between planning and committing; plan again."""


class RefLocked(RefMoved):
    """The lock of a ref is held by another git, or was left behind by one that was killed."""

    reason = "lock-stuck"


class CommitNotOnBranch(ReloadError):
    """The announced commit is not on the branch, even after fetching it again."""

    outcome = "commit-not-on-branch"


class HistoryRefused(ReloadError):
    """The remote's history is no continuation of what is served; `remote_commit` is where it stands."""

    def __init__(self, message: str, remote_commit: str) -> None:
        super().__init__(message)
        self.remote_commit = remote_commit


class Diverged(HistoryRefused):
    """Remote and local branch each have commits of their own."""

    outcome = "diverged"


class Rewound(HistoryRefused):
    """The remote branch moved back to an ancestor of what is served."""

    outcome = "rewound"


class DataRejected(ReloadError):
    """The commit holds files that cannot be served; all of them are in `problems`, at most PROBLEMS_MAX,
    with paths of at most PATH_CHARACTERS_MAX characters.

    `counts` has them all by sheet, by that commit's own definitions; '' is for what no sheet reads.
    """

    outcome = "data-rejected"

    def __init__(
        self, commit: str, problems: Sequence[Problem], counts: Mapping[str, int] | None = None
    ) -> None:
        self.commit = commit
        self.problems = tuple(
            replace(each, path=shortened(each.path, PATH_CHARACTERS_MAX)) for each in problems[:PROBLEMS_MAX]
        )
        self.counts = dict(counts) if counts is not None else {"": len(problems)}
        self.total = sum(self.counts.values())
        files = "1 problem" if self.total == 1 else f"{self.total} problems"
        super().__init__(f"commit {commit[:12]} cannot be served: {files}{FIRST}{self.problems[0]}")


class DeletionsHeld(ReloadError):
    """The commit removes most of a sheet; `removed` maps each such sheet to (removed, before)."""

    outcome = "deletions-held"

    def __init__(self, commit: str, removed: Mapping[str, tuple[int, int]]) -> None:
        self.commit = commit
        self.removed = dict(removed)
        counts = ", ".join(
            f"{gone} of {before} records of {name}" for name, (gone, before) in removed.items()
        )
        super().__init__(f"commit {commit[:12]} removes {counts}, and waits for consent")


class BuildFailed(ReloadError):
    """The build itself broke: a bug, no memory, a killed child; `reason` is a stable word, or empty."""

    reason: ClassVar[str] = ""


class DiskFull(BuildFailed):
    """There was no room for what the build writes."""

    reason = "disk-full"


class DerivationFailed(BuildFailed):
    """The function that makes the derived state `name` raised; the commit is not served."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(f"the derivation {name!r} failed: {type(error).__name__}: {error}")
        self.name = name


class StateFileError(ReloadError):
    """The state file is damaged, foreign or from another version; it is a cache and may be rebuilt."""
