"""The members of arrays: which kinds there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reload.snapshot.query.conditions import json_each, json_type

# The kinds of values by the names that SQLite has for JSON's types.
KINDS: Final[Mapping[str, str]] = {
    "text": "string",
    "integer": "number",
    "real": "number",
    "true": "boolean",
    "false": "boolean",
    "object": "table",
    "array": "array",
    "null": "null",
}


def types_of_members(table: str, field: str) -> str:
    """The statement whose rows are the JSON types of all members of a field's arrays."""
    return f"SELECT DISTINCT e.type FROM {table}, {json_each(field)} AS e WHERE {json_type(field)} = 'array'"
