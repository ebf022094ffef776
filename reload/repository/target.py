"""The commit that a reload leads to: the remote's history compared with the served commit and the branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reload.errors import Diverged, HistoryRefused, Rewound
from reload.repository.repository import Repository, unborn

Consent = Literal["rewrite", "deletions"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a reload leads: from the branch at `local` to `commit`; `accepted` is the remote's commit.

    `lost` names the commits that are given up because the remote's history was rewritten. With
    `ahead` the local branch has commits that the remote lacks.
    """

    commit: str
    local: str | None
    accepted: str | None
    lost: tuple[str, ...] = ()
    ahead: bool = False


def find_target(repository: Repository, served: str | None, *, follow: bool, fetched: bool) -> Target:
    """The commit to serve next, never anything but a descendant of `served` unless rewrites are followed.

    `fetched` tells that the remote was just asked; otherwise the local branch alone counts, if it
    has a commit. Raises Diverged or Rewound where history was rewritten and `follow` is off, and
    BranchUnborn where there is no commit at all.
    """
    local = repository.local_commit()
    remote = repository.remote_commit() if repository.has_remote and (fetched or local is None) else None
    newest = remote or local
    if newest is None:
        raise unborn(repository.git_dir, repository.branch)
    lost: list[str] = []
    if local is not None and remote is not None:
        relation = repository.relation(local, remote)
        if relation == "behind" and _was_never_pushed(repository, remote):
            newest = local
        elif relation in ("behind", "diverged"):
            lost.append(local)
    if served is not None and served != local and not _continues(repository, newest, served):
        lost.append(served)
    if lost and not follow:
        raise _refusal(repository, lost[-1], newest)
    return Target(newest, local, remote, tuple(lost), ahead=remote is not None and newest != remote)


def _was_never_pushed(repository: Repository, remote: str) -> bool:
    """Whether a remote that lacks our commits never had them; otherwise it has moved back."""
    accepted = repository.accepted_commit()
    return accepted is None or repository.contains(remote, accepted)


def _continues(repository: Repository, newest: str, ours: str) -> bool:
    """Whether a commit is part of the newest's history; one that is not in the repository is not."""
    if newest == ours:
        return True
    return repository.resolve(ours) is not None and repository.contains(newest, ours)


def _refusal(repository: Repository, ours: str, theirs: str) -> HistoryRefused:
    advice = "accept it once with `livesheets reload --accept-rewrite`, or restore the branch"
    if repository.resolve(ours) is not None and repository.contains(ours, theirs):
        message = f"the remote moved back to {theirs[:12]}; {ours[:12]} stays served; {advice}"
        return Rewound(message, theirs)
    message = f"{theirs[:12]} on the remote and {ours[:12]} here each have commits of their own; {advice}"
    return Diverged(message, theirs)
