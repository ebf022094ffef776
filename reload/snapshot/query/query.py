"""A question about one sheet, and its translation into SQL.

Field names reach SQL only after they were found in the sheet's list of fields; values are always bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

from reload.records.sheet import FIELD_NAME
from reload.snapshot.state_file import json_path

LIMIT_MAX = 1000
LIMIT_DEFAULT = 50
SORT_KEYS_MAX = 16
FACET_VALUES_MAX = 20

Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "contains", "startswith", "exists"]
OPERATORS: tuple[Operator, ...] = (
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "contains", "startswith", "exists",
)  # fmt: skip
Kinds = Mapping[str, frozenset[str]]
KindCounts = Mapping[str, int]  # how many records hold a value of a kind in a field
SortValue = str | int | float | None

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# The types that SQLite's JSON functions name, by the kind of value; the JSON of a table is text to
# them too, so text alone tells nothing.
_TYPES = {"string": "'text'", "number": "'integer', 'real'", "boolean": "'true', 'false'"}


class InvalidQuery(ValueError):
    """A parameter or value that is not understood; `parameter` names it as the caller wrote it."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one field; `parameter` is how the caller wrote it."""

    field: str
    operator: Operator
    value: str
    parameter: str


@dataclass(frozen=True, slots=True)
class Sort:
    """One key of an order."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What to list of a sheet.

    `match` is an FTS5 expression; `after` has the sort values and path of the last row of the page before.
    """

    filters: tuple[Filter, ...] = ()
    match: str | None = None
    sorts: tuple[Sort, ...] = ()
    limit: int = LIMIT_DEFAULT
    after: tuple[SortValue, ...] | None = None
    facets: tuple[str, ...] = ()
    nothing: bool = False  # a search text without any word in it finds nothing

    @property
    def ranked(self) -> bool:
        """Whether the best match comes first."""
        return self.match is not None and not self.sorts


@dataclass(slots=True)
class Sql:
    """A piece of SQL with the values bound to it, in order."""

    text: str
    values: list[SortValue] = field(default_factory=list)


def conditions(filters: Sequence[Filter], kinds: Kinds) -> Sql:
    """The WHERE condition for all filters; raises InvalidQuery naming the parameter."""
    parts: list[str] = []
    values: list[SortValue] = []
    for each in filters:
        known = require_field(each.parameter, each.field, kinds)
        piece = _OPERATIONS[each.operator](each, known)
        parts.append(f"({piece.text})")
        values += piece.values
    return Sql(" AND ".join(parts) or "1", values)


def require_field(parameter: str, name: str, kinds: Kinds) -> frozenset[str]:
    """The kinds of values that a field holds in this sheet; raises InvalidQuery where no record has it."""
    known = kinds.get(name)
    if known is None or not FIELD_NAME.match(name):
        raise InvalidQuery(parameter, f"no record of this sheet has a field {name!r}")
    return known


def json_type(name: str) -> str:
    """The JSON type of a field as an SQL expression, NULL where the field is absent."""
    return json_path(name).replace("json_extract(", "json_type(", 1)


def json_each(name: str) -> str:
    """The members of a field as an SQL table: of an array all, of a single value that one."""
    return json_path(name).replace("json_extract(", "json_each(", 1)


def _number(text: str) -> int | float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number) or not text.isascii() or "_" in text or text != text.strip():
        return None
    return int(text) if text.lstrip("+-").isdigit() and abs(int(text)) < 1 << 63 else number


def _meanings(each: Filter, kinds: frozenset[str]) -> dict[str, SortValue]:
    """What the value may mean, by JSON types, given what the field holds."""
    meanings: dict[str, SortValue] = {}
    number = _number(each.value)
    if kinds & {"string", "array"} or not kinds & {"number", "boolean"}:
        meanings[_TYPES["string"]] = each.value
    if kinds & {"number", "array"} and number is not None:
        meanings[_TYPES["number"]] = number
    if kinds & {"boolean", "array"} and each.value in ("true", "false"):
        meanings[_TYPES["boolean"]] = int(each.value == "true")
    if not meanings:
        raise InvalidQuery(each.parameter, f"{each.value!r} is no {' or '.join(sorted(kinds - {'null'}))}")
    return meanings


def _equals(each: Filter, kinds: frozenset[str]) -> Sql:
    return _matches(each.field, kinds, "= ?", _meanings(each, kinds))


def _matches(name: str, kinds: frozenset[str], test: str, meanings: Mapping[str, SortValue]) -> Sql:
    """Where the field, or a member of its array, passes the test with what is meant for its JSON type."""
    values = list(meanings.values())
    if "array" in kinds:
        parts = [f"(e.type IN ({types}) AND e.value {test})" for types in meanings]
        inside = f"SELECT 1 FROM {json_each(name)} AS e WHERE {' OR '.join(parts)}"
        return Sql(f"coalesce({json_type(name)}, '') <> 'object' AND EXISTS ({inside})", values)
    if is_uniform(kinds):
        return Sql(f"{json_path(name)} {test}", values)
    parts = [f"({json_type(name)} IN ({types}) AND {json_path(name)} {test})" for types in meanings]
    return Sql(" OR ".join(parts), values)


