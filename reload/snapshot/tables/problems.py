"""What is wrong with a commit that is served all the same: the rows of `livesheets_problems`."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Literal, get_args

import apsw

from reload.errors import Problem

LISTED_MAX = 100

Kind = Literal["quarantined", "definition", "schema", "path", "twin", "unsupported", "front-matter", "layout"]

PROBLEM_SCHEMA = """
CREATE TABLE livesheets_problems (
    sheet TEXT, path, kind TEXT, number INTEGER, line INTEGER NOT NULL, "column" INTEGER NOT NULL,
    message TEXT NOT NULL, mode TEXT, blob TEXT, served TEXT, since_commit TEXT, since TEXT,
    PRIMARY KEY (sheet, path, kind, number)
) WITHOUT ROWID;
CREATE INDEX livesheets_problems_kind ON livesheets_problems (kind, path, sheet, number);
CREATE TABLE livesheets_problem_counts (
    sheet TEXT, kind TEXT, problems INTEGER NOT NULL, PRIMARY KEY (sheet, kind)
) WITHOUT ROWID;
CREATE TRIGGER livesheets_problem_added AFTER INSERT ON livesheets_problems BEGIN
    INSERT INTO livesheets_problem_counts VALUES (new.sheet, new.kind, 1)
        ON CONFLICT DO UPDATE SET problems = problems + 1;
END;
CREATE TRIGGER livesheets_problem_removed AFTER DELETE ON livesheets_problems BEGIN
    UPDATE livesheets_problem_counts SET problems = problems - 1 WHERE sheet = old.sheet AND kind = old.kind;
    DELETE FROM livesheets_problem_counts WHERE sheet = old.sheet AND kind = old.kind AND problems = 0;
END;
"""
_COLUMNS = 'sheet, path, kind, line, "column", message, mode, blob, served, since_commit, since'


@dataclass(frozen=True, slots=True)
class Listed:
    """One thing wrong with a file of a sheet that does not keep the commit from being served.

    A `quarantined` record cannot be read: its version `served` (a blob) is served instead, or nothing
    where that is None, `since` the commit on the branch's first-parent history that brought the present
    file; `mode` and `blob` are that file's. Every other kind is a warning.
    """

    sheet: str
    kind: Kind
    path: str
    line: int
    column: int
    message: str
    mode: str | None = None
    blob: str | None = None
    served: str | None = None
    since_commit: str | None = None
    since: datetime | None = None

    @classmethod
    def of(cls, sheet: str, kind: Kind, problem: Problem) -> Listed:
        """A problem, listed for a sheet."""
        return cls(sheet, kind, problem.path, problem.line, problem.column, problem.message)

    @property
    def problem(self) -> Problem:
        """The same as a Problem, its path fit to be shown."""
        return Problem(shown(self.path), self.line, self.column, self.message)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a commit's listed problems are: the first LISTED_MAX of each sort by path, and all counted."""

    quarantined: tuple[Listed, ...]
    warnings: tuple[Listed, ...]
    counts: Mapping[str, int]
    quarantined_count: int

    @classmethod
    def read(cls, db: apsw.Connection) -> Listing:
        """The listing of a state file."""
        counts: Counter[str] = Counter()
        quarantined_count = 0
        for sheet, kind, problems in db.execute("SELECT * FROM livesheets_problem_counts"):
            counts[sheet] += problems
            quarantined_count += problems * (kind == "quarantined")
        if not counts:
            return cls((), (), MappingProxyType({}), 0)
        first = "WHERE kind = ? ORDER BY path, sheet, number LIMIT ?"
        by_kind = {kind: tuple(listed(db, first, (kind, LISTED_MAX))) for kind in get_args(Kind)}
        quarantined = by_kind.pop("quarantined")
        together = heapq.merge(*by_kind.values(), key=_position)
        warnings = tuple(islice(together, LISTED_MAX))
        return cls(quarantined, warnings, MappingProxyType(dict(counts)), quarantined_count)


def _position(problem: Listed) -> tuple[str, str, str]:
    return problem.path, problem.sheet, problem.kind


def shown(path: str) -> str:
    """A path as it can be shown: bytes that are not UTF-8 escaped."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class ProblemTable:
    """The writing side of `livesheets_problems`; what is in it is a function of commit and policy."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def add(self, listed: Iterable[Listed]) -> None:
        """List problems, those of one file and kind in their order."""
        last: tuple[str, str, str] | None = None
        number = 0
        rows = []
        for each in listed:
            key = (each.sheet, each.path, each.kind)
            number = number + 1 if key == last else 0
            last = key
            since = each.since.isoformat() if each.since else None
            rows.append(
                (
                    *(each.sheet, _stored(each.path), each.kind, number),
                    *(each.line, each.column, each.message),
                    *(each.mode, each.blob, each.served, each.since_commit, since),
                )
            )
        self._db.executemany(f"INSERT INTO livesheets_problems VALUES ({', '.join('?' * 12)})", rows)

    def forget(self, sheet: str, path: str) -> None:
        """Strike what is listed about a file, save its twins, which depend on other files."""
        delete = "DELETE FROM livesheets_problems WHERE sheet = ? AND path = ? AND kind <> 'twin'"
        self._db.execute(delete, (sheet, _stored(path)))

    def forget_twin(self, sheet: str, path: str) -> None:
        """Strike that a file has a twin."""
        delete = "DELETE FROM livesheets_problems WHERE sheet = ? AND path = ? AND kind = 'twin'"
        self._db.execute(delete, (sheet, _stored(path)))

    def has_kind(self, kind: Kind) -> bool:
        """Whether anything of a kind is listed."""
        select = "SELECT 1 FROM livesheets_problem_counts WHERE kind = ? LIMIT 1"
        return any(self._db.execute(select, (kind,)))

    def forget_kind(self, kind: Kind) -> None:
        """Strike everything of a kind."""
        self._db.execute("DELETE FROM livesheets_problems WHERE kind = ?", (kind,))

    def forget_sheet(self, sheet: str) -> None:
        """Strike everything that is listed about a sheet."""
        self._db.execute("DELETE FROM livesheets_problems WHERE sheet = ?", (sheet,))

    def all(self) -> Iterator[Listed]:
        """Everything that is listed, by file."""
        yield from listed(self._db, "ORDER BY path, sheet, kind, number", ())

    def has_quarantined(self, sheet: str) -> bool:
        """Whether any record of a sheet is quarantined."""
        select = "SELECT 1 FROM livesheets_problem_counts WHERE kind = 'quarantined' AND sheet = ?"
        return any(self._db.execute(select, (sheet,)))

    def unserved(self, sheet: str) -> list[Listed]:
        """The files of a sheet that are in the commit and not in its table: quarantined or unsupported."""
        return list(listed(self._db, "WHERE sheet = ? AND kind IN ('quarantined', 'unsupported')", (sheet,)))


def listed(db: apsw.Connection, condition: str, values: tuple[object, ...]) -> Iterator[Listed]:
    """Rows of `livesheets_problems`; `condition` is the rest of the statement."""
    for row in db.execute(f"SELECT {_COLUMNS} FROM livesheets_problems {condition}", values):
        sheet, path, kind, line, column, message, mode, blob, served, since_commit, since = row
        text = path if isinstance(path, str) else bytes(path).decode("utf-8", "surrogateescape")
        moment = datetime.fromisoformat(since) if since else None
        yield Listed(sheet, kind, text, line, column, message, mode, blob, served, since_commit, moment)


def _stored(path: str) -> str | bytes:
    """A path as SQLite can hold it; one that is not UTF-8 is kept as its bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogateescape")
    return path
