"""What readers can ask of a state, and what two such views differ in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reload.snapshot.query.query import Facet, Filter, Query, Sort
from reload.snapshot.query.reader import Reader


def answers(reader: Reader) -> dict[str, Any]:
    """What readers can ask."""
    found: dict[str, Any] = {"commit": reader.state("commit"), "listing": reader.listing()}
    for sheet, count in sorted(reader.counts.items()):
        field = {"people": "age", "notes": "number"}[sheet]
        found[sheet] = [
            count,
            *(reader.page(sheet, query)[0] for query in _queries(field)),
            reader.facet(sheet, Query(), Facet(field)),
        ]
    sheets = sorted(reader.counts)
    found["search"] = reader.search(sheets, "person OR begin", 50, None) if sheets else []
    return found


def _queries(field: str) -> Iterator[Query]:
    yield Query(limit=1_000)
    yield Query(sorts=(Sort(field, True),), limit=7)
    yield Query(match="begin OR person", limit=7)
    yield Query(filters=(Filter(field, "gte", "25", field),), limit=100)


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    """What two views differ in, by sheet."""
    found = {}
    for sheet in sorted({*before, *after}):
        old, new = ({path: rest for path, *rest in view.get(sheet, ())} for view in (before, after))
        common = old.keys() & new.keys()
        modified = sum(old[path] != new[path] for path in common)
        counts = len(new) - len(common), modified, len(old) - len(common)
        if any(counts):
            found[sheet] = counts
    return found
