"""The OpenAPI document: the routes of the read API, with each sheet of a snapshot for `{sheet}`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import orjson

from reload.records.sheet import Sheet
from reload.snapshot.query.query import KindCounts, Kinds, Query
from reload.snapshot.query.reader import Reader
from server.api.documents import sheet_url
from server.api.openapi import answers
from server.api.openapi.parameters import SHARED
from server.api.openapi.paths import ANY_SHEET, Described, Item, paths_of
from server.api.openapi.record_types import FIELD_CHARACTERS_MAX, RecordTypes, part_name, whole_name
from server.api.parameters import VALUE_CHARACTERS_MAX

OPENAPI: Final = "3.1.0"
API_VERSION: Final = "1"
# The document is kept with the snapshot, so it stays well below what is kept: sheets beyond these are
# described by one path for all, fields beyond these still work.
SHEETS_MAX: Final = 60
FIELDS_MAX: Final = 300
SHEET_FIELDS_MAX: Final = 40
EXAMPLES_LOOKED_AT: Final = 10

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
    types = RecordTypes(reader, min(len(sheets), SHEETS_MAX))
    described = list(_described(sheets, problems, reader, types))
    paths: dict[str, Item] = {}
    for route in routes:
        paths |= paths_of(route, described)
    document = {
        "openapi": OPENAPI,
        "info": {"title": "Livesheets", "version": API_VERSION, "description": _INTRODUCTION},
        "servers": [{"url": prefix or "/"}],
        "paths": paths,
        "components": {
            "schemas": {**answers.SCHEMAS, **types.schemas},
            "parameters": SHARED,
            "headers": answers.HEADERS,
            "responses": answers.responses(),
        },
    }
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _described(
    sheets: Mapping[str, Sheet], problems: Mapping[str, int], reader: Reader, types: RecordTypes
) -> Iterator[Described]:
    """The sheets one by one; puts the types of their records into `types`."""
    validated = "schema=off" not in reader.state("policy").split()
    fields_max = min(SHEET_FIELDS_MAX, FIELDS_MAX // max(min(len(sheets), SHEETS_MAX), 1))
    for name, sheet in [*sheets.items()][:SHEETS_MAX]:
        if name.startswith("_"):
            continue  # such addresses belong to the API
        identifier = identify(name)
        types.add(sheet, identifier, validated and not problems.get(name))
        example, attached = _example(name, reader)
        yield Described(
            name,
            sheet_url(name),
            identifier,
            f"Records of the sheet {name}, at `{sheet.path}`.",
            _kinds(reader.fields(name, fields_max)),
            whole_name(identifier),
            part_name(identifier),
            example,
            attached,
        )
    if len(sheets) > SHEETS_MAX:
        yield ANY_SHEET


def _kinds(fields: Mapping[str, KindCounts]) -> Kinds:
    return {
        name: frozenset(kinds) for name, kinds in sorted(fields.items()) if len(name) <= FIELD_CHARACTERS_MAX
    }


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
