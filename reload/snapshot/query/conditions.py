"""Filters as SQL conditions on the rows `t` of a sheet's table."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import orjson

from reload.snapshot.folding import fold
from reload.snapshot.query.query import (
    PATH,
    Condition,
    Filter,
    Group,
    InvalidQuery,
    Kinds,
    Operator,
    SortValue,
    Sql,
    require_field,
)
from reload.snapshot.state_file import json_path

# The functions of ours that a reader gives SQLite: `fold` and `sort_key` of a text.
FOLD: Final = "livesheets_fold"
SORT_KEY: Final = "livesheets_sort_key"

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# The types that SQLite's JSON functions name, by the kind of value; the JSON of a table is text to
# them too, so text alone tells nothing.
_TYPES = {"string": "'text'", "number": "'integer', 'real'", "boolean": "'true', 'false'"}


def conditions(asked: Sequence[Condition], kinds: Kinds) -> Sql:
    """The WHERE condition for all of them; raises InvalidQuery naming the parameter."""
    return _joined([_condition(each, kinds) for each in asked], " AND ", "1")


def _condition(asked: Condition, kinds: Kinds) -> Sql:
    if isinstance(asked, Filter):
        return _OPERATIONS[asked.operator](asked, require_field(asked.parameter, asked.field, kinds))
    pieces = [_condition(each, kinds) for each in asked.conditions]
    return _joined(pieces, f" {asked.operator.upper()} ", "1")


def _joined(pieces: Sequence[Sql], by: str, otherwise: str) -> Sql:
    text = by.join(f"({piece.text})" for piece in pieces)
    return Sql(text or otherwise, [value for piece in pieces for value in piece.values])


def without(asked: Sequence[Condition], field: str) -> tuple[Condition, ...]:
    """The conditions that do not look at this field alone."""
    return tuple(each for each in asked if not _is_about(each, field))


def _is_about(asked: Condition, field: str) -> bool:
    if isinstance(asked, Group):
        return all(_is_about(each, field) for each in asked.conditions)
    return asked.field == field


def value_of(name: str) -> str:
    """A field as an SQL expression."""
    return "t.path" if name == PATH else json_path(name)


def json_type(name: str) -> str:
    """The JSON type of a field as an SQL expression, NULL where the field is absent."""
    return "'text'" if name == PATH else json_path(name).replace("json_extract(", "json_type(", 1)


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
        return Sql(f"{value_of(name)} {test}", values)
    parts = [f"({json_type(name)} IN ({types}) AND {value_of(name)} {test})" for types in meanings]
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
            parts.append(f"({guard}{value_of(each.field)} {sign} ?)")
            values.append(value)
    if not parts:
        raise InvalidQuery(each.parameter, f"{each.value!r} cannot be compared with {each.field!r}")
    return Sql(" OR ".join(parts), values)


def _among(each: Filter, kinds: frozenset[str]) -> Sql:
    return _matches_any(each.field, kinds, [_meanings(one, kinds) for one in _single(each)])


def _not_among(each: Filter, kinds: frozenset[str]) -> Sql:
    alternatives = []
    for one in _single(each):
        with contextlib.suppress(InvalidQuery):  # no record has such a value
            alternatives.append(_meanings(one, kinds))
    found = _matches_any(each.field, kinds, alternatives) if alternatives else Sql("0")
    return Sql(f"({found.text}) IS NOT TRUE", found.values)


def _single(each: Filter) -> Iterator[Filter]:
    """The filter for each of its values, which commas separate."""
    return (replace(each, value=value) for value in dict.fromkeys(each.value.split(",")))


def _matches_any(name: str, kinds: frozenset[str], alternatives: Iterable[Mapping[str, SortValue]]) -> Sql:
    # SQLite bounds the values and the nesting of a statement: however many alternatives there are, they
    # are one value for each JSON type.
    listed: dict[str, list[SortValue]] = {}
    for meanings in alternatives:
        for types, meaning in meanings.items():
            listed.setdefault(types, []).append(meaning)
    joined = {types: orjson.dumps(values).decode() for types, values in listed.items()}
    return _matches(name, kinds, "IN (SELECT value FROM json_each(?))", joined)


def _contains(each: Filter, kinds: frozenset[str]) -> Sql:
    kind = json_type(each.field)
    member = _equals(each, kinds) if "array" in kinds else Sql("0")
    text = f"{kind} = 'text' AND instr({value_of(each.field)}, ?)"
    return Sql(f"({kind} = 'array' AND ({member.text})) OR ({text})", [*member.values, each.value])


def _contains_folded(each: Filter, kinds: frozenset[str]) -> Sql:
    """As `_contains`, whatever the case and the accents; of an array a member that is the same otherwise."""
    kind, sought = json_type(each.field), fold(each.value)
    text = f"{kind} = 'text' AND instr({FOLD}({value_of(each.field)}), ?)"
    if "array" not in kinds:
        return Sql(text, [sought])
    member = f"SELECT 1 FROM {json_each(each.field)} AS e WHERE e.type = 'text' AND {FOLD}(e.value) = ?"
    return Sql(f"({kind} = 'array' AND EXISTS ({member})) OR ({text})", [sought, sought])


def _starts_with(each: Filter, kinds: frozenset[str]) -> Sql:
    text, bound = value_of(each.field), _successor(each.value)
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
    "nin": _not_among,
    "contains": _contains,
    "icontains": _contains_folded,
    "startswith": _starts_with,
    "exists": _exists,
}
