"""What every answer has in common: request id, headers, problem documents, one log line, one count."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import structlog
from tornado.web import HTTPError, RequestHandler

from reload.reader import Reader
from reload.snapshot import Answer, Snapshot
from server.errors import PROBLEM_TYPE, ApiError, as_api_error, for_status, problem_document
from server.metrics import perf_counter
from server.query import next_url

if TYPE_CHECKING:
    from server.app import LivesheetsApplication

JSON_TYPE = "application/json; charset=utf-8"
COMPRESSED_BYTES_MIN = 1_400
GZIP_LEVEL = 5
# Part of every ETag: raised when the same commit is shown in another way.
REPRESENTATION = 1

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ACCEPTS_GZIP = re.compile(
    r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)", re.IGNORECASE
)

log = structlog.get_logger()


class Handler(RequestHandler):
    """The base of all handlers; `route` is the label that metrics and logs know it by."""

    route: ClassVar[str] = "none"
    application: LivesheetsApplication

    def initialize(self) -> None:
        """Note the beginning; part of the house's one log line a request."""
        self.begun = perf_counter()
        offered = self.request.headers.get("X-Request-Id", "")
        self.request_id = offered if _REQUEST_ID.fullmatch(offered) else self.application.next_request_id()
        self.set_header("X-Request-Id", self.request_id)
        self.log_values: dict[str, Any] = {}
        self.application.in_flight += 1

    def set_default_headers(self) -> None:
        """No version, no sniffing."""
        self.clear_header("Server")
        self.set_header("X-Content-Type-Options", "nosniff")

    def prepare(self) -> Any:
        """Tell clients on kept-alive connections to come back elsewhere while the server stops."""
        if self.application.stopping:
            self.set_header("Connection", "close")

    def on_finish(self) -> None:
        """One log line and one count a request."""
        self.application.request_ended()
        seconds = perf_counter() - self.begun
        status = self.get_status()
        self.application.metrics.observe_request(self.route, self.request.method or "", status, seconds)
        log.info(
            "request.finished",
            request_id=self.request_id,
            method=self.request.method,
            path=self.request.path,
            route=self.route,
            status=status,
            ms=round(seconds * 1000, 3),
            **self.log_values,
        )

    def compute_etag(self) -> None:
        """Tags are set by hand: they name the commit and need no hashing of the body."""

    def write_json(self, body: bytes, status: int = 200) -> None:
        """Finish with a JSON document."""
        self.set_status(status)
        self.set_header("Content-Type", JSON_TYPE)
        self.finish(body)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error leaves as a problem document."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        answer = as_api_error(error) or for_status(status_code, _detail_of(error, status_code))
        self.set_status(answer.status)
        if answer.code == "method-not-allowed":
            self.set_header("Allow", ", ".join(self.allowed_methods()))
        for name, value in answer.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", PROBLEM_TYPE)
        self.log_values["code"] = answer.code
        self.finish(problem_document(answer, self.request_id))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Only bugs are logged with a trace; refusals are in the request's own line."""
        if as_api_error(value) is None and not isinstance(value, HTTPError):
            log.error("request.crashed", request_id=self.request_id, exc_info=(typ, value, tb))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Keep the headers that every answer has, which Tornado clears before an error."""
        kept = {name: self._headers[name] for name in self.kept_headers if name in self._headers}
        super().send_error(status_code, **kwargs) if self._headers_written else self._send_clean(
            status_code, kept, kwargs
        )

    kept_headers: ClassVar[tuple[str, ...]] = ("X-Request-Id", "Connection", "Vary") + (
        "Access-Control-Allow-Origin",
        "Access-Control-Expose-Headers",
    )

    def _send_clean(self, status_code: int, kept: Mapping[str, str], kwargs: dict[str, Any]) -> None:
        self.clear()
        for name, value in kept.items():
            self.set_header(name, value)
        try:
            self.write_error(status_code, **kwargs)
        except Exception:
            log.error("request.crashed", request_id=self.request_id, exc_info=True)
        if not self._finished:
            self.finish()

    def allowed_methods(self) -> list[str]:
        """The methods that this handler implements."""
        names = ("get", "head", "post", "options")
        return [
            name.upper() for name in names if getattr(type(self), name) is not getattr(RequestHandler, name)
        ]


def _detail_of(error: BaseException | None, status_code: int) -> str:
    if isinstance(error, HTTPError) and error.log_message and status_code < 500:
        return error.log_message % error.args if error.args else error.log_message
    return "the request could not be answered; the log has its trace" if status_code >= 500 else ""


class ReadHandler(Handler):
    """The base of everything that answers from one Snapshot, captured once a request."""

    def prepare(self) -> Any:
        """Capture the snapshot, and answer 304 without a query where the client has this commit."""
        super().prepare()
        self._allow_origin()
        if self.request.method not in ("GET", "HEAD"):
            return
        current = self.application.snapshots.current
        if current is None:
            raise ApiError("not-ready", self.application.why_not_ready(), {"Retry-After": "5"})
        self.snapshot: Snapshot = current
        self._lease = current.lease()
        self._lease.__enter__()
        self.set_header("X-Data-Commit", current.commit)
        self.tag = f'W/"{current.commit}-{REPRESENTATION}-{zlib.crc32(self.request.uri.encode()):08x}"'
        self.set_header("ETag", self.tag)
        self.set_header("Cache-Control", "no-cache")
        known = self.request.headers.get("If-None-Match")
        if known is not None and self.tag[2:] in known:
            self.set_status(304)
            self.finish()

    def on_finish(self) -> None:
        """Let the snapshot go."""
        lease = getattr(self, "_lease", None)
        if lease is not None:
            lease.__exit__(None, None, None)
            self.log_values["commit"] = self.snapshot.commit[:12]
        super().on_finish()

    def head(self, *arguments: str) -> Any:
        """As GET; Tornado leaves the body out."""
        return self.get(*arguments)

    def options(self, *_: str) -> None:
        """What a browser asks before it reads from another origin."""
        self.set_header("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
        self.set_header("Access-Control-Allow-Headers", "If-None-Match, If-Range, Range, X-Request-Id")
        self.set_header("Access-Control-Max-Age", "86400")
        self.set_status(204)
        self.finish()

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Errors carry no ETag: the tag would promise data."""
        self.clear_header("ETag")
        super().send_error(status_code, **kwargs)

    async def answer(self, ask: Callable[[Reader], Answer], *, cheap: bool = False) -> None:
        """Finish with the answer to this URL, from the snapshot's cache or by asking a reader.

        What is `cheap` is asked on the loop, everything else in a thread.
        """
        key = self.request.uri
        found = self.snapshot.cache.get(key)
        if found is None:
            if cheap:
                found = ask(self.snapshot.reader)
            else:
                found = await self.application.in_thread(_lend, self.snapshot, ask)
            self.snapshot.cache.put(key, found)
        self.write_answer(found)

    def write_answer(self, answer: Answer) -> None:
        """Finish with a JSON document from the snapshot, compressed where it pays and is wanted."""
        if self.request.headers.get("If-None-Match", "").strip() == "*":
            self.set_status(304)
            self.finish()
            return
        if answer.next_cursor is not None:
            url = next_url(self.request.path, self.request.query, answer.next_cursor)
            self.set_header("Link", f'<{url}>; rel="next"')
        body = answer.body
        if len(body) >= COMPRESSED_BYTES_MIN:
            self.add_header("Vary", "Accept-Encoding")
            if _ACCEPTS_GZIP.search(self.request.headers.get("Accept-Encoding", "")):
                body = self._compressed(body)
                self.set_header("Content-Encoding", "gzip")
        self.write_json(body)

    def _compressed(self, body: bytes) -> bytes:
        key = ("gzip", self.request.uri)
        packed = self.snapshot.cache.get(key)
        if packed is None:
            packed = Answer(gzip.compress(body, GZIP_LEVEL, mtime=0))
            self.snapshot.cache.put(key, packed)
        return packed.body

    def _allow_origin(self) -> None:
        origins = self.application.cors_origins
        if "*" in origins:
            self.set_header("Access-Control-Allow-Origin", "*")
        elif origins:
            self.add_header("Vary", "Origin")
            origin = self.request.headers.get("Origin")
            if origin in origins:
                self.set_header("Access-Control-Allow-Origin", origin)
        exposed = "ETag, Link, X-Data-Commit, X-Request-Id"
        self.set_header("Access-Control-Expose-Headers", exposed)

    kept_headers = (*Handler.kept_headers, "X-Data-Commit")


def _lend(snapshot: Snapshot, ask: Callable[[Reader], Answer]) -> Answer:
    with snapshot.lend() as reader:
        return ask(reader)


class NotFoundHandler(Handler):
    """Whatever no route knows."""

    def prepare(self) -> Any:
        """Nothing is here, whatever the method."""
        super().prepare()
        raise ApiError("not-found", f"no route {self.request.path[:200]!r}; GET /api lists the sheets")
