"""Routes as paths of an OpenAPI document, `{sheet}` filled in with every sheet that is described."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reload.snapshot.query.query import Kinds
from server.api.openapi.answers import (
    HEADERS_OF_DATA,
    array,
    headers,
    item,
    obj,
    refusals,
    response,
    schema,
)
from server.api.openapi.parameters import Parameter, in_path, in_query, of_fields, references

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Described:
    """A sheet as the document shows it.

    `record` and `part` are the names of the schemas of its records, whole and as far as `fields` asks.
    `example` is the path of a record, `attached` the name of a file attached to it.
    """

    name: str
    url: str
    identifier: str
    meaning: str
    kinds: Kinds = field(default_factory=dict)
    record: str = "AnyRecord"
    part: str = "AnyRecord"
    example: str | None = None
    attached: str | None = None
    parameters: tuple[Parameter, ...] = ()


_SHEET: Final = in_path("sheet", "The name of a sheet, as in `GET /api`.")
ANY_SHEET: Final = Described(
    "others", "/api/{sheet}", "any.sheet", "Records of any sheet.", parameters=(_SHEET,)
)


def paths_of(route: str, sheets: Sequence[Described]) -> dict[str, Item]:
    """The paths that a route of the read API becomes."""
    return _PATHS[route](sheets)


def _operations(
    name: str, tag: str, summary: str, parameters: Sequence[Parameter], found: Mapping[str, Any]
) -> Item:
    """GET and HEAD of one path; their answers differ by the body alone."""
    bodiless = {
        status: {key: value for key, value in answer.items() if key not in ("content", "links")}
        for status, answer in found.items()
    }
    get = {"operationId": f"get_{name}", "tags": [tag], "summary": summary, "responses": found}
    head = {"operationId": f"head_{name}", "tags": [tag], "summary": f"{summary}: only the headers"}
    return {"parameters": list(parameters), "get": get, "head": {**head, "responses": bodiless}}


def _answers(good: Mapping[str, Any], *refused: str) -> Item:
    not_modified = {"$ref": "#/components/responses/NotModified"}
    return {"200": good, "304": not_modified, **refusals(*refused)}


def _describes(_: Sequence[Described]) -> dict[str, Item]:
    good = response("This document.", {"type": "object"})
    found = _answers(good, "InvalidQuery")
    return {
        "/api/_openapi.json": _operations(
            "description", "api", "The description", references("ifNoneMatch"), found
        )
    }


def _lists_sheets(_: Sequence[Described]) -> dict[str, Item]:
    found = _answers(response("The sheets.", schema("Sheets")), "InvalidQuery")
    return {"/api": _operations("sheets", "api", "The sheets", references("ifNoneMatch"), found)}


def _lists_records(sheets: Sequence[Described]) -> dict[str, Item]:
    return {sheet.url: _list(sheet) for sheet in sheets}


def _list(sheet: Described) -> Item:
    page = obj({"data": array(item(schema(sheet.part))), "meta": schema("Meta"), "facets": schema("Facets")})
    good = response("One page of records.", page, Link="Link")
    good["links"] = {
        "record": {
            "operationId": f"get_record.{sheet.identifier}",
            "parameters": {"path": "$response.body#/data/0/path"},
        }
    }
    parameters = [
        *sheet.parameters,
        *references("q", "path", "pathIn", "pathStartswith", "or", "and", "limit", "cursor"),
        *references("facetLimit", "facetExclude", "ifNoneMatch"),
        *of_fields(sheet.kinds),
    ]
    return _operations(
        f"list.{sheet.identifier}",
        sheet.name,
        sheet.meaning,
        parameters,
        _answers(good, "InvalidQuery", "NotFound"),
    )


def _shows_records(sheets: Sequence[Described]) -> dict[str, Item]:
    return {f"{sheet.url}/{{path}}": _record(sheet) for sheet in sheets}


def _record(sheet: Described) -> Item:
    whole = obj({"data": item(schema(sheet.record), attachments=array(schema("Attachment")))})
    good = response("The record.", whole)
    good["links"] = {
        "attachment": {
            "operationId": "get_attachment",
            "parameters": {
                "sheet": "$request.path.sheet" if sheet.parameters else sheet.name,
                "path": "$request.path.path",
                "name": "$response.body#/data/attachments/0/name",
            },
        }
    }
    example = {} if sheet.example is None else {"example": sheet.example}
    path = in_path("path", "The record's path, as lists show it.", **example)
    parameters = [*sheet.parameters, path, *references("ifNoneMatch")]
    summary = f"One record of the sheet {sheet.name}"
    found = _answers(good, "InvalidQuery", "NotFound")
    return _operations(f"record.{sheet.identifier}", sheet.name, summary, parameters, found)


def _searches(sheets: Sequence[Described]) -> dict[str, Item]:
    names = [sheet.name for sheet in sheets if not sheet.parameters]
    one = {"type": "string", "enum": names} if len(names) == len(sheets) > 0 else {"type": "string"}
    parameters = [
        in_query("q", {"type": "string", "maxLength": 2_000}, "Words to search for.", required=True),
        in_query("sheet", {"type": "array", "items": one}, "Only these sheets."),
        *references("limit", "cursor", "ifNoneMatch"),
    ]
    good = response("The best matches, best first.", schema("Hits"), Link="Link")
    found = _answers(good, "InvalidQuery", "NotFound")
    return {"/api/_search": _operations("search", "api", "Search all sheets", parameters, found)}


def _serves_attachments(sheets: Sequence[Described]) -> dict[str, Item]:
    known = next((sheet for sheet in sheets if sheet.attached), None)
    place = (known.name, known.example, known.attached) if known else ()
    sheet, path, name = ({"example": each} for each in place) if place else ({}, {}, {})
    parameters = [
        {**_SHEET, **sheet},
        in_path("path", "The path of the record that the file is attached to.", **path),
        in_path("name", "The file's name.", **name),
        *references("ifNoneMatch", "range", "ifRange"),
    ]
    content: Item = {"*/*": {"schema": {}}}
    whole = {"description": "The file.", "headers": headers(HEADERS_OF_DATA), "content": content}
    part = {
        "description": "The part of it that `Range` asked for.",
        "headers": headers({**HEADERS_OF_DATA, "Content-Range": "ContentRange"}),
        "content": content,
    }
    found = {**_answers(whole, "NotFound", "TooLarge", "RangeNotSatisfiable"), "206": part}
    described = _operations("attachment", "api", "A file attached to a record", parameters, found)
    return {"/api/_attachments/{sheet}/{path}/{name}": described}


_PATHS: Final[Mapping[str, Callable[[Sequence[Described]], dict[str, Item]]]] = {
    "/api": _lists_sheets,
    "/api/{sheet}": _lists_records,
    "/api/{sheet}/{path}": _shows_records,
    "/api/_search": _searches,
    "/api/_attachments/{sheet}/{path}/{name}": _serves_attachments,
    "/api/_openapi.json": _describes,
}
