"""The body of a direct call to the webhook, strictly read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

import orjson

from reload.repository.target import Consent
from server.http.errors import ApiError

_COMMIT: Final = re.compile(r"[0-9a-fA-F]{4,64}", re.ASCII)
_CONSENTS: Final = ("rewrite", "deletions")
_FIELDS: Final = ("branch", "commitHash", "accept")


@dataclass(frozen=True, slots=True)
class ReloadRequest:
    """What a caller asks for: a commit that should be served, and an operator's one-time consent."""

    branch: str | None = None
    commit: str | None = None
    consent: frozenset[Consent] = frozenset()


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object in a body, an empty one for an empty body; raises ApiError `invalid-request`."""
    if not body.strip():
        return {}
    try:
        orjson.loads(body)  # strict: UTF-8, no NaN, bounded depth
        document = json.loads(body, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        _refuse(f"the body is not JSON: {error}")
    if not isinstance(document, dict):
        _refuse("the body must be a JSON object")
    return cast("dict[str, Any]", document)


def read_request(document: dict[str, Any]) -> ReloadRequest:
    """The request in a document, an empty one asking for the served branch; raises `invalid-request`."""
    for name in document:
        if name not in _FIELDS:
            _refuse(f"unknown field {name[:80]!r}; known are {', '.join(_FIELDS)}")
    branch, commit = document.get("branch"), document.get("commitHash")
    if branch is not None and not (isinstance(branch, str) and branch):
        _refuse("branch must be a string that is not empty")
    if commit is not None and not (isinstance(commit, str) and _COMMIT.fullmatch(commit)):
        _refuse("commitHash must be 4 to 64 hexadecimal digits")
    consent = document.get("accept", [])
    if not isinstance(consent, list) or any(each not in _CONSENTS for each in consent):
        _refuse(f"accept must be a list of {' and '.join(_CONSENTS)}")
    lowered = commit.lower() if isinstance(commit, str) else None
    return ReloadRequest(branch, lowered, frozenset(cast("list[Consent]", consent)))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a field is given twice")
    return dict(pairs)


def _refuse(detail: str) -> NoReturn:
    raise ApiError("invalid-request", detail)
