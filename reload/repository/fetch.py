"""A fetch of one branch: every object that arrives is checked, and neither bytes nor time are without end."""

from __future__ import annotations

from dataclasses import dataclass

from reload.errors import BranchMissing, FetchFailed, RepositoryError
from reload.repository.command import Git, GitFailed, GitTimedOut
from reload.repository.credential import Credential
from reload.repository.environment import Bounds
from reload.repository.fetch_failure import SHALLOW, fetch_failure
from reload.repository.refs import BRANCHES, named_branches

PACK_BYTES_MAX = 2 << 30
# A few kilobytes can unfold to files of gigabytes, which git has in memory to check them.
MEMORY_BYTES_MAX = 4 << 30
# What old histories have in earnest, and nothing here stumbles over; hosts let it pass as well.
_TOLERATED = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "multipleAuthors",
    "nulInCommit",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)
_SETTINGS = (
    # A tree that is out of order, or has a name twice, would make a difference of it wrong.
    "fetch.fsckObjects=true",
    *(f"fetch.fsck.{fault}=ignore" for fault in _TOLERATED),
    # What arrives stays one pack, which git protects from another `gc` until a ref names it.
    "fetch.unpackLimit=1",
    # git completes what arrives by what it builds upon, such as the folder that one file changed in. To
    # compress that again costs more than to check it, and it is compressed when packs are gathered.
    "core.looseCompression=0",
)
_OPTIONS = (
    "--quiet",
    "--no-tags",
    "--no-recurse-submodules",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--refmap=",  # nothing but what is named is stored, whatever the configuration maps
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a fetch may take in all, and how many bytes may arrive."""

    timeout_s: float
    pack_bytes_max: int = PACK_BYTES_MAX


def fetch(git: Git, branch: str, into: str, limits: Limits, credential: Credential | None) -> None:
    """Bring a branch of the remote into the ref `into`, within the limits.

    Raises FetchFailed with a reason, or BranchMissing where the remote lacks the branch.
    """
    try:
        git.run(
            *("fetch", *_OPTIONS, "origin", f"+refs/heads/{branch}:{into}"),
            deadline_s=limits.timeout_s,
            settings=_SETTINGS,
            bounds=Bounds(limits.pack_bytes_max, MEMORY_BYTES_MAX),
            credential=credential,
            fails_by=SHALLOW,
        )
    except GitTimedOut as error:
        raise FetchFailed(str(error), "timeout") from error
    except GitFailed as error:
        if "couldn't find remote ref" in error.stderr:
            there = named_branches(remote_branches(git, limits.timeout_s, credential))
            raise BranchMissing(f"the remote has no branch {branch!r}{there}") from error
        raise fetch_failure(error) from error


def remote_branches(git: Git, timeout_s: float, credential: Credential | None) -> list[str]:
    """The branches that the remote has, none where it does not say."""
    try:
        answer = git.run("ls-remote", "--heads", "origin", deadline_s=timeout_s, credential=credential)
    except RepositoryError:
        return []
    refs = (line.partition("\t")[2] for line in answer.decode("utf-8", "replace").split("\n"))
    return [ref.removeprefix(BRANCHES) for ref in refs if ref]
