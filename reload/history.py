"""Where a reload leads: the remote's history judged against what is served and what is here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from reload.errors import Diverged, Rewound
from reload.repository import Repository, unborn

Consent = Literal["rewrite", "deletions"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a reload leads: `accepted` is the remote's commit, `rewound` set where history was rewritten.

    `rewound` names the entry under which the old head is kept. With `ahead` the local branch has
    commits that the remote lacks.
    """

    commit: str
    accepted: str | None
    rewound: str | None = None
    ahead: bool = False


def find_target(repository: Repository, served: str | None, *, follow: bool, fetched: bool) -> Target:
    """The commit to serve next, never anything but a descendant of `served` unless rewrites are followed.

    `fetched` tells that the remote was just asked; otherwise the local branch alone counts, if it
    has a commit. Raises Diverged or Rewound where history was rewritten and `follow` is off, and
    BranchUnborn where there is no commit at all.
    """
    local = repository.local_commit()
    remote = repository.remote_commit() if repository.has_remote and (fetched or local is None) else None
    if local is None and remote is None:
        raise unborn(repository.branch)
    target = _between(repository, local, remote, follow)
    if served is None or target.rewound or repository.contains(target.commit, served):
        return target
    back = repository.contains(served, target.commit)
    return _rewritten(served, target.commit, back=back, follow=follow)


def _between(repository: Repository, local: str | None, remote: str | None, follow: bool) -> Target:
    """The newer of the local and the remote branch, if one contains the other."""
    if local is None or remote is None:
        return Target(str(remote or local), remote)
    relation = repository.relation(local, remote)
    if relation in ("same", "ahead"):
        return Target(remote, remote)
    # A remote that lacks our commits has moved back, unless it never had more than it has now.
    accepted = repository.accepted_commit()
    if relation == "behind" and (accepted is None or repository.contains(remote, accepted)):
        return Target(local, remote, ahead=True)
    return _rewritten(local, remote, back=relation == "behind", follow=follow)


def _rewritten(ours: str, theirs: str, *, back: bool, follow: bool) -> Target:
    if follow:
        return Target(theirs, theirs, rewound=f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{ours[:12]}")
    advice = "accept it once with `livesheets reload --accept-rewrite`, or restore the branch"
    if back:
        raise Rewound(f"the remote moved back to {theirs[:12]}; {ours[:12]} stays served; {advice}", theirs)
    message = f"{theirs[:12]} on the remote and {ours[:12]} here each have commits of their own; {advice}"
    raise Diverged(message, theirs)
