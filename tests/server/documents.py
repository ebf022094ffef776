"""Status documents as a server gives them, for tests of what is made of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

NOW: Final = datetime(2024, 5, 6, 12, 0, 0, tzinfo=UTC)
SERVED: Final = "3f9ae0c1d2b4a5968778695a4b3c2d1e0f9a8b7c"
REFUSED: Final = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"


def ago(seconds: float) -> str:
    """A moment before NOW, as documents write it."""
    return (NOW - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def reload(
    outcome: str = "in-sync", took_ms: float = 30.0, seconds_ago: float = 12, **more: Any
) -> dict[str, Any]:
    """One reload of the history."""
    return {
        "id": f"reload-{seconds_ago}",
        "trigger": "poll",
        "outcome": outcome,
        "oldCommit": SERVED,
        "newCommit": SERVED,
        "startedAt": ago(seconds_ago),
        "durationMs": took_ms,
        "phasesMs": {"fetch": took_ms * 0.75, "compare": took_ms * 0.25},
        "error": None,
    } | more


def status(*reloads: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The status of a server whose data is current, with this history, newest first, and these members."""
    return {
        "branch": "published",
        "served": {
            "commit": SERVED,
            "committedAt": ago(3 * 86_400),
            "servedAt": ago(4_000),
            "records": {"events": 88, "people": 1_234},
        },
        "remote": {"commit": SERVED, "lastReachedAt": ago(12), "lastError": None, "announced": None},
        "fresh": True,
        "rejected": None,
        "quarantined": [],
        "lastReload": reloads[0] if reloads else None,
        "history": list(reloads),
        "poll": {"intervalSeconds": 60.0, "nextAt": ago(-48), "consecutiveFailures": 0},
    } | more


def refused(code: str = "data-rejected", *problems: tuple[str, int, str]) -> dict[str, Any]:
    """The status of a server that refused the newest commit because of (path, line, message)."""
    listed = [{"path": path, "line": line, "column": 1, "message": words} for path, line, words in problems]
    rejected = {"commit": REFUSED, "at": ago(700), "code": code, "problems": listed}
    return status(reload(code, error="a private text"), fresh=False, rejected=rejected)


def not_ready(outcome: str | None = None) -> dict[str, Any]:
    """The status of a server that has nothing to serve, while it loads or after an attempt that failed."""
    remote = {"commit": None, "lastReachedAt": None, "lastError": None, "announced": None}
    poll = {"intervalSeconds": 0.0, "nextAt": None, "consecutiveFailures": 0}
    failed = [] if outcome is None else [reload(outcome, newCommit=None, oldCommit=None)]
    return status(*failed, branch=None, served=None, remote=remote, fresh=False, poll=poll)


def stale(outcome: str = "fetch-failed") -> dict[str, Any]:
    """The status of a server whose last reload failed."""
    remote = {
        "commit": SERVED,
        "lastReachedAt": ago(4_000),
        "lastError": "no route to host",
        "announced": None,
    }
    return status(reload(outcome, error="no route"), fresh=False, remote=remote)
