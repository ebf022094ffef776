"""What the doctor finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what it is, whether it is well, and how it stands.

    `remedy` fixes a fault; beside something that is well it is advice. `configuration` says that a
    setting is wrong.
    """

    subject: str
    ok: bool
    detail: str
    remedy: str = ""
    configuration: bool = False


def as_far_as_seen(subject: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """These findings; where the system refuses a further look, that is the last of them."""
    try:
        yield from findings
    except OSError as error:
        yield unseen(subject, error)


def unseen(subject: str, error: OSError) -> Finding:
    """That something cannot be looked at."""
    detail = f"{error.filename or 'it'} cannot be looked at: {error.strerror or error}"
    return Finding(subject, False, detail, "run the server and every command as one user, who owns the data")
