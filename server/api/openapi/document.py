"""The OpenAPI document: the routes of the read API, with each sheet of a snapshot for `{sheet}`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from reload.records.sheet import Sheet
from reload.snapshot.query.query import Query
from reload.snapshot.query.reader import Reader
from server.api.documents import sheet_url
from server.api.openapi import answers
from server.api.openapi.parameters import SHARED
from server.api.openapi.paths import ANY_SHEET, Described, Item, paths_of
from server.api.openapi.schemas import component
from server.api.parameters import VALUE_CHARACTERS_MAX

OPENAPI: Final = "3.1.0"
API_VERSION: Final = "1"
# The document is kept with the snapshot, so it stays well below what is kept: sheets beyond these are
# described by one path for all, fields beyond these still work.
SHEETS_MAX: Final = 60
FIELDS_MAX: Final = 400
SHEET_FIELDS_MAX: Final = 40
FIELD_CHARACTERS_MAX: Final = 60
EXAMPLES_LOOKED_AT: Final = 10
SCHEMA_BYTES_TOTAL_MAX: Final = 192 << 10

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_INTRODUCTION: Final = (
    "The records of a git branch. Every answer comes from one commit, which it names; so does this "
    "description. Send an ETag back as `If-None-Match` to ask whether anything changed. `HEAD` works "
    "wherever `GET` does, and `OPTIONS` answers a browser's preflight. The slashes in a record's path may "
    f"stand as they are or as `%2F`. A value of a filter has at most {VALUE_CHARACTERS_MAX} characters."
)


def describe(
    sheets: Mapping[str, Sheet],
    problems: Mapping[str, int],
    reader: Reader,
    routes: Sequence[str],
    prefix: str = "",
) -> bytes:
    """The OpenAPI document of these routes, which are mounted below `prefix`.

    `problems` counts what is wrong with a sheet's records.
    """
    schemas: dict[str, Any] = {}
    described = list(_described(sheets, problems, reader, schemas))
    paths: dict[str, Item] = {}
    for route in routes:
        paths |= paths_of(route, described)
    document = {
        "openapi": OPENAPI,
        "info": {"title": "Livesheets", "version": API_VERSION, "description": _INTRODUCTION},
        "servers": [{"url": prefix or "/"}],
        "paths": paths,
        "components": {
            "schemas": {**answers.SCHEMAS, **schemas},
            "parameters": SHARED,
            "headers": answers.HEADERS,
            "responses": answers.responses(),
        },
    }
    return orjson.dumps(document)


def _described(
    sheets: Mapping[str, Sheet], problems: Mapping[str, int], reader: Reader, schemas: dict[str, Any]
) -> Iterator[Described]:
    """The sheets one by one; puts the schemas of their records into `schemas`."""
    validated = "schema=off" not in reader.state("policy").split()
    room = SCHEMA_BYTES_TOTAL_MAX
    fields_max = min(SHEET_FIELDS_MAX, FIELDS_MAX // max(len(sheets), 1))
    for name, sheet in [*sheets.items()][:SHEETS_MAX]:
        if name.startswith("_"):
            continue  # such addresses belong to the API
        identifier = identify(name)
        key = f"record.{identifier}"
        shown = component(sheet, f"#/components/schemas/{key}")
        record = answers.schema("AnyRecord")
        size = len(orjson.dumps(shown))
        if shown is not None and size <= room:
            room -= size
            schemas[key] = shown
            kept = validated and not problems.get(name)
            record = answers.schema(key) if kept else {"anyOf": [answers.schema(key), record]}
        example, attached = _example(name, reader)
        kinds = reader.fields(name, fields_max)
        yield Described(
            name,
            sheet_url(name),
            identifier,
            f"Records of the sheet {name}, at `{sheet.path}`.",
            {each: found for each, found in sorted(kinds.items()) if len(each) <= FIELD_CHARACTERS_MAX},
            record,
            example,
            attached,
        )
    if len(sheets) > SHEETS_MAX:
        yield ANY_SHEET


def _example(sheet: str, reader: Reader) -> tuple[str | None, str | None]:
    """A record to show, and a file attached to it: among the first ones, one that has any."""
    rows, _ = reader.page(sheet, Query(limit=EXAMPLES_LOOKED_AT))
    for row in rows:
        for attachment in reader.attachments(sheet, row.path):
            return row.path, attachment.name
    return (rows[0].path if rows else None), None


def identify(name: str) -> str:
    """A sheet's name as generated code can use it; different for different names."""
    if _PLAIN.fullmatch(name):
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=6).hexdigest()
    return f"{re.sub('[^A-Za-z0-9_-]', '_', name)[:40]}.{digest}"
