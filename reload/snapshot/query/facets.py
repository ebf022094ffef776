"""The most frequent values of a field, counted in SQL; an index on the field makes it a walk along that."""

from __future__ import annotations

from collections.abc import Callable

from reload.snapshot.query.conditions import is_uniform, json_each, json_type, value_of
from reload.snapshot.query.query import DatePart, Facet, Sql

# A name that no sheet's table has.
_VALUES = "livesheets_values"
_COUNTED = "('text', 'integer', 'real', 'true', 'false')"

Selection = Callable[[str], Sql]


def facet(
    asked: Facet, kinds: frozenset[str], selection: Selection, whole_index: bool, values_max: int
) -> Sql:
    """The statement whose rows are (value, JSON type, records, distinct values), the most frequent first.

    `selection(tables)` is FROM and WHERE for the records, with more tables joined; with `whole_index`
    it is all of them, and the field has an index. The members of arrays are counted one by one, once
    a record; tables and null are not counted.
    """
    field = asked.field
    if "array" in kinds:
        found = _of_members(field, asked.part, kinds, selection)
    elif asked.part is not None:
        found = _of_dates(field, asked.part, selection)
    elif whole_index and kinds - {"null"} == {"string"}:
        found = _of_index(field, selection)
    else:
        found = _of_values(field, kinds, selection)
    text = (
        f"SELECT value, kind, records, count(*) OVER () FROM ({found.text})"
        f" ORDER BY records DESC, value, kind LIMIT {values_max}"
    )
    return Sql(text, found.values)


def _part(value: str, kind: str, part: DatePart) -> str:
    """The year or the month of a date as it is written, NULL of anything else."""
    digits = f"{value} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"
    characters = {"year": 4, "month": 7}[part]
    return f"CASE WHEN {kind} = 'text' AND {digits} THEN substr({value}, 1, {characters}) END"


def _of_dates(field: str, part: DatePart, selection: Selection) -> Sql:
    found, value = selection(""), _part(value_of(field), json_type(field), part)
    text = f"SELECT {value} AS value, 'text' AS kind, count(*) AS records {found.text}"
    return Sql(f"{text} AND {value} IS NOT NULL GROUP BY 1", found.values)


def _of_members(field: str, part: DatePart | None, kinds: frozenset[str], selection: Selection) -> Sql:
    found = selection(f", {json_each(field)} AS e")
    no_table = f" AND {json_type(field)} <> 'object'" if "table" in kinds else ""
    value = "e.value" if part is None else _part("e.value", "e.type", part)
    text = (
        f"SELECT {value} AS value, e.type AS kind, count(DISTINCT t.id) AS records"
        f" {found.text}{no_table} AND e.type IN {_COUNTED} AND {value} IS NOT NULL GROUP BY e.type, {value}"
    )
    return Sql(text, found.values)


def _of_index(field: str, selection: Selection) -> Sql:
    found, value = selection(""), value_of(field)
    text = f"SELECT {value} AS value, 'text' AS kind, count(*) AS records {found.text}"
    return Sql(f"{text} AND {value} IS NOT NULL GROUP BY {value}", found.values)


def _of_values(field: str, kinds: frozenset[str], selection: Selection) -> Sql:
    # Each value is read from its record once, which is what takes the time.
    found, value = selection(""), value_of(field)
    kind = "typeof(value)" if is_uniform(kinds) and "boolean" not in kinds else "kind"
    also = f", {json_type(field)} AS kind" if kind == "kind" else ""
    text = (
        f"WITH {_VALUES} AS MATERIALIZED (SELECT {value} AS value{also} {found.text})"
        f" SELECT value, {kind} AS kind, count(*) AS records FROM {_VALUES}"
        f" WHERE {kind} IN {_COUNTED} GROUP BY {kind}, value"
    )
    return Sql(text, found.values)
