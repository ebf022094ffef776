"""The records of one sheet in a state file: its table, and the full-text search beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apsw
import orjson

from reload.records.record import Record, Shape, shape_of
from reload.records.sheet import Sheet
from reload.snapshot.tables.collisions import Collisions
from reload.snapshot.tables.fields import FieldCounts
from reload.snapshot.tables.format import TOKENIZER, below, free_table, json_path, quoted, stored_sort_key
from reload.snapshot.tables.sort_keys import sort_keys

_BULK_HASH_BYTES = 16 << 20


@dataclass(slots=True)
class Changes:
    """How many records of a sheet a reload added, modified and removed."""

    added: int = 0
    modified: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.modified or self.removed)


class RecordTable:
    """The writing side of one sheet's table; keeps search, fields and twins in step."""

    def __init__(
        self, db: apsw.Connection, sheet: Sheet, table: str, fields: FieldCounts, collisions: Collisions
    ) -> None:
        self.sheet = sheet
        self.quoted = quoted(table)
        self._name = table
        self._fts = quoted(table + "_fts")
        self._db = db
        self._fields = fields
        self._collisions = collisions
        self._insert = f"INSERT INTO {self.quoted} (path, blob, record, text, keys) VALUES (?, ?, ?, ?, ?)"
        self._indexed_id = 0  # the last row of a bulk load whose text can be searched

    @classmethod
    def create(
        cls, db: apsw.Connection, sheet: Sheet, fields: FieldCounts, collisions: Collisions
    ) -> RecordTable:
        """A new, empty table for a sheet; indexes come with `index`."""
        table = free_table(db, sheet.name)
        made = cls(db, sheet, table, fields, collisions)
        db.execute(
            f"CREATE TABLE {made.quoted} (id INTEGER PRIMARY KEY, path TEXT NOT NULL, blob TEXT NOT NULL,"
            " record TEXT NOT NULL, text TEXT NOT NULL, keys TEXT)"
        )
        db.execute(
            f"CREATE VIRTUAL TABLE {made._fts} USING fts5("
            f'text, content={made.quoted}, content_rowid="id", tokenize="{TOKENIZER}")'
        )
        hash_size = f"INSERT INTO {made._fts} ({made._fts}, rank) VALUES ('hashsize', ?)"
        db.execute(hash_size, (_BULK_HASH_BYTES,))
        row = (sheet.name, table, 0, sheet.definition)
        db.execute("INSERT INTO livesheets_sheets VALUES (?, ?, ?, ?)", row)
        return made

    def index(self) -> None:
        """The indexes over what was loaded, and its twins; made last, which is cheapest."""
        self.index_texts()
        self._db.execute(f"CREATE UNIQUE INDEX {quoted(self._name + '/path')} ON {self.quoted} (path)")
        for number, field in enumerate(self.sheet.index):
            index = quoted(f"{self._name}/index/{number}")
            self._db.execute(f"CREATE INDEX {index} ON {self.quoted} ({json_path(field)}, path)")
            sorts = quoted(f"{self._name}/sort/{number}")
            keys = f"{stored_sort_key(field)}, {json_path(field)}, path"
            self._db.execute(f"CREATE INDEX {sorts} ON {self.quoted} ({keys})")
        self._collisions.list_all(self.sheet, self.quoted)

    def drop(self) -> None:
        """Remove the table and its search; what else belongs to the sheet is its owner's."""
        self._db.execute(f"DROP TABLE IF EXISTS {self._fts}")
        self._db.execute(f"DROP TABLE {self.quoted}")
        self._db.execute("DELETE FROM livesheets_sheets WHERE name = ?", (self.sheet.name,))

    def count(self) -> int:
        """How many records are noted."""
        rows = self._db.execute("SELECT records FROM livesheets_sheets WHERE name = ?", (self.sheet.name,))
        return int(next(iter(rows), (0,))[0])

    def stored(self) -> tuple[int, int]:
        """How many records there are, and how many can be searched."""
        counted = self._db.execute(f"SELECT count(*) FROM {self.quoted}").get
        searchable = self._db.execute(f"SELECT count(*) FROM {quoted(self._name + '_fts_docsize')}").get
        return counted, searchable

    def contents(self) -> dict[str, tuple[str, str]]:
        """Every record as path -> (blob, JSON); for small sheets."""
        select = f"SELECT path, blob, record FROM {self.quoted}"
        return {path: (blob, record) for path, blob, record in self._db.execute(select)}

    def load(self, records: Iterable[Record]) -> int:
        """Add records in bulk before there are indexes; how many there were."""
        shapes: Counter[Shape] = Counter()
        paths: list[str] = []
        self._db.executemany(self._insert, self._rows(records, shapes, paths))
        self._collisions.load(self.sheet.name, paths)
        for shape, count in shapes.items():
            self._fields.add(self.sheet.name, shape, count)
        self._add_to_count(len(paths))
        return len(paths)

    def index_texts(self) -> None:
        """Make searchable what was loaded since last time, in one statement that other threads run beside."""
        texts = f"INSERT INTO {self._fts} (rowid, text) SELECT id, text FROM {self.quoted} WHERE id > ?"
        self._db.execute(texts, (self._indexed_id,))
        self._indexed_id = self._db.execute(f"SELECT coalesce(max(id), 0) FROM {self.quoted}").get

    def put(self, record: Record, changes: Changes) -> None:
        """Add or replace one record."""
        old = self._row(record.path)
        if old is None:
            self._db.execute(self._insert, self._row_of(record))
            self._index_text(self._db.last_insert_rowid(), record.text)
            self._add_to_count(1)
            self._collisions.come(self.sheet, record.path)
            changes.added += 1
        else:
            row_id, blob, json, text = old
            self._unindex_text(row_id, text)
            update = f"UPDATE {self.quoted} SET blob = ?, record = ?, text = ?, keys = ? WHERE id = ?"
            self._db.execute(update, (*self._row_of(record)[1:], row_id))
            self._index_text(row_id, record.text)
            self._fields.add(self.sheet.name, shape_of(orjson.loads(json)), -1)
            changes.modified += (blob, json) != (record.blob, record.json)
        self._fields.add(self.sheet.name, record.shape, 1)

    def remove(self, path: str, changes: Changes) -> None:
        """Remove one record, if it is there."""
        old = self._row(path)
        if old is None:
            return
        row_id, _, json, text = old
        self._unindex_text(row_id, text)
        self._db.execute(f"DELETE FROM {self.quoted} WHERE id = ?", (row_id,))
        self._fields.add(self.sheet.name, shape_of(orjson.loads(json)), -1)
        self._add_to_count(-1)
        self._collisions.go(self.sheet, path)
        changes.removed += 1

    def blob_of(self, path: str) -> str | None:
        """The blob of a record, None where there is no such record."""
        row = self._row(path)
        return row[1] if row else None

    def below(self, folder: str) -> list[tuple[str, str]]:
        """(path, blob) of every record whose path lies below `folder`."""
        select = f"SELECT path, blob FROM {self.quoted} WHERE path > ? AND path < ?"
        return [(str(path), str(blob)) for path, blob in self._db.execute(select, below(folder))]

    def _rows(
        self, records: Iterable[Record], shapes: Counter[Shape], paths: list[str]
    ) -> Iterator[tuple[Any, ...]]:
        for record in records:
            shapes[record.shape] += 1
            paths.append(record.path)
            yield self._row_of(record)

    def _row_of(self, record: Record) -> tuple[Any, ...]:
        return record.path, record.blob, record.json, record.text, sort_keys(record.json, self.sheet.index)

    def _row(self, path: str) -> tuple[int, str, str, str] | None:
        select = f"SELECT id, blob, record, text FROM {self.quoted} WHERE path = ?"
        return next(iter(self._db.execute(select, (path,))), None)

    def _index_text(self, row_id: int, text: str) -> None:
        self._db.execute(f"INSERT INTO {self._fts} (rowid, text) VALUES (?, ?)", (row_id, text))

    def _unindex_text(self, row_id: int, text: str) -> None:
        delete = f"INSERT INTO {self._fts} ({self._fts}, rowid, text) VALUES ('delete', ?, ?)"
        self._db.execute(delete, (row_id, text))

    def _add_to_count(self, records: int) -> None:
        update = "UPDATE livesheets_sheets SET records = records + ? WHERE name = ?"
        self._db.execute(update, (records, self.sheet.name))
