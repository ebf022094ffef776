"""What git prints when a fetch fails, as a stable reason and the one line that says why."""

from __future__ import annotations

from reload.errors import FetchFailed
from reload.git.command import GitFailed

UNREACHABLE = "unreachable"
# What git prints, in small letters -> the reason; the first that is found counts.
_REASONS = (
    ("no space left on device", "disk-full"),
    ("disk quota exceeded", "disk-full"),
    ("read-only file system", "not-writable"),
    ("insufficient permission for adding", "not-writable"),
    ("authentication failed", "auth-failed"),
    ("could not read username", "auth-failed"),
    ("could not read password", "auth-failed"),
    ("permission denied", "auth-failed"),
    ("host key verification failed", "host-key-changed"),
    ("returned error: 30", "redirected"),
    ("returned error: 401", "auth-failed"),
    ("returned error: 403", "auth-failed"),
    ("returned error: 429", "rate-limited"),
    ("mismatched algorithms", "object-format"),
    (".lock': file exists", "lock-stuck"),
    ("not found", "not-found"),
    ("does not appear to be a git repository", "not-found"),
    ("does not exist", "not-found"),
    ("no such file or directory", "not-found"),
)
# Lines that say nothing of the cause.
_ADVICE = ("please make sure", "and the repository exists", "hint:", "remote:")


def fetch_failure(error: GitFailed) -> FetchFailed:
    """The FetchFailed that git's words mean; a git that was killed has the reason `killed`."""
    if error.status < 0:
        return FetchFailed(str(error), "killed")
    lines = [line.strip() for line in error.stderr.splitlines() if line.strip()]
    for phrase, reason in _REASONS:
        for line in lines:
            if phrase in line.lower():
                return FetchFailed(line, reason)
    telling = [line for line in lines if not line.lower().startswith(_ADVICE)]
    return FetchFailed((telling or lines or [str(error)])[-1], UNREACHABLE)
