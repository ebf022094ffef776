"""A sheet's JSON Schema as a component of an OpenAPI document, without keywords that differ there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

import orjson

from reload.records.schema import Budget, Schema, TooExpensive
from reload.records.schema_cost import SchemaInvalid
from reload.records.sheet import Sheet

BYTES_MAX: Final = 32 << 10
# Compiling is what shows that a schema is one; it must not keep readers waiting.
STEPS_MAX: Final = 200_000
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def _keywords(words: str) -> frozenset[str]:
    return frozenset(words.split())


# What the keywords of a schema hold: one schema, a list of them, schemas by name, or a value.
_ONE: Final = _keywords(
    """
    additionalProperties contains contentSchema else if items not propertyNames then unevaluatedItems
    unevaluatedProperties
    """
)
_LIST: Final = _keywords("allOf anyOf oneOf prefixItems")
_NAMED: Final = _keywords("$defs definitions dependentSchemas patternProperties properties")
_VALUE: Final = _keywords(
    """
    const contentEncoding contentMediaType default dependentRequired deprecated description enum examples
    exclusiveMaximum exclusiveMinimum format maxContains maxItems maxLength maxProperties maximum
    minContains minItems minLength minProperties minimum multipleOf pattern readOnly required title type
    uniqueItems writeOnly
    """
)
_KNOWN: Final = _ONE | _LIST | _NAMED | _VALUE
_LEFT_OUT: Final = _keywords("$comment $schema $vocabulary")


class Unfit(Exception):
    """A schema that cannot be shown in the document."""


def component(sheet: Sheet, place: str) -> dict[str, Any] | None:
    """The sheet's schema, to stand at `place` (a JSON pointer); None where it has none that is fit.

    Unfit is a schema that cannot be used, is of another draft, is large, or uses references by name.
    """
    if sheet.schema is None:
        return None
    try:
        given: dict[str, Any] = orjson.loads(orjson.dumps(sheet.schema))
        if len(orjson.dumps(given)) > BYTES_MAX or given.get("$schema", DIALECT).rstrip("#") != DIALECT:
            return None
        Schema(sheet, Budget(STEPS_MAX))
        shown: dict[str, Any] = _shown(given, place)
        _require_ends(shown, place)
    except (SchemaInvalid, TooExpensive, Unfit):
        return None
    return shown


def _shown(schema: Any, place: str) -> Any:
    """The schema with what a document knows; keywords that no validator knows say nothing."""
    if not isinstance(schema, dict):
        return schema  # true and false are schemas
    return {
        key: _member(key, value, place)
        for key, value in schema.items()
        if key in _KNOWN or (key.startswith("$") and key not in _LEFT_OUT)
    }


def _member(key: str, value: Any, place: str) -> Any:
    if key in _ONE:
        return _shown(value, place)
    if key in _LIST:
        return [_shown(each, place) for each in value]
    if key in _NAMED:
        return {name: _shown(each, place) for name, each in value.items()}
    if key in _VALUE:
        return value
    if key == "$ref" and value.startswith("#"):
        return place + value[1:]
    raise Unfit(f"{key} names what a document with other schemas beside would look for elsewhere")


def _require_ends(schema: dict[str, Any], place: str) -> None:
    """Raise Unfit where a reference leads nowhere."""
    for reference in _references(schema):
        found: Any = schema
        for step in unquote(reference[len(place) :]).split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, dict) and key in found:
                found = found[key]
            else:
                raise Unfit(f"{reference} leads nowhere")
        if not isinstance(found, dict | bool):
            raise Unfit(f"{reference} leads to no schema")


def _references(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        yield schema["$ref"]
    for key, value in schema.items():
        inner = [value] if key in _ONE else value if key in _LIST else value.values() if key in _NAMED else ()
        for each in inner:
            yield from _references(each)
