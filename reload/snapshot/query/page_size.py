"""How much one answer may hold: a page ends early where its records are large, and the next one goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

# Of records as JSON; a thousand records of eight thousand characters.
PAGE_CHARACTERS_MAX: Final = 8_000_000

Rows = list[tuple[Any, ...]]


def first_rows(rows: Iterator[tuple[Any, ...]], record: int) -> Rows:
    """As many rows as fit on a page and one more, without reading on; `record` is the records' column."""
    found: Rows = []
    characters = 0
    for row in rows:
        found.append(row)
        characters += len(row[record])
        if characters > PAGE_CHARACTERS_MAX and len(found) > 1:
            break
    return found


def fitting(records: Iterable[str], limit: int) -> int:
    """How many of these records one page holds: at least one, at most `limit`, and no more than fit."""
    characters = 0
    count = 0
    for record in records:
        characters += len(record)
        if count == limit or (count and characters > PAGE_CHARACTERS_MAX):
            break
        count += 1
    return count
