"""What a state file looks like to SQLite: its version, its own tables, and the names that it may use."""

from __future__ import annotations

from itertools import chain, count

import apsw

from reload.snapshot.tables.collisions import COLLISION_SCHEMA
from reload.snapshot.tables.problems import PROBLEM_SCHEMA

FORMAT_VERSION = 4
APPLICATION_ID = 0x4C533031  # "LS01"
_SEARCH = "_fts"
TOKENIZER = "porter unicode61 remove_diacritics 2"

STATE_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT_VERSION};
CREATE TABLE livesheets_state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE livesheets_sheets (
    name TEXT PRIMARY KEY, data TEXT NOT NULL, records INTEGER NOT NULL, definition TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE livesheets_fields (
    sheet TEXT, field TEXT, kind TEXT, records INTEGER NOT NULL, PRIMARY KEY (sheet, field, kind)
) WITHOUT ROWID;
CREATE TABLE livesheets_attachments (
    sheet TEXT, file TEXT, record TEXT, name TEXT NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (sheet, file)
) WITHOUT ROWID;
CREATE INDEX livesheets_attachments_record ON livesheets_attachments (sheet, record, name);
{PROBLEM_SCHEMA}{COLLISION_SCHEMA}"""


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def json_path(field: str) -> str:
    """A field as an SQL expression on a record; only names that match FIELD_NAME may be asked for."""
    path = "$" + "".join(f'."{key}"' for key in field.split("."))
    return "json_extract(record, '" + path.replace("'", "''") + "')"


def stored_sort_key(field: str) -> str:
    """The key by which a field with a declared index is sorted, as an SQL expression on a record."""
    key = field.replace("'", "''")
    return f"json_extract(keys, '$.\"{key}\"')"


def below(folder: str) -> tuple[str, str]:
    """The bounds of all paths below a folder: '0' is the character after the slash."""
    return f"{folder}/", f"{folder}0"


def free_table(db: apsw.Connection, name: str) -> str:
    """The sheet's name, or another where SQLite would mistake it for another table of this file.

    The other tables are those of sheets, each with those of its full-text search, and our own.
    """
    taken = {str(found).casefold() for (found,) in db.execute("SELECT data FROM livesheets_sheets")}
    searched = {head for found in taken if _SEARCH in found for head in _heads(found)}
    reserved = name.casefold().startswith(("sqlite_", "livesheets"))
    others = (f"sheet {number}" for number in count(1))
    for table in chain([] if reserved else [name], others):
        folded = table.casefold()
        if folded not in taken and folded not in searched and not taken & _heads(folded):
            return table
    raise AssertionError("unreachable")


def _heads(name: str) -> set[str]:
    """The tables whose full-text search a table of this name would look like."""
    return {name[:position] for position in range(len(name)) if name.startswith(_SEARCH, position)}
