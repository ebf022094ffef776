"""What reads answer: the schemas, headers and responses that all operations share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from server.http.errors import CODES, PROBLEM_TYPE
from server.http.response import JSON

# The codes that a read may answer, by what their responses are called.
REFUSALS: Final[Mapping[str, tuple[str, ...]]] = {
    "InvalidQuery": ("invalid-query",),
    "NotFound": ("not-found", "sheet-not-found", "record-not-found", "attachment-not-found"),
    "NotAcceptable": ("not-acceptable",),
    "Misdirected": ("misdirected-request",),
    "RangeNotSatisfiable": ("range-not-satisfiable",),
    "InternalError": ("internal-error",),
    "TooLarge": ("attachment-too-large",),
    "Unavailable": ("not-ready", "query-too-slow", "overloaded", "disk-full"),
}
_HEX: Final = {"type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TEXT: Final = {"type": "string"}
_MOMENT: Final = {"type": "string", "format": "date-time"}


def obj(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    """The schema of an object that has these members and no other."""
    members = {**required, **optional}
    return {
        "type": "object",
        "required": list(required),
        "properties": members,
        "additionalProperties": False,
    }


def array(items: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list."""
    return {"type": "array", "items": items}


def schema(name: str) -> dict[str, Any]:
    """A shared schema, by reference."""
    return {"$ref": f"#/components/schemas/{name}"}


def item(record: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The schema of an item with such a record."""
    return obj({"path": _TEXT, "blob": schema("Blob"), "record": record, **more}, stale=schema("Stale"))


_NEXT: Final = {"type": ["string", "null"], "description": "The cursor of the next page, if there is one."}
_ATTACHMENT: Final = obj(
    {"name": _TEXT, "size": _COUNT, "url": {"type": "string", "format": "uri-reference"}}
)
_SHEET: Final = obj(
    {
        "sheet": _TEXT,
        "format": {"enum": ["toml", "markdown", "mdx"]},
        "path": {"type": "string", "description": "The template of the paths of its records."},
        "records": _COUNT,
        "url": {"type": "string", "format": "uri-reference"},
    }
)
_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "requestId"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "For people."},
        "code": {"type": "string", "description": "For programs: stable."},
        "requestId": {"type": "string", "description": "The same as in `X-Request-Id` and in the log."},
        "parameter": {"type": "string", "description": "With `invalid-query`: the parameter it is about."},
    },
}
SCHEMAS: Final[Mapping[str, Any]] = {
    "Commit": {**_HEX, "description": "The commit that all of the answer comes from."},
    "Blob": {**_HEX, "description": "The id of the record's bytes in git."},
    "AnyRecord": {
        "type": "object",
        "description": "A record, or the part of it that was asked for.",
        "additionalProperties": True,  # else generated types have no fields at all
    },
    "Stale": {
        **obj({"since": _MOMENT, "commit": schema("Commit"), "message": _TEXT}),
        "description": "The record is an older version: since when and which commit, and why.",
    },
    "Attachment": _ATTACHMENT,
    "Meta": obj(
        {"commit": schema("Commit"), "total": _COUNT, "limit": {"type": "integer"}, "nextCursor": _NEXT},
        quarantined={
            **_COUNT,
            "description": "Records that cannot be read at this commit, if there are any.",
        },
    ),
    "Facets": {
        "type": "object",
        "additionalProperties": obj(
            {
                "values": array(obj({"value": {"type": ["string", "number", "boolean"]}, "count": _COUNT})),
                "distinct": _COUNT,
            }
        ),
    },
    "Sheets": obj(
        {
            "data": array(_SHEET),
            "meta": obj(
                {
                    "branch": _TEXT,
                    "commit": schema("Commit"),
                    "committedAt": _MOMENT,
                },
                notes=array(_TEXT),
            ),
        }
    ),
    "Hits": obj(
        {
            "data": array(
                item(
                    schema("AnyRecord"),
                    sheet=_TEXT,
                    score={"type": "number"},
                    snippet={"type": "string", "description": "HTML, escaped but for `<mark>` around hits."},
                )
            ),
            "meta": schema("Meta"),
        }
    ),
    "Problem": _PROBLEM,
}

HEADERS: Final[Mapping[str, Any]] = {
    "RequestId": {
        "required": True,
        "description": "The request's id: the one that was sent, or a new one.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "DataCommit": {"required": True, "schema": schema("Commit")},
    "ETag": {
        "required": True,
        "description": "Changes with the commit and the URL, an attachment's with its bytes.",
        "schema": {"type": "string", "pattern": '^(W/)?"[^"]+"$'},
    },
    "Link": {
        "description": 'The next page, `<...>; rel="next"`, if there is one.',
        "schema": {"type": "string"},
    },
    "ContentRange": {
        "required": True,
        "schema": {"type": "string", "pattern": "^bytes (\\d+-\\d+|\\*)/\\d+$"},
    },
    "RetryAfter": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 0}},
}
_ALWAYS: Final = {"X-Request-Id": "RequestId"}
HEADERS_OF_DATA: Final = {**_ALWAYS, "X-Data-Commit": "DataCommit", "ETag": "ETag"}
_MORE_HEADERS: Final = {
    "RangeNotSatisfiable": {"Content-Range": "ContentRange"},
    "Unavailable": {"Retry-After": "RetryAfter"},
}


def headers(names: Mapping[str, str]) -> dict[str, Any]:
    """Headers of a response, by reference."""
    return {name: {"$ref": f"#/components/headers/{each}"} for name, each in names.items()}


def response(meaning: str, body: Mapping[str, Any], **more: str) -> dict[str, Any]:
    """A good answer, as JSON; `more` are headers that only this one has."""
    return {
        "description": meaning,
        "headers": headers({**HEADERS_OF_DATA, **more}),
        "content": {JSON: {"schema": body}},
    }


def responses() -> dict[str, Any]:
    """The responses that several operations have."""
    shared: dict[str, Any] = {
        "NotModified": {
            "description": "What the client knows is still right.",
            "headers": headers(HEADERS_OF_DATA),
        }
    }
    for name, codes in REFUSALS.items():
        problem = {"allOf": [schema("Problem"), {"properties": {"code": {"enum": list(codes)}}}]}
        shared[name] = {
            "description": "; ".join(f"`{code}`: {CODES[code][1]}" for code in codes),
            "headers": headers({**_ALWAYS, **_MORE_HEADERS.get(name, {})}),
            "content": {PROBLEM_TYPE: {"schema": problem}},
        }
    return shared


def refusals(*names: str) -> dict[str, Any]:
    """Shared responses by their status."""
    return {
        str(CODES[REFUSALS[name][0]][0]): {"$ref": f"#/components/responses/{name}"}
        for name in (*names, "NotAcceptable", "Misdirected", "InternalError", "Unavailable")
    }
