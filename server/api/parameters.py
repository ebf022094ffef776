"""URL parameters as a Query; what is not understood is refused, naming the parameter."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from difflib import get_close_matches
from urllib.parse import parse_qsl, urlencode

import orjson

from reload.records.sheet import FIELD_NAME
from reload.snapshot.query.query import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    OPERATORS,
    SORT_KEYS_MAX,
    Filter,
    InvalidQuery,
    Kinds,
    Query,
    Sort,
    SortValue,
)
from reload.snapshot.query.search import match_expression

PARAMETERS_MAX = 50
VALUE_CHARACTERS_MAX = 2_000
CURSOR_CHARACTERS_MAX = 8_000  # any path that a file system knows
# What a list takes besides filters; a field of such a name is asked for with an operator.
RESERVED = frozenset(("q", "sort", "limit", "cursor", "fields", "facet"))
# What other APIs call the same.
_OF_OTHERS = {
    **dict.fromkeys(("search", "query", "filter", "text", "_q"), "q"),
    **dict.fromkeys(("page", "offset", "skip", "start", "after", "_page"), "cursor"),
    **dict.fromkeys(("per_page", "perpage", "page_size", "pagesize", "size", "count", "_limit"), "limit"),
    **dict.fromkeys(("order", "order_by", "orderby", "sort_by", "sortby", "ordering", "_sort"), "sort"),
    **dict.fromkeys(("select", "columns", "include"), "fields"),
}
CLOSENESS_MIN = 0.7
_LIMIT = re.compile(r"[0-9]{1,5}", re.ASCII)
_CHECK_BYTES = 9


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
            raise InvalidQuery(name, f"no such parameter{_meant(name, known)}; {listed}")


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


def read_list(query_string: str, field_kinds: Callable[[set[str]], Kinds]) -> ListRequest:
    """The list that a query string asks for.

    `field_kinds(names)` gives the kinds of those fields that the sheet has. Raises InvalidQuery.
    """
    parameters = Parameters(query_string)
    text = parameters.one("q")
    sorts = _sorts(parameters.one("sort"))
    limit = read_limit(parameters)
    cursor = parameters.one("cursor")
    fields = _names("fields", parameters.many("fields"))
    facets = _names("facet", parameters.many("facet"))
    rest = parameters.rest()
    candidates = {name for name, _ in rest} | {name.rpartition("__")[0] for name, _ in rest}
    kinds = field_kinds({*candidates, *fields, *facets, *(sort.field for sort in sorts)})
    filters = tuple(_filter(name, value, kinds) for name, value in rest)
    for parameter, names in (
        ("fields", fields),
        ("facet", facets),
        ("sort", [s.field for s in sorts]),
    ):
        for name in names:
            if name not in kinds:
                raise InvalidQuery(parameter, f"no record of this sheet has a field {name!r}")
    match, nothing = _match(text)
    query = Query(filters, match, sorts, limit, None, facets, nothing)
    fingerprint = _fingerprint(text, [(s.field, s.descending) for s in sorts], rest)
    width = 2 if query.ranked else len(sorts) + 1
    after = read_cursor(cursor, fingerprint, width)
    return ListRequest(replace(query, after=after), fields, fingerprint)


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
    fingerprint = _fingerprint(text, sheets)
    return SearchRequest(_match(text)[0], sheets, limit, read_cursor(cursor, fingerprint, 3), fingerprint)


def read_limit(parameters: Parameters) -> int:
    """The parameter `limit`."""
    text = parameters.one("limit")
    if text is None:
        return LIMIT_DEFAULT
    if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= LIMIT_MAX:
        raise InvalidQuery("limit", f"{text[:40]!r} is no whole number from 1 to {LIMIT_MAX}")
    return int(text)


def make_cursor(fingerprint: str, keys: tuple[SortValue, ...]) -> str:
    """An opaque cursor: the last row's keys, bound to the question by a checksum."""
    payload = orjson.dumps(keys)
    return base64.urlsafe_b64encode(_check(fingerprint, payload) + payload).decode().rstrip("=")


