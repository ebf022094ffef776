"""The most frequent values of a field, counted in SQL; an index on the field makes it a walk along that."""

from __future__ import annotations

from collections.abc import Callable

from reload.snapshot.query.query import FACET_VALUES_MAX, Sql, is_uniform, json_each, json_type
from reload.snapshot.state_file import json_path

# A name that no sheet's table has.
_VALUES = "livesheets_values"
_COUNTED = "('text', 'integer', 'real', 'true', 'false')"

Selection = Callable[[str], Sql]


def facet(field: str, kinds: frozenset[str], selection: Selection, whole_index: bool) -> Sql:
    """The statement whose rows are (value, JSON type, records), the most frequent first.

    `selection(tables)` is FROM and WHERE for the records, with more tables joined; with `whole_index`
    it is all of them, and the field has an index. The members of arrays are counted one by one, once
    a record; tables and null are not counted.
    """
    if "array" in kinds:
        found = _of_members(field, kinds, selection)
    elif whole_index and kinds - {"null"} == {"string"}:
        found = _of_index(field, selection)
    else:
        found = _of_values(field, kinds, selection)
    return Sql(f"{found.text} ORDER BY records DESC, value, kind LIMIT {FACET_VALUES_MAX}", found.values)


def _of_members(field: str, kinds: frozenset[str], selection: Selection) -> Sql:
    found = selection(f", {json_each(field)} AS e")
    no_table = f" AND {json_type(field)} <> 'object'" if "table" in kinds else ""
    text = (
        "SELECT e.value AS value, e.type AS kind, count(DISTINCT t.id) AS records"
        f" {found.text}{no_table} AND e.type IN {_COUNTED} GROUP BY e.type, e.value"
    )
    return Sql(text, found.values)


def _of_index(field: str, selection: Selection) -> Sql:
    found, value = selection(""), json_path(field)
    text = f"SELECT {value} AS value, 'text' AS kind, count(*) AS records {found.text}"
    return Sql(f"{text} AND {value} IS NOT NULL GROUP BY {value}", found.values)


def _of_values(field: str, kinds: frozenset[str], selection: Selection) -> Sql:
    # Each value is read from its record once, which is what takes the time.
    found, value = selection(""), json_path(field)
    kind = "typeof(value)" if is_uniform(kinds) and "boolean" not in kinds else "kind"
    also = f", {json_type(field)} AS kind" if kind == "kind" else ""
    text = (
        f"WITH {_VALUES} AS MATERIALIZED (SELECT {value} AS value{also} {found.text})"
        f" SELECT value, {kind} AS kind, count(*) AS records FROM {_VALUES}"
        f" WHERE {kind} IN {_COUNTED} GROUP BY {kind}, value"
    )
    return Sql(text, found.values)
