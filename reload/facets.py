"""The most frequent values of a field, counted in SQL; an index on the field makes it a walk along that."""

from __future__ import annotations

from collections.abc import Callable

from reload.query import FACET_VALUES_MAX, Sql, is_uniform, json_each, json_type
from reload.store import json_path

_COUNTED = "('text', 'integer', 'real', 'true', 'false')"

Selection = Callable[[str], Sql]


def facet(field: str, kinds: frozenset[str], selection: Selection) -> Sql:
    """The statement whose rows are (value, JSON type, records), the most frequent first.

    `selection(tables)` is FROM and WHERE for the records, with more tables joined. The members of
    arrays are counted one by one, once a record; tables and null are not counted.
    """
    found = _of_members(field, kinds, selection) if "array" in kinds else _of_values(field, kinds, selection)
    return Sql(f"{found.text} ORDER BY records DESC, value, kind LIMIT {FACET_VALUES_MAX}", found.values)


def _of_members(field: str, kinds: frozenset[str], selection: Selection) -> Sql:
    found = selection(f", {json_each(field)} AS e")
    no_table = f" AND {json_type(field)} <> 'object'" if "table" in kinds else ""
    text = (
        "SELECT e.value AS value, e.type AS kind, count(DISTINCT t.id) AS records"
        f" {found.text}{no_table} AND e.type IN {_COUNTED} GROUP BY e.type, e.value"
    )
    return Sql(text, found.values)


def _of_values(field: str, kinds: frozenset[str], selection: Selection) -> Sql:
    found, value = selection(""), json_path(field)
    if kinds - {"null"} == {"string"}:
        text = f"SELECT {value} AS value, 'text' AS kind, count(*) AS records {found.text}"
        return Sql(f"{text} AND {value} IS NOT NULL GROUP BY {value}", found.values)
    kind = f"typeof({value})" if is_uniform(kinds) and "number" in kinds else json_type(field)
    text = f"SELECT {value} AS value, {kind} AS kind, count(*) AS records {found.text}"
    return Sql(f"{text} AND {kind} IN {_COUNTED} GROUP BY {kind}, {value}", found.values)
