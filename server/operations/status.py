"""The status: one object that the route, the command and the page show alike."""

from __future__ import annotations

from typing import Any

from reload.lane.branch import Branch
from reload.lane.journal import Journal
from reload.lane.outcome import Outcome
from reload.lane.reloader import Running
from reload.snapshot.snapshot import Snapshot
from server.api.documents import rfc3339


def status_document(branch: Branch) -> dict[str, Any]:
    """What is served, how fresh it is, what was refused and why, and the last reloads."""
    current, journal, poller = branch.snapshot, branch.journal, branch.poller
    rejected = journal.rejected
    return {
        "branch": branch.name,
        "served": _served(current, journal),
        "remote": {
            "commit": journal.remote.commit,
            "lastReachedAt": _moment(journal.remote.last_reached_at),
            "lastError": journal.remote.last_error,
            "announced": _announced(journal),
        },
        "fresh": journal.fresh,
        "rejected": None
        if rejected is None
        else {
            "commit": rejected.commit,
            "at": rfc3339(rejected.at),
            "code": rejected.code,
            "problems": [
                {"path": p.path, "line": p.line, "column": p.column, "message": p.message}
                for p in rejected.problems
            ],
        },
        "quarantined": _quarantined(current),
        "running": _running(branch.reloader.running),
        "lastReload": _reload(journal.last) if journal.last else None,
        "history": [_reload(outcome) for outcome in journal.history],
        "poll": {
            "intervalSeconds": poller.interval_s,
            "nextAt": _moment(poller.next_at),
            "consecutiveFailures": journal.consecutive_failures,
        },
    }


def public_status(document: dict[str, Any]) -> dict[str, Any]:
    """The same document with only what anybody may see: counts instead of texts.

    Texts of problems and errors may quote records, paths and addresses that are not public.
    """
    rejected, last = document["rejected"], document["lastReload"]
    return document | {
        "remote": document["remote"] | {"lastError": None},
        "rejected": rejected and rejected | {"problems": [], "problemCount": len(rejected["problems"])},
        "quarantined": [{} for _ in document["quarantined"]],
        "lastReload": last and last | {"error": None},
        "history": [each | {"error": None} for each in document["history"]],
    }


def _served(current: Snapshot | None, journal: Journal) -> dict[str, Any] | None:
    if current is None:
        return None
    return {
        "commit": current.commit,
        "committedAt": rfc3339(current.served.committed_at),
        "servedAt": _moment(journal.served_at),
        "records": dict(current.served.records),
    }


def _quarantined(current: Snapshot | None) -> list[dict[str, Any]]:
    """The records that the served commit holds in an unreadable version, the first of them."""
    return [
        {
            "sheet": each.sheet,
            "path": each.problem.path,
            "message": each.message,
            "since": _moment(each.since),
        }
        for each in (current.listing.quarantined if current else ())
    ]


def _running(running: Running | None) -> dict[str, Any] | None:
    if running is None:
        return None
    return {"phase": running.phases.current, "since": rfc3339(running.since)}


def _reload(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.id,
        "trigger": outcome.trigger.value,
        "outcome": outcome.outcome,
        "oldCommit": outcome.old_commit,
        "newCommit": outcome.new_commit,
        "startedAt": rfc3339(outcome.started_at),
        "durationMs": outcome.duration_ms,
        "phasesMs": dict(outcome.phases_ms),
        "error": str(outcome.error) if outcome.error else None,
    }


def _announced(journal: Journal) -> dict[str, Any] | None:
    announced = journal.announced
    return None if announced is None else {"commit": announced.commit, "since": rfc3339(announced.since)}


def _moment(moment: Any) -> str | None:
    return None if moment is None else rfc3339(moment)
