"""URL parameters as a Query; what is not understood is refused, naming the parameter."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from reload.records.sheet import FIELD_NAME
from reload.snapshot.query.query import (
    DATE_PARTS,
    FACET_VALUES_DEFAULT,
    FACET_VALUES_MAX,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    PATH,
    SORT_KEYS_MAX,
    Condition,
    Facet,
    InvalidQuery,
    Kinds,
    Query,
    Sort,
    SortValue,
)
from reload.snapshot.query.search import match_expression
from server.api.cursors import CURSOR_CHARACTERS_MAX, fingerprint_of, read_cursor
from server.api.filters import (
    Term,
    TermGroup,
    conditions_of,
    field_names,
    read_group,
    require_single,
)
from server.api.meant import meant

PARAMETERS_MAX = 50
VALUE_CHARACTERS_MAX = 2_000
_DIGITS = re.compile(r"[0-9]{1,5}", re.ASCII)
_GROUPS: tuple[Literal["or", "and"], ...] = ("or", "and")
_BINARY = ":binary"


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A list as its caller wants it: the Query, the fields to show, and what the cursor must fit."""

    query: Query
    fields: tuple[str, ...] = ()
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search over several sheets."""

    match: str | None
    sheets: tuple[str, ...]
    limit: int
    after: tuple[SortValue, ...] | None
    fingerprint: str


class Parameters:
    """The parameters of one request; `refuse_others` refuses those that were not read."""

    def __init__(self, query_string: str) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in _pairs(query_string):
            self._values.setdefault(name, []).append(value)

    def one(self, name: str) -> str | None:
        """The value of a parameter that may be given once, None where it is absent."""
        values = self._values.pop(name, [])
        if len(values) > 1:
            raise InvalidQuery(name, "given more than once")
        return values[0] if values else None

    def many(self, name: str) -> list[str]:
        """The values of a parameter that may be repeated."""
        return self._values.pop(name, [])

    def rest(self) -> list[tuple[str, str]]:
        """Every parameter that is left, one pair a value."""
        return [(name, value) for name, values in self._values.items() for value in values]

    def refuse_others(self, *known: str) -> None:
        """Raise InvalidQuery where a parameter is left; `known` are those that exist."""
        for name in self._values:
            listed = f"known are {', '.join(known)}" if known else "this takes none"
            raise InvalidQuery(name, f"no such parameter{meant(name, known)}; {listed}")


def _pairs(query_string: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(
            query_string,
            keep_blank_values=True,
            strict_parsing=bool(query_string),
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except (ValueError, UnicodeError) as error:
        message = f"cannot be read ({error}); at most {PARAMETERS_MAX} pairs in UTF-8, name=value"
        raise InvalidQuery("query string", message) from None
    for name, value in pairs:
        value_max = CURSOR_CHARACTERS_MAX if name == "cursor" else VALUE_CHARACTERS_MAX
        if len(name) > VALUE_CHARACTERS_MAX or len(value) > value_max:
            raise InvalidQuery(name[:40], f"longer than {value_max} characters")
    return pairs


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a sheet: `kinds(names)` of those that it has, and `names()` of all, for hints."""

    kinds: Callable[[set[str]], Kinds]
    names: Callable[[], Collection[str]] = tuple


def read_list(query_string: str, fields: Fields) -> ListRequest:
    """The list that a query string asks for; raises InvalidQuery."""
    parameters = Parameters(query_string)
    text, sort, cursor = (parameters.one(name) for name in ("q", "sort", "cursor"))
    limit = read_limit(parameters)
    facet_values_max = _whole(parameters, "facet_limit", 1, FACET_VALUES_MAX, FACET_VALUES_DEFAULT)
    excludes_self = _excludes_self(parameters.one("facet_exclude"))
    shown, facets = _split("fields", parameters.many("fields")), _split("facet", parameters.many("facet"))
    groups = [read_group(name, text) for name in _GROUPS for text in parameters.many(name)]
    terms = [Term(name, value) for name, value in parameters.rest()]
    written = [*(each.name for each in terms), *(name for group in groups for name in group.names)]
    sorts = [] if sort is None else [part.removeprefix("-") for part in sort.split(",")]
    kinds = fields.kinds({*field_names(written), *shown, *_unsuffixed(facets), *_unsuffixed(sorts)})
    _require_fields("fields", shown, kinds, fields)
    asked = {**kinds, PATH: frozenset({"string"})}
    match, nothing = _match(text)
    query = Query(
        _conditions(terms, groups, asked, fields),
        match,
        _sorts(sort, asked, fields),
        limit,
        None,
        tuple(_facet(name, asked, fields) for name in facets),
        facet_values_max,
        excludes_self,
        nothing,
    )
    rest = [(each.name, each.value) for each in terms]
    fingerprint = fingerprint_of(text, sort, rest, [repr(group) for group in groups])
    width = 2 if query.ranked else len(query.sorts) + 1
    after = read_cursor(cursor, fingerprint, width)
    return ListRequest(replace(query, after=after), shown, fingerprint)


