"""The keys by which records are sorted, stored for the fields that a sheet declares an index for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from reload.snapshot.folding import sort_key


def sort_keys(record: str, fields: Sequence[str]) -> str | None:
    """A JSON object with the key of each of these fields, None where there are none; `record` is JSON.

    Arrays and tables are sorted by their JSON.
    """
    if not fields:
        return None
    values = orjson.loads(record)
    return orjson.dumps({field: _key(values, field) for field in fields}).decode()


def _key(values: Any, field: str) -> Any:
    for name in field.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    if isinstance(values, dict | list):
        values = orjson.dumps(values).decode()
    return sort_key(values) if isinstance(values, str) else values
