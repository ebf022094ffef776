"""The state file: one ordinary SQLite database that holds everything a reader can ask, at one commit.

One table a sheet with ready-made JSON, and an FTS5 index beside it, so that `sqlite3` and `datasette`
open and search it. It is a cache: deleting it is always safe. Nothing newer than SQLite 3.40 is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import apsw

from reload.errors import StateFileError
from reload.records.record import Record
from reload.records.sheet import Sheet, read_sheet
from reload.snapshot.tables.attachments import Attachment, AttachmentTable
from reload.snapshot.tables.collisions import Collisions
from reload.snapshot.tables.fields import FieldCounts
from reload.snapshot.tables.format import (
    APPLICATION_ID,
    FORMAT_VERSION,
    STATE_SCHEMA,
    TOKENIZER,
    json_path,
    quoted,
    stored_sort_key,
)
from reload.snapshot.tables.problems import Listed, ProblemTable
from reload.snapshot.tables.records import Changes, RecordTable

__all__ = ["TOKENIZER", "Attachment", "Changes", "StateFile", "json_path", "quoted", "stored_sort_key"]

BUSY_TIMEOUT_MS = 5_000
_BULK_CACHE_KIB = 128 * 1024


class StateFile:
    """The writing side of a state file; for use by one thread at a time.

    `create` makes a new file, which has no readers before it is whole; `open` takes an existing one, whose
    readers keep their version while it is written to.
    """

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.path = path
        self._db = connection
        self.attachments = AttachmentTable(connection)
        self.problems = ProblemTable(connection)
        self._fields = FieldCounts(connection)
        self._collisions = Collisions(connection, self.problems)
        self._tables: dict[str, RecordTable] = {}
        self.sheets: dict[str, Sheet] = {}

    @classmethod
    def create(cls, path: Path) -> StateFile:
        """A new, empty state file for loading in bulk: no journal, no waiting for the disk."""
        db = apsw.Connection(str(path))
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
            db.pragma(*pragma.split(" = "))
        db.pragma("cache_size", -_BULK_CACHE_KIB)
        db.execute("BEGIN")
        db.execute(STATE_SCHEMA)
        return cls(path, db)

    @classmethod
    def open(cls, path: Path) -> StateFile:
        """The state file at `path`; raises StateFileError where it does not fit."""
        try:
            db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        except apsw.Error as error:
            raise StateFileError(f"{path}: {error}") from error
        try:
            db.set_busy_timeout(BUSY_TIMEOUT_MS)
            found = db.pragma("application_id"), db.pragma("user_version")
            if found != (APPLICATION_ID, FORMAT_VERSION):
                raise StateFileError(f"{path}: format {found} is not {(APPLICATION_ID, FORMAT_VERSION)}")
            db.pragma("journal_mode", "WAL")
            db.pragma("synchronous", "NORMAL")
            db.pragma("wal_autocheckpoint", 0)
            state_file = cls(path, db)
            state_file._read_sheets()
            return state_file
        except (apsw.Error, StateFileError) as error:
            db.close()
            raise StateFileError(f"{path}: {error}") from error

    @property
    def commit(self) -> str:
        """The commit that the file holds; raises StateFileError where it holds none."""
        return self.state("commit")

    def state(self, key: str) -> str:
        """One value of the table `livesheets_state`; raises StateFileError where it is not noted."""
        value = self.state_or_none(key)
        if value is None:
            raise StateFileError(f"{self.path}: no {key} is noted, so it was never finished")
        return value

    def state_or_none(self, key: str) -> str | None:
        """One value of the table `livesheets_state`, None where it is not noted."""
        for (value,) in self._db.execute("SELECT value FROM livesheets_state WHERE key = ?", (key,)):
            return str(value)
        return None

    def note(self, **values: str) -> None:
        """Set values of the table `livesheets_state`."""
        self._db.executemany("REPLACE INTO livesheets_state VALUES (?, ?)", values.items())

    def begin(self) -> None:
        """Start the transaction that a reload by difference is."""
        self._db.execute("BEGIN IMMEDIATE")
        self._fields.clear()
        self._collisions.forget()

    def finish(self) -> None:
        """Make the transaction visible to readers that open from now on."""
        for table in self._tables.values():
            self._collisions.list_touched(table.sheet, table.quoted)
        self._fields.write(self._tables)
        self._db.execute("COMMIT")

    def undo(self) -> None:
        """Forget the transaction; the file is as it was before `begin`."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._read_sheets()

    def checkpoint(self) -> bool:
        """Move what readers no longer need out of the write-ahead log; True when all of it was moved."""
        _, in_log, moved = next(iter(self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")))
        return bool(in_log == moved)

    def close(self) -> None:
        """Close the file; readers of its own stay open."""
        self._db.close()

    # -- sheets ---------------------------------------------------------------------------------

    def has_field(self, sheet: str, field: str) -> bool:
        """Whether a record of a sheet has a field."""
        return self._fields.has(sheet, field)

    def add_sheet(self, sheet: Sheet) -> None:
        """A new, empty table for a sheet; indexes come with `index_sheet`."""
        self._tables[sheet.name] = RecordTable.create(self._db, sheet, self._fields, self._collisions)
        self.sheets[sheet.name] = sheet

    def index_sheet(self, name: str) -> None:
        """The indexes over what the sheet holds now, search included; to be made when all is loaded."""
        self._tables[name].index()

    def drop_sheet(self, name: str) -> None:
        """Remove a sheet with all that belongs to it."""
        self._tables.pop(name).drop()
        del self.sheets[name]
        for owner in (self.attachments, self.problems, self._fields, self._collisions):
            owner.forget_sheet(name)

    def count(self, name: str) -> int:
        """How many records a sheet holds; none where there is no such sheet."""
        return self._tables[name].count() if name in self._tables else 0

    def contents(self, name: str) -> dict[str, tuple[str, str]]:
        """Every record of a sheet as path -> (blob, JSON); for small sheets."""
        return self._tables[name].contents()

    # -- records --------------------------------------------------------------------------------

    def load(self, name: str, records: Iterable[Record], listed: Iterable[Listed] = ()) -> int:
        """Add records in bulk to a sheet that has no indexes yet; how many there were.

        `listed` is what is wrong with these records.
        """
        self.problems.add(listed)
        return self._tables[name].load(records)

    def index_texts(self, name: str) -> None:
        """Make searchable what was loaded into a sheet so far."""
        self._tables[name].index_texts()

    def put(self, name: str, record: Record, changes: Changes) -> None:
        """Add or replace one record and keep search and fields in step."""
        self._tables[name].put(record, changes)

    def remove(self, name: str, path: str, changes: Changes) -> None:
        """Remove one record, if it is there."""
        self._tables[name].remove(path, changes)

    def blob_of(self, name: str, path: str) -> str | None:
        """The blob of a record, None where there is no such record."""
        return self._tables[name].blob_of(path)

    def records_below(self, name: str, folder: str) -> list[tuple[str, str]]:
        """(path, blob) of every record whose path lies below `folder`."""
        return self._tables[name].below(folder)

    # -- the end of a build -----------------------------------------------------------------------

    def compare(self, name: str, old: StateFile) -> Changes:
        """What this file's records of a sheet change against another file's."""
        new_table, old_table = self._tables[name].quoted, old._tables[name].quoted
        self._db.execute("ATTACH ? AS before", (str(old.path),))
        try:
            select = (
                "SELECT count(*), coalesce(sum(n.blob <> o.blob OR n.record <> o.record), 0)"
                f" FROM main.{new_table} AS n JOIN before.{old_table} AS o USING (path)"
            )
            common, modified = next(iter(self._db.execute(select)))
        finally:
            self._db.execute("DETACH before")
        return Changes(self.count(name) - common, modified, old.count(name) - common)

    def changed_paths(self, name: str, old: StateFile, limit: int) -> list[tuple[str, str]]:
        """The first `limit` records that differ from another file's: (added, modified or removed; path)."""
        new_table, old_table = self._tables[name].quoted, old._tables[name].quoted
        pairs = f"main.{new_table} AS n JOIN before.{old_table} AS o USING (path)"
        select = (
            f"SELECT 'modified', path FROM {pairs} WHERE n.blob <> o.blob OR n.record <> o.record"
            f" UNION ALL SELECT 'added', path FROM main.{new_table}"
            f" WHERE path NOT IN (SELECT path FROM before.{old_table})"
            f" UNION ALL SELECT 'removed', path FROM before.{old_table}"
            f" WHERE path NOT IN (SELECT path FROM main.{new_table}) ORDER BY 2 LIMIT ?"
        )
        self._db.execute("ATTACH ? AS before", (str(old.path),))
        try:
            return [(str(kind), str(path)) for kind, path in self._db.execute(select, (limit,))]
        finally:
            self._db.execute("DETACH before")

    def verify(self) -> None:
        """Check that every record can be found and searched; raises StateFileError naming the sheet.

        Counts only, so that the cost does not follow the size of the texts.
        """
        for name, table in self._tables.items():
            noted = table.count()
            counted, searchable = table.stored()
            if not noted == counted == searchable:
                message = f"sheet {name}: {noted} records noted, {counted} stored, {searchable} searchable"
                raise StateFileError(message)

    def _read_sheets(self) -> None:
        self.sheets, self._tables = {}, {}
        select = "SELECT name, data, definition FROM livesheets_sheets"
        for name, table, definition in list(self._db.execute(select)):
            sheet = read_sheet(str(name), str(definition).encode())
            if not isinstance(sheet, Sheet):
                raise StateFileError(f"the noted definition of sheet {name} cannot be read: {sheet}")
            self.sheets[sheet.name] = sheet
            self._tables[sheet.name] = RecordTable(
                self._db, sheet, str(table), self._fields, self._collisions
            )
