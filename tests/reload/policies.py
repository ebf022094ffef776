"""State files built and brought forward under a policy, with what they serve and what they list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reload.difference import apply_difference
from reload.errors import DataRejected, Problem
from reload.policy import DataPolicy
from reload.problem_table import Listed, Listing
from reload.repository import Repository
from reload.scratch import build_from_scratch
from reload.store import Changes, Store
from tests.reload.engine import asked, rows_of

DEFAULT = DataPolicy()
QUARANTINE = DataPolicy(invalid="quarantine")
ENFORCE = DataPolicy(schema="enforce")
QUARANTINE_ENFORCE = DataPolicy(invalid="quarantine", schema="enforce")

FLAT = "[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n"
# Every table that is a function of commit and policy, its rows in an order of their own.
_TABLES = ("state", "fields", "attachments", "problems", "folded")


def build(repository: Repository, commit: str, path: Path, policy: DataPolicy = DEFAULT) -> Path:
    """A state file at `path`, built from scratch under a policy."""
    path.unlink(missing_ok=True)
    build_from_scratch(repository, commit, path, lambda done, total: None, policy)
    return path


def move(repository: Repository, store: Store, commit: str, policy: DataPolicy) -> dict[str, Changes]:
    """Bring a state file to `commit` by difference; leaves it as it was where that fails."""
    store.begin()
    try:
        changes = apply_difference(repository, store, commit, policy)
        store.finish()
    except BaseException:
        store.undo()
        raise
    return changes


def rejection(repository: Repository, commit: str, path: Path, policy: DataPolicy) -> tuple[Problem, ...]:
    """Why a build from scratch refuses a commit; nothing where it does not."""
    try:
        build(repository, commit, path, policy)
    except DataRejected as error:
        return error.problems
    return ()


def contents(path: Path) -> dict[str, Any]:
    """Every row of a state file that is a function of commit and policy."""
    found: dict[str, Any] = {
        table: sorted(rows_of(path, f"SELECT * FROM livesheets_{table}"), key=repr) for table in _TABLES
    }
    for name, table, records in rows_of(path, "SELECT name, data, records FROM livesheets_sheets"):
        rows = rows_of(path, f'SELECT path, blob, record, text FROM "{table}"')
        found["records", name] = records, sorted(rows)
    return found


def records(path: Path, sheet: str = "people") -> dict[str, str]:
    """The JSON of a sheet's records by their paths."""
    return dict(rows_of(path, f'SELECT path, record FROM "{sheet}"'))


def listing(path: Path) -> Listing:
    """What a reader of a state file is told about problems."""
    with asked(path) as reader:
        return reader.listing()


def listed(path: Path) -> list[tuple[str, str]]:
    """(kind, path) of everything that is listed."""
    found = listing(path)
    both: tuple[Listed, ...] = (*found.quarantined, *found.warnings)
    return [(each.kind, each.problem.path) for each in both]
