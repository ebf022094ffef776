"""State files built and brought forward under a policy, with what they serve and what they list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from reload.build.difference import apply_difference
from reload.build.scratch import build_from_scratch
from reload.errors import DataRejected, Problem
from reload.records.policy import DataPolicy
from reload.records.schema import Budget, Schema, pointer
from reload.repository.repository import Repository
from reload.snapshot.state_file import Changes, StateFile
from reload.snapshot.tables.problems import Listed, Listing
from tests.gitrepo import FIRST_DATE_S, Content, GitRepo
from tests.reload.engine import asked, opened, rows_of, sheet_of

DEFAULT = DataPolicy()
QUARANTINE = DataPolicy(invalid="quarantine")
ENFORCE = DataPolicy(schema="enforce")
OFF = DataPolicy(schema="off")
QUARANTINE_ENFORCE = DataPolicy(invalid="quarantine", schema="enforce")

FLAT = "[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n"
FILE = "people/ada.toml"
# One record of it: two versions that are well, and two that nobody can read.
GOOD, BETTER, BAD, WORSE = "slug = 'ada'\nn = 1\n", "slug = 'ada'\nn = 2\n", "slug = 'ada\n", "n = = 1\n"
MakeRepo = Callable[..., GitRepo]
# Every table that is a function of commit and policy, its rows in an order of their own.
_TABLES = ("state", "fields", "attachments", "problems", "problem_counts", "folded")


def build(repository: Repository, commit: str, path: Path, policy: DataPolicy = DEFAULT) -> Path:
    """A state file at `path`, built from scratch under a policy."""
    path.unlink(missing_ok=True)
    build_from_scratch(repository, commit, path, lambda done, total: None, policy)
    return path


def move(
    repository: Repository, state_file: StateFile, commit: str, policy: DataPolicy
) -> dict[str, Changes]:
    """Bring a state file to `commit` by difference; leaves it as it was where that fails."""
    state_file.begin()
    try:
        changes = apply_difference(repository, state_file, commit, policy)
        state_file.finish()
    except BaseException:
        state_file.undo()
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


def repo_of(make: MakeRepo, files: dict[str, Content], definition: str = FLAT, name: str = "data") -> GitRepo:
    """A repository with a sheet `people` and these files, in one commit."""
    repo = make(name)
    repo.write({".gitsheets/people.toml": definition, **files})
    repo.commit()
    return repo


def built(repo: GitRepo, policy: DataPolicy = DEFAULT, commit: str | None = None) -> Path:
    with opened(repo.git_dir) as repository:
        return build(repository, commit or repo.rev(), repo.path / "state", policy)


def problems_of(repo: GitRepo, policy: DataPolicy = DEFAULT) -> tuple[Problem, ...]:
    with opened(repo.git_dir) as repository:
        return rejection(repository, repo.rev(), repo.path / "refused", policy)


def alike(repo: GitRepo, commits: Iterable[str], policy: DataPolicy = DEFAULT) -> Path:
    """A state file brought through these commits by difference, each time as one built from scratch."""
    first, *others = commits
    with opened(repo.git_dir) as repository:
        state_file = StateFile.open(build(repository, first, repo.path / "moved", policy))
        for commit in [*others, first, *others]:
            move(repository, state_file, commit, policy)
            fresh = build(repository, commit, repo.path / "fresh", policy)
            assert contents(state_file.path) == contents(fresh)
        state_file.close()
    return state_file.path


def commit_of(repo: GitRepo, tree: str, parents: Sequence[str], minute: int) -> str:
    """A commit with any parents, which no branch needs to know."""
    who = f"Test <test@example.org> {FIRST_DATE_S + 60 * minute} +0000"
    lines = [f"tree {tree}", *(f"parent {each}" for each in parents), f"author {who}", f"committer {who}"]
    text = "\n".join([*lines, "", "x\n"]).encode()
    return repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text)


def schema_of(schema: dict[str, Any], budget: Budget | None = None) -> Schema:
    """A schema as a sheet's definition may hold it, compiled."""
    definition = orjson.dumps(schema).decode()
    return Schema(replace(sheet_of(), schema=schema, definition=definition), budget)


def violations_of(schema: dict[str, Any], record: object) -> list[tuple[str, str]]:
    """How a record breaks a schema: (JSON pointer, message)."""
    found = schema_of(schema).violations(orjson.dumps(record).decode())
    return [(pointer(each.steps), each.message) for each in found]