def require_cursor(cursor: str | None) -> None:
    """Raise InvalidQuery where a cursor is too long to come back, since it holds what is sorted by."""
    if cursor is not None and len(cursor) > CURSOR_CHARACTERS_MAX:
        raise InvalidQuery("sort", "the values of this field are too long to go from page to page by")


def read_cursor(text: str | None, fingerprint: str, width: int) -> tuple[SortValue, ...] | None:
    """The keys in a cursor; raises InvalidQuery where it belongs to another question or was altered."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        payload = raw[_CHECK_BYTES:]
        keys = orjson.loads(payload)
        is_ours = raw[:_CHECK_BYTES] == _check(fingerprint, payload)
        if is_ours and len(keys) == width and all(map(_is_key, keys)):
            return tuple(keys)
    except (ValueError, TypeError):
        pass
    raise InvalidQuery("cursor", "does not belong to this query; leave it out to begin at the first page")


def _is_key(value: object) -> bool:
    """Whether a row can have this sort value; clients may make cursors by hand."""
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 63
    return value is None or isinstance(value, str | float)


def next_url(path: str, query_string: str, cursor: str) -> str:
    """The URL of the next page of a list."""
    pairs = [(name, value) for name, value in _pairs(query_string) if name != "cursor"]
    return f"{path}?{urlencode([*pairs, ('cursor', cursor)])}"


def _check(fingerprint: str, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, key=fingerprint.encode(), digest_size=_CHECK_BYTES).digest()


def _fingerprint(*parts: object) -> str:
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).hexdigest()


def _match(text: str | None) -> tuple[str | None, bool]:
    """The FTS5 expression, and whether there is something to search for that has no word in it."""
    if text is None or not text.strip():
        return None, False
    match = match_expression(text)
    return match, match is None


def _sorts(text: str | None) -> tuple[Sort, ...]:
    if text is None:
        return ()
    sorts: dict[str, Sort] = {}
    for part in text.split(","):
        name = part.removeprefix("-")
        _require_name("sort", name)
        sorts.setdefault(name, Sort(name, part.startswith("-")))  # by the same field again orders nothing
    if len(sorts) > SORT_KEYS_MAX:
        raise InvalidQuery("sort", f"{len(sorts)} fields; at most {SORT_KEYS_MAX} may be sorted by")
    return tuple(sorts.values())


def _names(parameter: str, values: list[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for value in values for name in value.split(",")))
    for name in names:
        _require_name(parameter, name)
    return names


def _require_name(parameter: str, name: str) -> None:
    if not FIELD_NAME.match(name):
        raise InvalidQuery(parameter, f"{name[:40]!r} is no field name")


def _filter(parameter: str, value: str, kinds: Kinds) -> Filter:
    """A parameter as a condition: a field's whole name first, then a field and an operator."""
    if parameter in kinds:
        return Filter(parameter, "eq", value, parameter)
    field, separator, operator = parameter.rpartition("__")
    if separator and field in kinds:
        for known in OPERATORS:
            if operator == known:
                return Filter(field, known, value, parameter)
        raise InvalidQuery(parameter, f"no such operator; known are {', '.join(OPERATORS)}")
    meant = _meant(parameter, RESERVED)
    raise InvalidQuery(parameter, f"neither a parameter of lists nor a field of this sheet{meant}")


def _meant(parameter: str, known: Collection[str]) -> str:
    """What a parameter was meant to be, to follow what is wrong with it; empty where that is unknown."""
    meant = _OF_OTHERS.get(parameter.lower())
    if meant in known:
        return f" (did you mean {meant}?)"
    close = get_close_matches(parameter.lower(), sorted(known), 1, CLOSENESS_MIN)
    return f" (did you mean {close[0]}?)" if close else ""
