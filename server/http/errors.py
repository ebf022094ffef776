"""Errors as answers: the only place that maps exceptions to an HTTP status and a stable code."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from tornado.web import HTTPError

from reload.errors import ReloadError
from reload.snapshot.failures import DAMAGE
from reload.snapshot.query.query import InvalidQuery
from reload.snapshot.query.reader import QueryTooSlow
from server.http.fair_queue import QueueFull

PROBLEM_TYPE = "application/problem+json"
FETCH_RETRY_AFTER_S = 5
BUSY_RETRY_AFTER = "5"

# Every code that a caller may see, with its status and title.
CODES: Mapping[str, tuple[int, str]] = {
    "not-found": (404, "Nothing is here"),
    "sheet-not-found": (404, "No such sheet"),
    "record-not-found": (404, "No such record"),
    "attachment-not-found": (404, "No such attachment"),
    "reload-not-found": (404, "No such reload"),
    "method-not-allowed": (405, "Method not allowed"),
    "not-acceptable": (406, "Not available in that form"),
    "invalid-query": (400, "The query is not understood"),
    "invalid-request": (400, "The request is not understood"),
    "unauthorized": (401, "A valid credential is needed"),
    "too-many-attempts": (429, "Too many failed attempts"),
    "payload-too-large": (413, "The body is too large"),
    "unsupported-media-type": (415, "The body's encoding is not supported"),
    "misdirected-request": (421, "This server does not answer for that host"),
    "attachment-too-large": (403, "The file is larger than this server sends"),
    "range-not-satisfiable": (416, "The range lies outside the file"),
    "internal-error": (500, "Something broke"),
    "not-ready": (503, "No data is served yet"),
    "state-damaged": (503, "The state is being repaired"),
    "query-too-slow": (503, "The query took too long"),
    "disk-full": (503, "The disk is full"),
    "overloaded": (503, "The server has too much in hand"),
    "stopping": (503, "The server is stopping"),
    "reload-not-configured": (503, "Reloading is not configured"),
    "branch-mismatch": (409, "Another branch is served"),
    "commit-not-on-branch": (409, "The commit is not on the branch"),
    "diverged": (409, "The remote and the local branch have diverged"),
    "rewound": (409, "The remote branch moved back"),
    "branch-missing": (409, "The remote has no such branch"),
    "deletions-held": (409, "The commit removes most of a sheet"),
    "fetch-failed": (502, "The remote could not be fetched from"),
    "data-rejected": (500, "The commit cannot be served"),
    "build-failed": (500, "The new state could not be built"),
}


class ApiError(Exception):
    """An answer that is an error; `members` are added to the problem document."""

    def __init__(
        self, code: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    @property
    def status(self) -> int:
        """The HTTP status."""
        return CODES[self.code][0]


class Refused(ApiError):
    """The answer to a caller who has not proven anything; it does not tell what was wrong."""


def as_api_error(error: BaseException | None) -> ApiError | None:
    """The answer that an exception means, None for a bug."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, InvalidQuery):
        return ApiError("invalid-query", str(error), parameter=error.parameter)
    if isinstance(error, QueueFull):
        return ApiError("overloaded", f"{error}; ask again in a moment", {"Retry-After": BUSY_RETRY_AFTER})
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ApiError("disk-full", "there is no room for what was asked for", {"Retry-After": "60"})
    if isinstance(error, QueryTooSlow):
        return ApiError("query-too-slow", f"{error}; ask for less, or filter by an indexed field")
    if isinstance(error, DAMAGE):
        detail = "what holds the data turned out to be damaged and is built again; ask again in a moment"
        return ApiError("state-damaged", detail, {"Retry-After": "5"})
    if isinstance(error, ReloadError):
        return ApiError(error.outcome, str(error))
    if isinstance(error, HTTPError):
        return for_status(error.status_code, _detail_of(error))
    return None


def _detail_of(error: HTTPError) -> str:
    if error.status_code >= 500:
        return "the request could not be answered; the log has its trace"
    return (error.log_message or "") % error.args if error.args else error.log_message or ""


def for_status(status: int, detail: str) -> ApiError:
    """The answer for an HTTP status that Tornado itself gives."""
    codes = {404: "not-found", 405: "method-not-allowed", 413: "payload-too-large"}
    if status in codes:
        return ApiError(codes[status], detail)
    return ApiError("invalid-request" if status < 500 else "internal-error", detail)


def problem_document(error: ApiError, request_id: str) -> bytes:
    """RFC 9457: the error as a document that people and programs can read."""
    status, title = CODES[error.code]
    return orjson.dumps(
        {
            "type": f"urn:livesheets:problem:{error.code}",
            "title": title,
            "status": status,
            "detail": error.detail or HTTPStatus(status).phrase,
            "code": error.code,
            "requestId": request_id,
            **error.members,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
