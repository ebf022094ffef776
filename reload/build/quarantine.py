"""Quarantine: what is served for unreadable records, their last readable version or nothing.

A version is one on the branch's first-parent history, newest first, read as the served commit's sheet
definition says. The search ends where the file was absent: a record that was removed on purpose does not
come back when it is added again with a mistake. So the answer is a function of the commit alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from reload.build.findings import Unreadable
from reload.build.sheet_reader import SheetReader
from reload.records.record import Record
from reload.repository.repository import BLOB_MODES, Repository
from reload.snapshot.tables.problems import Listed

# Above this many unreadable versions in a row a file is served as absent.
VERSIONS_MAX = 100


class Settled(NamedTuple):
    """What is served for an unreadable file: how it is listed, and the record in its place."""

    path: str | None
    listed: Listed
    served: Record | None


@dataclass(slots=True)
class _Search:
    """How far the search for one file's last readable version is."""

    unreadable: Unreadable
    versions: int = 0
    since_commit: str | None = None
    since: datetime | None = None


def last_readable(
    repository: Repository, commit: str, reader: SheetReader, unreadable: Sequence[Unreadable]
) -> Iterator[Settled]:
    """What is served for each unreadable file of a sheet, in no particular order."""
    searches = {each.entry.path: _Search(each) for each in unreadable}
    if not searches:
        return
    with contextlib.closing(repository.versions(commit, list(searches))) as versions:
        for version in versions:
            search = searches.get(version.path)
            if search is None:
                continue
            if search.since_commit is None:
                search.since_commit, search.since = version.commit, version.committed_at
            search.versions += 1
            path, record = search.unreadable.record, None
            if path is not None and version.old is not None and version.old.mode in BLOB_MODES:
                record = reader.version(path, version.old.oid)
            if record is not None or version.old is None or search.versions >= VERSIONS_MAX:
                del searches[version.path]
                yield _settled(reader, search, record)
            if not searches:
                return
    for search in searches.values():
        yield _settled(reader, search, None)


def _settled(reader: SheetReader, search: _Search, served: Record | None) -> Settled:
    entry, problems = search.unreadable.entry, search.unreadable.problems
    more = len(problems) - 1
    message = problems[0].message + (f" (and {more} more)" if more else "")
    listed = Listed(
        sheet=reader.sheet.name,
        kind="quarantined",
        path=entry.path,
        line=problems[0].line,
        column=problems[0].column,
        message=message,
        mode=entry.mode,
        blob=entry.oid,
        served=served.blob if served else None,
        since_commit=search.since_commit,
        since=search.since,
    )
    return Settled(search.unreadable.record, listed, served)
