"""How a reload ended, as JSON for its caller: a document where it worked, a problem where it failed."""

from __future__ import annotations

from typing import Any

from reload.lane.outcome import Outcome
from server.http.errors import FETCH_RETRY_AFTER_S, ApiError


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """A reload that succeeded, as its caller gets it."""
    document: dict[str, Any] = {
        "ok": True,
        "outcome": outcome.outcome,
        "noChanges": outcome.no_changes,
        "oldCommit": outcome.old_commit,
        "newCommit": outcome.new_commit,
        "durationMs": outcome.duration_ms,
    }
    if not outcome.no_changes:
        document["rebuilt"] = outcome.rebuilt
        document["changes"] = {
            name: {"added": c.added, "modified": c.modified, "removed": c.removed}
            for name, c in outcome.changes.items()
        }
        document["problems"] = problem_list(outcome)
        document["phasesMs"] = dict(outcome.phases_ms)
    return document


def problem_list(outcome: Outcome) -> list[dict[str, Any]]:
    """What is wrong with a commit, file by file."""
    return [
        {"path": p.path, "line": p.line, "column": p.column, "message": p.message} for p in outcome.problems
    ]


def reload_error(outcome: Outcome) -> ApiError:
    """The answer for a reload that failed: what is wrong, what is still served."""
    members: dict[str, Any] = {
        "outcome": outcome.outcome,
        "oldCommit": outcome.old_commit,
        "durationMs": outcome.duration_ms,
        "reloadId": outcome.id,
    }
    headers = {}
    if outcome.outcome == "fetch-failed":
        headers["Retry-After"] = str(FETCH_RETRY_AFTER_S)
    if reason := getattr(outcome.error, "reason", ""):
        members["reason"] = reason
    if outcome.outcome == "data-rejected":
        members["problems"] = problem_list(outcome)
    if outcome.outcome in ("diverged", "rewound", "data-rejected", "deletions-held"):
        members["remoteCommit"] = outcome.remote_commit
    removed = getattr(outcome.error, "removed", None)
    if removed is not None:
        members["deletions"] = {
            name: {"removed": gone, "of": before} for name, (gone, before) in removed.items()
        }
    return ApiError(outcome.outcome, str(outcome.error), headers, **members)