def is_uniform(kinds: frozenset[str]) -> bool:
    """Whether all values are of one simple kind, so that comparing them needs no look at their types."""
    return len(kinds - {"null"}) == 1 and not kinds & {"table", "array"}


def _differs(each: Filter, kinds: frozenset[str]) -> Sql:
    try:
        equal = _equals(each, kinds)
    except InvalidQuery:
        return Sql("1")
    return Sql(f"({equal.text}) IS NOT TRUE", equal.values)


def _compares(each: Filter, kinds: frozenset[str]) -> Sql:
    sign = _COMPARISONS[each.operator]
    meanings = {"string": each.value, "number": _number(each.value)}
    parts: list[str] = []
    values: list[SortValue] = []
    for kind, value in meanings.items():
        if kind in kinds and value is not None:
            guard = "" if is_uniform(kinds) else f"{json_type(each.field)} IN ({_TYPES[kind]}) AND "
            parts.append(f"({guard}{json_path(each.field)} {sign} ?)")
            values.append(value)
    if not parts:
        raise InvalidQuery(each.parameter, f"{each.value!r} cannot be compared with {each.field!r}")
    return Sql(" OR ".join(parts), values)


def _among(each: Filter, kinds: frozenset[str]) -> Sql:
    # SQLite bounds the values and the nesting of a statement: however many alternatives there are, they
    # are one value for each JSON type.
    alternatives: dict[str, list[SortValue]] = {}
    for value in dict.fromkeys(each.value.split(",")):
        for types, meaning in _meanings(replace(each, value=value), kinds).items():
            alternatives.setdefault(types, []).append(meaning)
    meanings = {types: orjson.dumps(values).decode() for types, values in alternatives.items()}
    return _matches(each.field, kinds, "IN (SELECT value FROM json_each(?))", meanings)


def _contains(each: Filter, kinds: frozenset[str]) -> Sql:
    kind = json_type(each.field)
    member = _equals(each, kinds) if "array" in kinds else Sql("0")
    text = f"{kind} = 'text' AND instr({json_path(each.field)}, ?)"
    return Sql(f"({kind} = 'array' AND ({member.text})) OR ({text})", [*member.values, each.value])


def _starts_with(each: Filter, kinds: frozenset[str]) -> Sql:
    text, bound = json_path(each.field), _successor(each.value)
    start = Sql(f"{text} >= ?", [each.value])
    if bound is not None:
        start = Sql(f"{start.text} AND {text} < ?", [each.value, bound])
    guard = "" if kinds - {"null"} == {"string"} else f"{json_type(each.field)} = 'text' AND "
    return Sql(guard + start.text, start.values)


def _successor(prefix: str) -> str | None:
    """The first text after all those that begin with `prefix`, None where there is none."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)


def _exists(each: Filter, _: frozenset[str]) -> Sql:
    if each.value not in ("true", "false"):
        raise InvalidQuery(each.parameter, f"{each.value!r} is neither true nor false")
    return Sql(f"{json_type(each.field)} IS {'NOT ' if each.value == 'true' else ''}NULL")


_OPERATIONS: Mapping[Operator, Callable[[Filter, frozenset[str]], Sql]] = {
    "eq": _equals,
    "ne": _differs,
    "gt": _compares,
    "gte": _compares,
    "lt": _compares,
    "lte": _compares,
    "in": _among,
    "contains": _contains,
    "startswith": _starts_with,
    "exists": _exists,
}


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: SQL expressions with their direction, the path last so that no two rows tie."""

    keys: tuple[tuple[str, bool], ...]

    @classmethod
    def of(cls, sorts: Sequence[Sort], kinds: Kinds) -> Order:
        """By the sort keys and then by path, in the last key's direction so that an index serves both."""
        for sort in sorts:
            require_field("sort", sort.field, kinds)
        keys = [(json_path(sort.field), sort.descending) for sort in sorts]
        return cls((*keys, ("path", bool(sorts) and sorts[-1].descending)))

    @property
    def text(self) -> str:
        """The ORDER BY list."""
        return ", ".join(f"{key} DESC" if descending else key for key, descending in self.keys)

    def after(self, values: Sequence[SortValue]) -> list[tuple[Sql, Order]]:
        """What comes after the row with these values: conditions, and the order of the rows of each.

        The rows of one condition follow those of the one before; together they are in this order, in
        which empty values come first, or last where it descends. Each condition bounds the first key,
        so that an index leads straight to its rows.
        """
        (key, descending), *keys = self.keys
        value, *others = values
        rest = Order(tuple(keys))
        tied = rest._beyond(others) if keys else Sql("0")
        if value is None and keys:
            ties = Sql(f"{key} IS NULL AND ({tied.text})", tied.values)
            return [(ties, rest)] if descending else [(ties, rest), (Sql(f"{key} IS NOT NULL"), self)]
        sign = "<" if descending else ">"
        text = f"{key} {sign}= ? AND ({key} {sign} ? OR ({tied.text}))"
        following = (Sql(text, [value, value, *tied.values]), self)
        return [following, (Sql(f"{key} IS NULL"), rest)] if descending and keys else [following]

    def _beyond(self, values: Sequence[SortValue]) -> Sql:
        """The conditions of `after` as one."""
        parts = [part for part, _ in self.after(values)]
        return Sql(
            " OR ".join(f"({part.text})" for part in parts), [v for part in parts for v in part.values]
        )
