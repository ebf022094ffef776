"""The state file: one ordinary SQLite database that holds everything a reader can ask, at one commit.

One table a sheet with ready-made JSON, and an FTS5 index beside it, so that `sqlite3` and `datasette`
open and search it. It is a cache: deleting it is always safe. Nothing newer than SQLite 3.40 is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import orjson

from reload.attachment_table import Attachment, AttachmentTable
from reload.errors import StoreError
from reload.field_counts import FieldCounts, Shape
from reload.problem_table import Listed, ProblemTable
from reload.records import Record, shape_of
from reload.sheets import Sheet, read_sheet
from reload.state_format import (
    APPLICATION_ID,
    FORMAT_VERSION,
    STATE_SCHEMA,
    TOKENIZER,
    below,
    free_table,
    json_path,
    quoted,
)
from reload.twins import Twins

__all__ = ["TOKENIZER", "Attachment", "Changes", "Store", "json_path", "quoted"]

BUSY_TIMEOUT_MS = 5_000
_BULK_CACHE_KIB = 128 * 1024
_BULK_HASH_BYTES = 16 << 20


@dataclass(slots=True)
class Changes:
    """How many records of a sheet a reload added, modified and removed."""

    added: int = 0
    modified: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.modified or self.removed)


class Store:
    """The writing side of a state file; for use by one thread at a time.

    `create` makes a new file that nobody reads before it is whole; `open` takes an existing one, whose
    readers keep their version while it is written to.
    """

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.path = path
        self._db = connection
        self.attachments = AttachmentTable(connection)
        self.problems = ProblemTable(connection)
        self._fields = FieldCounts(connection)
        self._twins = Twins(connection, self.problems)
        self._tables: dict[str, str] = {}
        self.sheets: dict[str, Sheet] = {}

    @classmethod
    def create(cls, path: Path) -> Store:
        """A new, empty state file for loading in bulk: no journal, no waiting for the disk."""
        db = apsw.Connection(str(path))
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
            db.pragma(*pragma.split(" = "))
        db.pragma("cache_size", -_BULK_CACHE_KIB)
        db.execute("BEGIN")
        db.execute(STATE_SCHEMA)
        return cls(path, db)

    @classmethod
    def open(cls, path: Path) -> Store:
        """The state file at `path`; raises StoreError where it is damaged, foreign or of another version."""
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            db.set_busy_timeout(BUSY_TIMEOUT_MS)
            found = db.pragma("application_id"), db.pragma("user_version")
            if found != (APPLICATION_ID, FORMAT_VERSION):
                raise StoreError(f"{path}: format {found} is not {(APPLICATION_ID, FORMAT_VERSION)}")
            db.pragma("journal_mode", "WAL")
            db.pragma("synchronous", "NORMAL")
            db.pragma("wal_autocheckpoint", 0)
            store = cls(path, db)
            store._read_sheets()
            return store
        except (apsw.Error, StoreError) as error:
            db.close()
            raise StoreError(f"{path}: {error}") from error

    @property
    def commit(self) -> str:
        """The commit that the file holds; raises StoreError where it holds none."""
        return self.state("commit")

    def state(self, key: str) -> str:
        """One value of the table `livesheets_state`; raises StoreError where it is not noted."""
        value = self.state_or_none(key)
        if value is None:
            raise StoreError(f"{self.path}: no {key} is noted, so it was never finished")
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
        self._twins.forget()

    def finish(self) -> None:
        """Make the transaction visible to readers that open from now on."""
        for name, sheet in self.sheets.items():
            self._twins.list_touched(sheet, quoted(self._tables[name]))
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

    def add_sheet(self, sheet: Sheet) -> None:
        """A new, empty table for a sheet; indexes come with `index_sheet`."""
        table = free_table(self._db, sheet.name)
        self._db.execute(
            f"CREATE TABLE {quoted(table)} (id INTEGER PRIMARY KEY, path TEXT NOT NULL, blob TEXT NOT NULL,"
            " record TEXT NOT NULL, text TEXT NOT NULL)"
        )
        fts = quoted(table + "_fts")
        self._db.execute(
            f"CREATE VIRTUAL TABLE {fts} USING fts5("
            f'text, content={quoted(table)}, content_rowid="id", tokenize="{TOKENIZER}")'
        )
        self._db.execute(f"INSERT INTO {fts} ({fts}, rank) VALUES ('hashsize', ?)", (_BULK_HASH_BYTES,))
        row = (sheet.name, table, 0, sheet.definition)
        self._db.execute("INSERT INTO livesheets_sheets VALUES (?, ?, ?, ?)", row)
        self.sheets[sheet.name] = sheet
        self._tables[sheet.name] = table

    def index_sheet(self, name: str) -> None:
        """The indexes over what the sheet holds now, and its twins; made last, which is cheapest."""
        table = self._tables[name]
        self._db.execute(f"CREATE UNIQUE INDEX {quoted(table + '/path')} ON {quoted(table)} (path)")
        for number, field in enumerate(self.sheets[name].index):
            index = quoted(f"{table}/index/{number}")
            self._db.execute(f"CREATE INDEX {index} ON {quoted(table)} ({json_path(field)}, path)")
        self._twins.list_all(self.sheets[name], quoted(table))

    def drop_sheet(self, name: str) -> int:
        """Remove a sheet with all that belongs to it; how many records it held."""
        table = self._tables.pop(name)
        del self.sheets[name]
        count = self.count(name)
        self._db.execute(f"DROP TABLE IF EXISTS {quoted(table + '_fts')}")
        self._db.execute(f"DROP TABLE {quoted(table)}")
        self._db.execute("DELETE FROM livesheets_sheets WHERE name = ?", (name,))
        for owner in (self.attachments, self.problems, self._fields, self._twins):
            owner.forget_sheet(name)
        return count

    def count(self, name: str) -> int:
        """How many records a sheet holds."""
        rows = self._db.execute("SELECT records FROM livesheets_sheets WHERE name = ?", (name,))
        return int(next(iter(rows), (0,))[0])

    def contents(self, name: str) -> dict[str, tuple[str, str]]:
        """Every record of a sheet as path -> (blob, JSON); for small sheets."""
        select = f"SELECT path, blob, record FROM {quoted(self._tables[name])}"
        return {path: (blob, record) for path, blob, record in self._db.execute(select)}

    # -- records --------------------------------------------------------------------------------

    def load(self, name: str, records: Iterable[Record], listed: Iterable[Listed] = ()) -> int:
        """Add records in bulk to a sheet that has no indexes yet, searchable; how many there were.

        The texts are indexed by one statement, during which other threads run. `listed` is what is
        wrong with these records.
        """
        table = quoted(self._tables[name])
        fts = quoted(self._tables[name] + "_fts")
        last = self._db.execute(f"SELECT coalesce(max(id), 0) FROM {table}").get
        insert = f"INSERT INTO {quoted(self._tables[name])} (path, blob, record, text) VALUES (?, ?, ?, ?)"
        shapes: Counter[Shape] = Counter()
        paths: list[str] = []
        self._db.executemany(insert, _rows(records, shapes, paths))
        self._twins.load(name, paths)
        self.problems.add(listed)
        texts = f"INSERT INTO {fts} (rowid, text) SELECT id, text FROM {table} WHERE id > ?"
        self._db.execute(texts, (last,))
        for shape, count in shapes.items():
            self._fields.add(name, shape, count)
        loaded = shapes.total()
        self._add_to_count(name, loaded)
        return loaded

    def put(self, name: str, record: Record, changes: Changes) -> None:
        """Add or replace one record and keep search and fields in step."""
        table = self._tables[name]
        old = self._row(table, record.path)
        if old is None:
            insert = f"INSERT INTO {quoted(table)} (path, blob, record, text) VALUES (?, ?, ?, ?)"
            self._db.execute(insert, (record.path, record.blob, record.json, record.text))
            self._index_text(table, self._db.last_insert_rowid(), record.text)
            self._add_to_count(name, 1)
            self._twins.come(self.sheets[name], record.path)
            changes.added += 1
        else:
            row_id, blob, json, text = old
            self._unindex_text(table, row_id, text)
            update = f"UPDATE {quoted(table)} SET blob = ?, record = ?, text = ? WHERE id = ?"
            self._db.execute(update, (record.blob, record.json, record.text, row_id))
            self._index_text(table, row_id, record.text)
            self._fields.add(name, shape_of(orjson.loads(json)), -1)
            changes.modified += (blob, json) != (record.blob, record.json)
        self._fields.add(name, record.shape, 1)

    def remove(self, name: str, path: str, changes: Changes) -> None:
        """Remove one record, if it is there."""
        table = self._tables[name]
        old = self._row(table, path)
        if old is None:
            return
        row_id, _, json, text = old
        self._unindex_text(table, row_id, text)
        self._db.execute(f"DELETE FROM {quoted(table)} WHERE id = ?", (row_id,))
        self._fields.add(name, shape_of(orjson.loads(json)), -1)
        self._add_to_count(name, -1)
        self._twins.go(self.sheets[name], path)
        changes.removed += 1

    def blob_of(self, name: str, path: str) -> str | None:
        """The blob of a record, None where there is no such record."""
        row = self._row(self._tables[name], path)
        return row[1] if row else None

    def records_below(self, name: str, folder: str) -> list[tuple[str, str]]:
        """(path, blob) of every record whose path lies below `folder`."""
        table = quoted(self._tables[name])
        select = f"SELECT path, blob FROM {table} WHERE path > ? AND path < ?"
        return [(str(path), str(blob)) for path, blob in self._db.execute(select, below(folder))]

    # -- the end of a build -----------------------------------------------------------------------

    def compare(self, name: str, old: Store) -> Changes:
        """What this file's records of a sheet change against another file's."""
        new_table, old_table = quoted(self._tables[name]), quoted(old._tables[name])
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

    def changed_paths(self, name: str, old: Store, limit: int) -> list[tuple[str, str]]:
        """The first `limit` records that differ from another file's: (added, modified or removed; path)."""
        new_table, old_table = quoted(self._tables[name]), quoted(old._tables[name])
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
        """Check that every record can be found and searched; raises StoreError naming the sheet.

        Counts only, so that the cost does not follow the size of the texts.
        """
        for name, table in self._tables.items():
            noted = self.count(name)
            counted = self._db.execute(f"SELECT count(*) FROM {quoted(table)}").get
            indexed = self._db.execute(f"SELECT count(*) FROM {quoted(table + '_fts_docsize')}").get
            if not noted == counted == indexed:
                message = f"sheet {name}: {noted} records noted, {counted} stored, {indexed} searchable"
                raise StoreError(message)

    def _read_sheets(self) -> None:
        self.sheets, self._tables = {}, {}
        for name, table, definition in self._db.execute(
            "SELECT name, data, definition FROM livesheets_sheets"
        ):
            sheet = read_sheet(str(name), str(definition).encode())
            if not isinstance(sheet, Sheet):
                raise StoreError(f"the noted definition of sheet {name} cannot be read: {sheet}")
            self.sheets[str(name)], self._tables[str(name)] = sheet, str(table)

    def _row(self, table: str, path: str) -> tuple[int, str, str, str] | None:
        select = f"SELECT id, blob, record, text FROM {quoted(table)} WHERE path = ?"
        return next(iter(self._db.execute(select, (path,))), None)

    def _index_text(self, table: str, row_id: int, text: str) -> None:
        fts = quoted(table + "_fts")
        self._db.execute(f"INSERT INTO {fts} (rowid, text) VALUES (?, ?)", (row_id, text))

    def _unindex_text(self, table: str, row_id: int, text: str) -> None:
        fts = quoted(table + "_fts")
        self._db.execute(f"INSERT INTO {fts} ({fts}, rowid, text) VALUES ('delete', ?, ?)", (row_id, text))

    def _add_to_count(self, name: str, records: int) -> None:
        update = "UPDATE livesheets_sheets SET records = records + ? WHERE name = ?"
        self._db.execute(update, (records, name))


def _rows(records: Iterable[Record], shapes: Counter[Shape], paths: list[str]) -> Iterator[tuple[Any, ...]]:
    for record in records:
        shapes[record.shape] += 1
        paths.append(record.path)
        yield record.path, record.blob, record.json, record.text
