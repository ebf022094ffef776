"""The engine of Livesheets: a git branch in, Snapshots out.

It knows nothing of HTTP, tokens, metrics or the environment; `server` builds on it. These names are for
programs that serve a branch themselves, and they are stable::

    async with await open_branch("data.git", remote=url, derive={"totals": totals}) as branch:
        for row in branch.snapshot.records("projects"):
            print(row.path, row.record["title"])
        outcome = await branch.reload()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reload.build.builder import Policy
    from reload.build.derivation import Derivation, Difference
    from reload.errors import DerivationFailed, Problem, ReloadError
    from reload.lane.branch import Branch, open_branch
    from reload.lane.outcome import Outcome
    from reload.records.policy import DataPolicy
    from reload.records.sheet import Sheet
    from reload.repository.directory_lock import DirectoryInUse
    from reload.snapshot.query.answers import Row
    from reload.snapshot.query.query import Filter, InvalidQuery, Query, Sort
    from reload.snapshot.query.reader import Reader
    from reload.snapshot.query.search import match_expression
    from reload.snapshot.snapshot import Snapshot
    from reload.snapshot.tables.records import Changes

# Where each name is. They are imported when first asked for, since a build child needs none of them.
_MODULES = {
    "Branch": "reload.lane.branch",
    "Changes": "reload.snapshot.tables.records",
    "DataPolicy": "reload.records.policy",
    "Derivation": "reload.build.derivation",
    "DerivationFailed": "reload.errors",
    "Difference": "reload.build.derivation",
    "DirectoryInUse": "reload.repository.directory_lock",
    "Filter": "reload.snapshot.query.query",
    "InvalidQuery": "reload.snapshot.query.query",
    "Outcome": "reload.lane.outcome",
    "Policy": "reload.build.builder",
    "Problem": "reload.errors",
    "Query": "reload.snapshot.query.query",
    "Reader": "reload.snapshot.query.reader",
    "ReloadError": "reload.errors",
    "Row": "reload.snapshot.query.answers",
    "Sheet": "reload.records.sheet",
    "Snapshot": "reload.snapshot.snapshot",
    "Sort": "reload.snapshot.query.query",
    "match_expression": "reload.snapshot.query.search",
    "open_branch": "reload.lane.branch",
}

__all__ = [
    "Branch",
    "Changes",
    "DataPolicy",
    "Derivation",
    "DerivationFailed",
    "Difference",
    "DirectoryInUse",
    "Filter",
    "InvalidQuery",
    "Outcome",
    "Policy",
    "Problem",
    "Query",
    "Reader",
    "ReloadError",
    "Row",
    "Sheet",
    "Snapshot",
    "Sort",
    "match_expression",
    "open_branch",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'reload' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