def _conditions(
    terms: list[Term], groups: list[TermGroup], kinds: Kinds, fields: Fields
) -> tuple[Condition, ...]:
    require_single(terms, kinds)
    return conditions_of([*terms, *groups], kinds, fields.names)


def read_search(query_string: str) -> SearchRequest:
    """The search that a query string asks for; `sheets` is empty where all are meant."""
    parameters = Parameters(query_string)
    text = parameters.one("q")
    if text is None:
        raise InvalidQuery("q", "is missing; give the words to search for, such as q=food+access")
    sheets = tuple(dict.fromkeys(parameters.many("sheet")))
    limit = read_limit(parameters)
    cursor = parameters.one("cursor")
    parameters.refuse_others("q", "sheet", "limit", "cursor")
    fingerprint = fingerprint_of(text, sheets)
    return SearchRequest(_match(text)[0], sheets, limit, read_cursor(cursor, fingerprint, 3), fingerprint)


def read_limit(parameters: Parameters) -> int:
    """The parameter `limit`."""
    return _whole(parameters, "limit", 0, LIMIT_MAX, LIMIT_DEFAULT)


def _whole(parameters: Parameters, name: str, least: int, most: int, otherwise: int) -> int:
    text = parameters.one(name)
    if text is None:
        return otherwise
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise InvalidQuery(name, f"{text[:40]!r} is no whole number from {least} to {most}")
    return int(text)


def _excludes_self(text: str | None) -> bool:
    if text not in (None, "self"):
        raise InvalidQuery("facet_exclude", f"{text[:40]!r} is not known; known is self")
    return text is not None


def next_url(path: str, query_string: str, cursor: str) -> str:
    """The URL of the next page of a list."""
    pairs = [(name, value) for name, value in _pairs(query_string) if name != "cursor"]
    return f"{path}?{urlencode([*pairs, ('cursor', cursor)])}"


def _match(text: str | None) -> tuple[str | None, bool]:
    """The FTS5 expression, and whether there is something to search for that has no word in it."""
    if text is None or not text.strip():
        return None, False
    match = match_expression(text)
    return match, match is None


def _sorts(text: str | None, kinds: Kinds, fields: Fields) -> tuple[Sort, ...]:
    if text is None:
        return ()
    sorts: dict[str, Sort] = {}
    for part in text.split(","):
        name, descending = part.removeprefix("-"), part.startswith("-")
        binary = name not in kinds and name.endswith(_BINARY)
        field = name.removesuffix(_BINARY) if binary else name
        _require_fields("sort", [field], kinds, fields)
        sorts.setdefault(field, Sort(field, descending, binary))  # by the same field again orders nothing
    if len(sorts) > SORT_KEYS_MAX:
        raise InvalidQuery("sort", f"{len(sorts)} fields; at most {SORT_KEYS_MAX} may be sorted by")
    return tuple(sorts.values())


def _facet(name: str, kinds: Kinds, fields: Fields) -> Facet:
    """A field, or with `:year` or `:month` behind it a part of its dates."""
    field, _, suffix = name.rpartition(":")
    for part in DATE_PARTS:
        if suffix == part and name not in kinds:
            _require_fields("facet", [field], kinds, fields)
            return Facet(field, part)
    _require_fields("facet", [name], kinds, fields)
    return Facet(name)


def _unsuffixed(names: Collection[str]) -> set[str]:
    """The names as they are, and without what may stand behind a field's."""
    return {*names} | {name.rpartition(":")[0] for name in names}


def _split(parameter: str, values: list[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for value in values for name in value.split(",")))
    for name in names:
        _require_name(parameter, name)
    return names


def _require_name(parameter: str, name: str) -> None:
    if not FIELD_NAME.match(name):
        raise InvalidQuery(parameter, f"{name[:40]!r} is no field name")


def _require_fields(parameter: str, names: Collection[str], kinds: Kinds, fields: Fields) -> None:
    for name in names:
        _require_name(parameter, name)
        if name not in kinds:
            hint = meant(name, fields.names())
            raise InvalidQuery(parameter, f"no record of this sheet has a field {name!r}{hint}")
