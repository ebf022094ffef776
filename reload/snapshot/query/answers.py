"""What a reader answers: rows, hits and counted values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import orjson

from reload.snapshot.query.query import SortValue


class Row(NamedTuple):
    """One record as stored; `keys` are its sort values and path, from which the next page goes on."""

    path: str
    blob: str
    json: str
    keys: tuple[SortValue, ...] = ()

    @property
    def record(self) -> dict[str, Any]:
        """The record's fields as JSON values."""
        return cast("dict[str, Any]", orjson.loads(self.json))


@dataclass(frozen=True, slots=True)
class Hit:
    """One record found by a search over several sheets; `snippet` marks hits with HIT_START and HIT_END."""

    sheet: str
    row: Row
    rank: float
    snippet: str


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of a field and how many records have it."""

    value: SortValue
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class FacetCounts:
    """The most frequent values of a field, and how many different ones there are."""

    values: tuple[FacetValue, ...] = ()
    distinct: int = 0
