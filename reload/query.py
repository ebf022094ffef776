"""A question about one sheet, and its translation into SQL.

Field names reach SQL only after they were found in the sheet's list of fields; values are always bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from reload.sheets import FIELD_NAME
from reload.store import json_path

LIMIT_MAX = 1000
LIMIT_DEFAULT = 50
FACET_VALUES_MAX = 20

Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "contains", "startswith", "exists"]
OPERATORS: tuple[Operator, ...] = (
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "contains", "startswith", "exists",
)  # fmt: skip
Kinds = Mapping[str, frozenset[str]]
SortValue = str | int | float | None

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


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
    """What to list of a sheet: `match` is an FTS5 expression, `after` the last row's keys and path of the page before."""

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


def _type(name: str) -> str:
    return json_path(name).replace("json_extract(", "json_type(", 1)


def _each(name: str) -> str:
    return json_path(name).replace("json_extract(", "json_each(", 1)


def _number(text: str) -> int | float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number) or not text.isascii() or "_" in text or text != text.strip():
        return None
    return int(text) if text.lstrip("+-").isdigit() and abs(int(text)) < 1 << 63 else number


def _forms(each: Filter, kinds: frozenset[str]) -> list[SortValue]:
    """What the value may mean, given what the field holds."""
    forms: list[SortValue] = []
    if kinds & {"string", "array", "null"} or not kinds & {"number", "boolean"}:
        forms.append(each.value)
    number = _number(each.value)
    if kinds & {"number", "array"} and number is not None:
        forms.append(number)
    if kinds & {"boolean", "array"} and each.value in ("true", "false"):
        forms.append(int(each.value == "true"))
    if not forms:
        raise InvalidQuery(each.parameter, f"{each.value!r} is no {' or '.join(sorted(kinds - {'null'}))}")
    return forms


def _equals(each: Filter, kinds: frozenset[str]) -> Sql:
    forms = _forms(each, kinds)
    marks = ", ".join("?" * len(forms))
    if "array" in kinds:
        inside = f"SELECT 1 FROM {_each(each.field)} AS e WHERE e.value IN ({marks})"
        return Sql(f"coalesce({_type(each.field)}, '') <> 'object' AND EXISTS ({inside})", forms)
    if len(forms) == 1:
        return Sql(f"{json_path(each.field)} = ?", forms)
    return Sql(f"{json_path(each.field)} IN ({marks})", forms)


def _differs(each: Filter, kinds: frozenset[str]) -> Sql:
    try:
        equal = _equals(each, kinds)
    except InvalidQuery:
        return Sql("1")
    return Sql(f"({equal.text}) IS NOT TRUE", equal.values)


def _compares(each: Filter, kinds: frozenset[str]) -> Sql:
    sign = _COMPARISONS[each.operator]
    number = _number(each.value)
    pure = len(kinds - {"null"}) == 1
    parts: list[str] = []
    values: list[SortValue] = []
    for kind, form, types in (
        ("string", each.value, "'text'"),
        ("number", number, "'integer', 'real'"),
    ):
        if kind in kinds and form is not None:
            guard = "" if pure else f"{_type(each.field)} IN ({types}) AND "
            parts.append(f"({guard}{json_path(each.field)} {sign} ?)")
            values.append(form)
    if not parts:
        raise InvalidQuery(each.parameter, f"{each.value!r} cannot be compared with {each.field!r}")
    return Sql(" OR ".join(parts), values)


def _among(each: Filter, kinds: frozenset[str]) -> Sql:
    alternatives = [
        _equals(Filter(each.field, "eq", value, each.parameter), kinds) for value in each.value.split(",")
    ]
    return Sql(
        " OR ".join(f"({piece.text})" for piece in alternatives),
        [value for piece in alternatives for value in piece.values],
    )


def _contains(each: Filter, kinds: frozenset[str]) -> Sql:
    member = _equals(each, kinds) if "array" in kinds else Sql("0")
    text = f"{_type(each.field)} = 'text' AND instr({json_path(each.field)}, ?)"
    return Sql(f"({member.text}) OR ({text})", [*member.values, each.value])


def _starts_with(each: Filter, _: frozenset[str]) -> Sql:
    text = json_path(each.field)
    start = f"{_type(each.field)} = 'text' AND substr({text}, 1, length(?)) = ?"
    return Sql(start, [each.value, each.value])


def _exists(each: Filter, _: frozenset[str]) -> Sql:
    if each.value not in ("true", "false"):
        raise InvalidQuery(each.parameter, f"{each.value!r} is neither true nor false")
    return Sql(f"{_type(each.field)} IS {'NOT ' if each.value == 'true' else ''}NULL")


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

    def after(self, values: Sequence[SortValue]) -> Sql:
        """The condition for rows that come after the one with these values; empty values come first."""
        (key, descending), *rest = self.keys
        value, *others = values
        following = _following(key, descending, value)
        if not rest:
            return following
        deeper = Order(tuple(rest)).after(others)
        tie = Sql(f"{key} IS NULL") if value is None else Sql(f"{key} = ?", [value])
        text = f"({following.text}) OR (({tie.text}) AND ({deeper.text}))"
        return Sql(text, [*following.values, *tie.values, *deeper.values])


def _following(key: str, descending: bool, value: SortValue) -> Sql:
    if value is None:
        return Sql("0" if descending else f"{key} IS NOT NULL")
    if descending:
        return Sql(f"{key} < ? OR {key} IS NULL", [value])
    return Sql(f"{key} > ?", [value])
