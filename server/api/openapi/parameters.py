"""The parameters of reads: those of every list, and one a field and operator of a sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reload.snapshot.query.query import (
    DATE_PARTS,
    FACET_VALUES_DEFAULT,
    FACET_VALUES_MAX,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    PATH,
    Kinds,
)
from server.api.cursors import CURSOR_CHARACTERS_MAX
from server.api.filters import RESERVED
from server.api.parameters import VALUE_CHARACTERS_MAX

Parameter = dict[str, Any]

# At most VALUE_CHARACTERS_MAX, as the introduction says: said of each, clients would try all at once.
_TEXT: Final = {"type": "string"}
_COMPARISONS: Final = ("gt", "gte", "lt", "lte")


def in_query(name: str, schema: Mapping[str, Any], meaning: str = "", **more: Any) -> Parameter:
    """A query parameter."""
    described = {"description": meaning} if meaning else {}
    return {"name": name, "in": "query", "schema": schema, **described, **more}


def in_path(name: str, meaning: str, **more: Any) -> Parameter:
    """A path parameter."""
    text = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": meaning, "schema": text, **more}


def in_header(name: str, meaning: str) -> Parameter:
    """A header of the request."""
    return {"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}}


SHARED: Final[Mapping[str, Parameter]] = {
    "limit": in_query(
        "limit",
        {"type": "integer", "minimum": 0, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
        "How many items a page has at most.",
    ),
    "cursor": in_query(
        "cursor",
        {"type": "string", "maxLength": CURSOR_CHARACTERS_MAX},
        "`meta.nextCursor` of the page before, with the same other parameters.",
    ),
    "q": in_query(
        "q",
        {"type": "string", "maxLength": VALUE_CHARACTERS_MAX},
        "Words to search for; the best match comes first unless `sort` is given.",
    ),
    "facetLimit": in_query(
        "facet_limit",
        {"type": "integer", "minimum": 1, "maximum": FACET_VALUES_MAX, "default": FACET_VALUES_DEFAULT},
        "How many values of each facet are listed at most, the most frequent first.",
    ),
    "facetExclude": in_query(
        "facet_exclude",
        {"type": "string", "const": "self"},
        "Count each facet without the filters on its own field, as a form with several choices needs it.",
    ),
    "or": in_query("or", _TEXT, "Filters of which one must hold, such as `(stage=live,volunteers__gt=5)`."),
    "and": in_query("and", _TEXT, "Filters that must all hold, written as in `or`."),
    "path": in_query("path", _TEXT, "The record with this path; operators go with it as with a text field."),
    "pathIn": in_query("path__in", _TEXT, "Paths, separated by commas."),
    "pathStartswith": in_query("path__startswith", _TEXT),
    "ifNoneMatch": in_header("If-None-Match", "An ETag that is known: 304 if it is still the right one."),
    "range": in_header("Range", "One range of the bytes, such as `bytes=0-99`."),
    "ifRange": in_header("If-Range", "The ETag that `Range` is meant for."),
}


def references(*names: str) -> list[Parameter]:
    """Shared parameters, by reference."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def of_fields(kinds: Kinds) -> Iterator[Parameter]:
    """What a list can be asked by a sheet's fields: order, what to show, what to count, and filters."""
    plain = [name for name in kinds if "," not in name]
    counted = [name for name in plain if kinds[name] - {"table", "null"}]
    if plain:
        orders = [
            f"{sign}{name}{suffix}"
            for name in (*plain, *(() if PATH in plain else (PATH,)))
            for sign in ("", "-")
            for suffix in (("", ":binary") if "string" in kinds.get(name, ()) else ("",))
        ]
        yield _names("sort", orders, "The order; `-` before a field for descending, `:binary` by code point.")
        yield _names("fields", plain, "Only these fields of each record.")
    if counted:
        choices = [
            name + suffix
            for name in counted
            for suffix in (("", *(f":{part}" for part in DATE_PARTS)) if "string" in kinds[name] else ("",))
        ]
        yield _names("facet", choices, "Count the values of these fields, or the years or months of dates.")
    filters: dict[str, Parameter] = {}
    for name, found in kinds.items():
        filters |= {each["name"]: each for each in _filters(name, found) if each["name"] not in kinds}
        if name not in RESERVED and found - {"table"}:
            filters[name] = in_query(name, _value(found))
    yield from filters.values()


def _names(name: str, values: list[str], meaning: str) -> Parameter:
    choice = {"type": "array", "items": {"enum": values}, "minItems": 1}
    return in_query(name, choice, meaning, style="form", explode=False)


def _filters(name: str, kinds: frozenset[str]) -> Iterator[Parameter]:
    value = _value(kinds)
    yield in_query(f"{name}__exists", {"type": "boolean"}, "Whether the record has the field.")
    if not kinds - {"table"}:
        return
    yield in_query(f"{name}__eq", value)
    yield in_query(f"{name}__ne", _TEXT)
    for operator in ("in", "nin"):
        if value is _TEXT:
            yield in_query(f"{name}__{operator}", _TEXT, "Values, separated by commas.")
        else:
            listed = {"type": "array", "items": value, "minItems": 1}
            yield in_query(f"{name}__{operator}", listed, style="form", explode=False)
    if kinds & {"string", "number"}:
        for operator in _COMPARISONS:
            yield in_query(f"{name}__{operator}", _TEXT if "string" in kinds else {"type": "number"})
    if kinds & {"string", "array"}:
        yield in_query(f"{name}__contains", _TEXT)
        yield in_query(f"{name}__icontains", _TEXT, "The same, whatever the case and the accents.")
    if "string" in kinds:
        yield in_query(f"{name}__startswith", _TEXT)


def _value(kinds: frozenset[str]) -> Mapping[str, Any]:
    """What a value may be, so that it can be compared with what the field holds."""
    if kinds & {"string", "array"} or not kinds & {"number", "boolean"}:
        return _TEXT
    if "number" not in kinds:
        return {"type": "boolean"}
    return {"type": "number"} if "boolean" not in kinds else {"type": ["number", "boolean"]}
