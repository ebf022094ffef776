"""What git prints when a fetch fails, as a stable reason and the one line that says why."""

from __future__ import annotations

import os
import re
import signal

from reload.errors import FetchFailed
from reload.repository.command import GitFailed

UNREACHABLE = "unreachable"
# Another git removed what had arrived, as `git gc --prune=now` does with what no ref names yet.
PRUNED = "pruned"
# git only warns of it, and leaves the branch where it was.
SHALLOW = "shallow roots are not allowed"
# The remote names its objects by another hash.
OBJECT_FORMAT = "object-format"
# What git, ssh and curl print -> the reason; the first that is found counts.
_REASONS = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"no space left on device|disk quota exceeded|out of diskspace", "disk-full"),
        (rf"died of signal {int(signal.SIGXFSZ)}\b|file too large", "too-large"),
        (r"^error: object [0-9a-f]+: \w+: |fsck error in pack", "object-refused"),
        (r"out of memory", "out-of-memory"),
        (SHALLOW, "shallow"),
        (r"read-only file system|insufficient permission for adding", "not-writable"),
        (r"(unable to|cannot|could not|failed to) (create|open|write|append|lock|update|rename)\b"
         r".*permission denied", "not-writable"),
        (r"dubious ownership in repository", "untrusted-owner"),
        (r"authentication failed|could not read (username|password)|permission denied", "auth-failed"),
        (r"host key verification failed", "host-key-changed"),
        (r"returned error: 30", "redirected"),
        (r"returned error: 40[13]", "auth-failed"),
        (r"returned error: 429", "rate-limited"),
        (r"returned error: 5", "host-error"),
        (r"mismatched algorithms", OBJECT_FORMAT),
        (r"\.lock': file exists", "lock-stuck"),
        (r"/objects/.*(tmp_\w+|pack-[0-9a-f]+\.\w+)\b.*: no such file or directory", PRUNED),
        (r"not found|does not appear to be a git repository|does not exist|no such file or directory",
         "not-found"),
    )
)  # fmt: skip
# What a remote says of itself tells nothing of this machine.
_REMOTE = "remote:"
_TOLD_BY_REMOTES = frozenset({"auth-failed", "not-found", "rate-limited"})
# Lines that say nothing of the cause.
_ADVICE = ("please make sure", "and the repository exists", "hint:", _REMOTE)
# What git says last of any ssh that failed; ssh has said why.
_SSH_FAILED = "fatal: could not read from remote repository"
_UNTRUSTED = re.compile(r"dubious ownership in repository at '(.+)'")
# What a line of git's leaves open: what to do about it.
_NEXT_STEPS = {
    "disk-full": "free some space",
    "too-large": "what arrives is larger than is allowed; look at what was pushed, or allow larger packs",
    "out-of-memory": "a file of gigabytes may have been pushed, or this machine has too little memory",
    "shallow": "the remote is a shallow clone; make it whole there by `git fetch --unshallow`",
    PRUNED: "another git, such as `git gc --prune=now`, removed what was arriving; it should not run here",
    "object-refused": "find it by `git fsck` in the data repository, and rewrite the commits that hold it",
}


def fetch_failure(error: GitFailed) -> FetchFailed:
    """The FetchFailed that git's words mean; a git that was killed has the reason `killed`."""
    if error.status < 0:
        return FetchFailed(str(error), "killed")
    lines = [line.strip() for line in error.stderr.splitlines() if line.strip()]
    line, reason = _cause(lines, str(error))
    if untrusted := untrusted_owner(error.stderr):
        line = "; ".join(untrusted)
    elif reason in _NEXT_STEPS:
        line = f"{line}; {_NEXT_STEPS[reason]}"
    return FetchFailed(line, reason)


def untrusted_owner(words: str) -> tuple[str, str] | None:
    """The repository that git does not trust for its owner, with what fixes that; None without one."""
    found = _UNTRUSTED.search(words)
    if found is None:
        return None
    path, uid = found[1], os.geteuid()
    owner = f"uid {os.stat(path).st_uid}" if os.path.exists(path) else "another user"
    detail = f"git does not trust {path}, which belongs to {owner}, while this is uid {uid}"
    return detail, f"as uid {uid}: git config --global --add safe.directory {path}"


def _cause(lines: list[str], otherwise: str) -> tuple[str, str]:
    """The line that names the cause, and its reason."""
    for pattern, reason in _REASONS:
        for line in lines:
            if pattern.search(line) and not line.lower().startswith(_REMOTE):
                return line, reason
    for pattern, reason in _REASONS:
        for line in lines:
            if reason in _TOLD_BY_REMOTES and pattern.search(line):
                return line, reason
    telling = [line for line in lines if not line.lower().startswith(_ADVICE)]
    causes = [line for line in telling if not line.lower().startswith(_SSH_FAILED)]
    return (causes or telling or lines or [otherwise])[-1], UNREACHABLE
