"""The webhook: an authenticated call that waits until the branch is served, and tells how it went."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import orjson
from tornado.httputil import HTTPServerRequest
from tornado.web import stream_request_body

from reload.history import Consent
from reload.outcome import Outcome, Trigger
from server.auth import authorize
from server.errors import FETCH_RETRY_AFTER_S, ApiError
from server.handlers.base import Handler
from server.representations import outcome_document, problem_list

BODY_BYTES_MAX = 64 * 1024
_COMMIT = re.compile(r"[0-9a-fA-F]{4,40}", re.ASCII)
_CONSENTS = ("rewrite", "deletions")
_FIELDS = ("branch", "commitHash", "accept")


@dataclass(frozen=True, slots=True)
class ReloadRequest:
    """What a caller asks for: a commit that should be served, and an operator's one-time consent."""

    branch: str | None = None
    commit: str | None = None
    consent: frozenset[Consent] = frozenset()


@stream_request_body
class WebhookHandler(Handler):
    """`POST /api/_internal/reload-data`; the caller is known before its body is read."""

    route = "/api/_internal/reload-data"

    def initialize(self) -> None:
        """The body is taken piece by piece, never more than BODY_BYTES_MAX."""
        super().initialize()
        self._body = bytearray()

    def prepare(self) -> Any:
        """Refuse before a byte of the body is taken."""
        super().prepare()
        if self.request.method != "POST":
            raise ApiError("method-not-allowed", f"{self.request.method} is not allowed here")
        authorize(self.request.headers, self.application.reload_secrets)
        if self.request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ApiError("unsupported-media-type", "send the body as it is, without Content-Encoding")
        if _declared_bytes(self.request) > BODY_BYTES_MAX:
            raise _too_large()

    def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        self._body += chunk
        if len(self._body) > BODY_BYTES_MAX:
            raise _too_large()

    async def post(self) -> None:
        """Reload, and answer with how it went."""
        asked = read_request(bytes(self._body))
        served = self.application.branch
        if asked.branch is not None and served is not None and asked.branch != served:
            raise ApiError(
                "branch-mismatch",
                f"this server serves the branch {served!r}",
                outcome="branch-mismatch",
            )
        outcome = await self.application.reloader.reload(Trigger.WEBHOOK, asked.commit, asked.consent)
        self.log_values["reload_id"] = outcome.id
        self.log_values["outcome"] = outcome.outcome
        if not outcome.ok:
            raise reload_error(outcome)
        self.write_json(orjson.dumps(outcome_document(outcome)))


def reload_error(outcome: Outcome) -> ApiError:
    """The answer for a reload that failed: what is wrong, what is still served."""
    members: dict[str, Any] = {
        "outcome": outcome.outcome,
        "oldCommit": outcome.old_commit,
        "durationMs": outcome.duration_ms,
        "reloadId": outcome.id,
    }
    headers = {}
    if outcome.outcome == "fetch-failed":
        headers["Retry-After"] = str(FETCH_RETRY_AFTER_S)
        members["reason"] = getattr(outcome.error, "reason", "unreachable")
    if outcome.outcome == "data-rejected":
        members["problems"] = problem_list(outcome)
    if outcome.outcome in ("diverged", "rewound", "data-rejected", "deletions-held"):
        members["remoteCommit"] = outcome.remote_commit
    removed = getattr(outcome.error, "removed", None)
    if removed is not None:
        members["deletions"] = {
            name: {"removed": gone, "of": before} for name, (gone, before) in removed.items()
        }
    return ApiError(outcome.outcome, str(outcome.error), headers, **members)


def read_request(body: bytes) -> ReloadRequest:
    """The request in a body, an empty one asking for the served branch; raises ApiError `invalid-request`."""
    if not body.strip():
        return ReloadRequest()
    document = _decode(body)
    if not isinstance(document, dict):
        _refuse("the body must be a JSON object")
    for name in document:
        if name not in _FIELDS:
            _refuse(f"unknown field {name[:80]!r}; known are {', '.join(_FIELDS)}")
    branch, commit = document.get("branch"), document.get("commitHash")
    if branch is not None and not isinstance(branch, str):
        _refuse("branch must be a string")
    if commit is not None and not (isinstance(commit, str) and _COMMIT.fullmatch(commit)):
        _refuse("commitHash must be 4 to 40 hexadecimal digits")
    consent = document.get("accept", [])
    if not isinstance(consent, list) or any(each not in _CONSENTS for each in consent):
        _refuse(f"accept must be a list of {' and '.join(_CONSENTS)}")
    lowered = commit.lower() if isinstance(commit, str) else None
    return ReloadRequest(branch, lowered, frozenset(cast("list[Consent]", consent)))


def _decode(body: bytes) -> Any:
    try:
        orjson.loads(body)  # strict: UTF-8, no NaN, bounded depth
        return json.loads(body, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        _refuse(f"the body is not JSON: {error}")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a field is given twice")
    return dict(pairs)


def _refuse(detail: str) -> NoReturn:
    raise ApiError("invalid-request", detail)


def _declared_bytes(request: HTTPServerRequest) -> int:
    declared = request.headers.get("Content-Length", "0")
    return int(declared) if declared.isascii() and declared.isdigit() else 0


def _too_large() -> ApiError:
    return ApiError(
        "payload-too-large",
        f"the body may have {BODY_BYTES_MAX} bytes at most",
        {"Connection": "close"},
    )
