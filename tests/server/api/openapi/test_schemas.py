"""A sheet's schema in the description says what it says to the validator, or is left out."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from reload.records.sheet import Sheet, read_sheet
from server.api.openapi.schemas import BYTES_MAX, component

PLACE = "#/components/schemas/x"


def sheet(schema: str) -> Sheet:
    found = read_sheet("x", f'[gitsheet]\npath = "${{{{ slug }}}}"\n{schema}'.encode())
    assert isinstance(found, Sheet)
    return found


def shown(schema: str) -> dict[str, Any] | None:
    return component(sheet(schema), PLACE)


def test_a_sheet_without_a_schema_shows_none() -> None:
    assert shown("") is None


def test_what_no_validator_knows_is_left_out() -> None:
    text = 'type = "object"\n"$comment" = "x"\nx-y = 1\ndiscriminator = "x"\nexample = 1\nnullable = true\n'
    assert shown(f"[gitsheet.schema]\n{text}") == {"type": "object"}


def test_references_lead_to_the_same_schema_in_the_document() -> None:
    schema = """[gitsheet.schema.properties]
tree = {"$ref" = "#"}
leaf = {"$ref" = "#/$defs/a~1b%20c", description = "kept"}
old = {"$ref" = "#/definitions/d"}
"$ref" = {const = {"$ref" = "#/no/reference"}}
[gitsheet.schema."$defs"."a/b c"]
type = ["string", "null"]
[gitsheet.schema.definitions.d]
minimum = 3
[[gitsheet.schema.allOf]]
not = {required = ["never"]}
"""
    found = shown(schema)
    assert found is not None
    assert found["properties"]["tree"] == {"$ref": PLACE}
    assert found["properties"]["$ref"] == {"const": {"$ref": "#/no/reference"}}
    whole = {"components": {"schemas": {"x": found}}, "$ref": PLACE}
    alone, within = jsonschema_rs.validator_for(sheet(schema).schema), jsonschema_rs.validator_for(whole)
    values = [
        {},
        {"leaf": "x"},
        {"leaf": 1},
        {"old": 1},
        {"old": 3},
        {"never": 1},
        {"tree": {"tree": {"leaf": 1}}},
    ]
    assert [within.is_valid(value) for value in values] == [alone.is_valid(value) for value in values]
    assert [alone.is_valid(value) for value in values] == [True, True, False, False, True, False, False]


@pytest.mark.parametrize(
    "schema",
    [
        'type = "nothing"',
        '"$schema" = "http://json-schema.org/draft-07/schema#"',
        '"$ref" = "https://example.org/schema.json"',
        '"$ref" = "file:///etc/passwd"',
        '"$ref" = "#/x-elsewhere"\nx-elsewhere = {type = "string"}',
        '"$anchor" = "here"',
        '"$dynamicRef" = "#here"',
        '"$id" = "https://example.org/"',
        'properties = {a = {"$ref" = "#here"}, b = {"$anchor" = "here"}}',
        f'description = "{"x" * BYTES_MAX}"',
    ],
    ids=range(10),
)
def test_a_schema_that_would_say_something_else_is_left_out(schema: str) -> None:
    assert shown(f"[gitsheet.schema]\n{schema}\n") is None


def test_the_newest_draft_may_be_named() -> None:
    newest = "https://json-schema.org/draft/2020-12/schema"
    assert shown(f'[gitsheet.schema]\n"$schema" = "{newest}"\ntype = "object"\n') == {"type": "object"}
