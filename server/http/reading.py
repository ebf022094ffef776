"""How a read is answered: below Tornado's request handlers, whose generality costs more than the answer.

An answer is a pure function of the commit and the URL. The snapshot is captured once, what can be
computed once a snapshot is, and a client that has this answer gets 304 before anything is asked.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.client import responses
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import structlog
from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError

from reload.snapshot.failures import DAMAGE
from reload.snapshot.query.reader import Reader
from reload.snapshot.snapshot import Answer, Snapshot
from server.http.access_log import clock
from server.http.errors import PROBLEM_TYPE, ApiError, as_api_error, problem_document
from server.http.negotiation import takes, takes_gzip
from server.http.response import JSON, METHODS, ReadHeaders, Response, preflight

if TYPE_CHECKING:
    from server.application import LivesheetsApplication

COMPRESSED_BYTES_MIN = 1_400
# Some two milliseconds; what takes longer is compressed in a thread.
COMPRESSED_ON_LOOP_BYTES_MAX = 64 << 10
GZIP_LEVEL = 5
# Part of every ETag: raised when the same commit is shown in another way.
REPRESENTATION = 1

# What a 304 says as the 200 in its place would.
_KEPT = ("Cache-Control", "ETag", "Vary")
_VARIES = ("Vary", "Accept-Encoding")

Replying = Response | Awaitable[Response]

log = structlog.get_logger()


@dataclass(slots=True)
class Read:
    """One request to read, and the snapshot that all of its answer comes from."""

    app: LivesheetsApplication
    snapshot: Snapshot
    method: str
    path: str
    query: str
    uri: str
    request_headers: HTTPHeaders

    def kept(self) -> Replying | None:
        """The answer that somebody was given to this very URL, which therefore is understood."""
        found = self.snapshot.cache.get(self.uri)
        return None if found is None else self.respond(found)

    async def in_thread(self, ask: Callable[[Reader], Answer]) -> Response:
        """The answer of a reader that is asked in a thread, kept for whoever asks next."""
        found = await self.app.in_thread(_lend, self.snapshot, ask)
        self.snapshot.cache.put(self.uri, found)
        response = self.respond(found)
        return response if isinstance(response, Response) else await response

    def on_loop(self, ask: Callable[[Reader], Answer]) -> Replying:
        """The same for what takes well under a millisecond, asked on the loop."""
        found = ask(self.snapshot.reader)
        self.snapshot.cache.put(self.uri, found)
        return self.respond(found)

    def respond(self, answer: Answer) -> Replying:
        """An answer as a response: the next page in a header, compressed where it pays and is wanted."""
        response = Response(answer.body)
        if answer.next_url is not None:
            response.headers.append(("Link", f'<{answer.next_url}>; rel="next"'))
        response.headers.append(_VARIES)
        if len(answer.body) >= COMPRESSED_BYTES_MIN and takes_gzip(
            self.request_headers.get("Accept-Encoding", "")
        ):
            response.headers.append(("Content-Encoding", "gzip"))
            return self._compressed(response)
        return response

    def require(self, media: str) -> None:
        """Raise ApiError where the client does not take what it would get."""
        require(self.request_headers, media)

    def _compressed(self, response: Response) -> Replying:
        packed = self.snapshot.cache.get(("gzip", self.uri))
        if packed is not None:
            response.body = packed.body
            return response
        if len(response.body) > COMPRESSED_ON_LOOP_BYTES_MAX:
            return self._compressed_in_thread(response)
        return self._keep_compressed(response, _gzip(response.body))

    async def _compressed_in_thread(self, response: Response) -> Response:
        return self._keep_compressed(response, await self.app.in_thread(_gzip, response.body))

    def _keep_compressed(self, response: Response, body: bytes) -> Response:
        self.snapshot.cache.put(("gzip", self.uri), Answer(body))
        response.body = body
        return response


Endpoint = Callable[..., Replying]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads: the label for metrics, what answers, and the path's decoded parts."""

    label: str
    endpoint: Endpoint
    arguments: tuple[str, ...]
    is_json: bool = True


class ReadDelegate(HTTPMessageDelegate):
    """Answers one request to read."""

    def __init__(
        self,
        app: LivesheetsApplication,
        connection: HTTPConnection,
        line: RequestStartLine,
        route: Route | None,
    ) -> None:
        self._app = app
        self._connection = connection
        self._method = line.method
        self._uri = line.path
        self._path, _, self._query = line.path.partition("?")
        self._route = route
        self._begun = clock()
        self._headers = HTTPHeaders()
        self._request_id = ""
        self._snapshot: Snapshot | None = None
        self._etag: str | None = None
        app.in_flight += 1

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Keep the request's headers."""
        self._headers = headers
        self._request_id = self._app.request_id(headers)
        return None

    def finish(self) -> None:
        """The request is whole: answer it."""
        try:
            response = self._answer()
        except Exception as error:  # whatever breaks leaves as a problem document
            self._send(self._failure(error))
            return
        if isinstance(response, Response):
            self._send(response)
        else:
            asyncio.ensure_future(self._send_later(response))  # noqa: RUF006 (the connection waits for it)

    def on_connection_close(self) -> None:
        """The client went away before its request was whole."""
        self._release()
        self._app.request_ended()

    async def _send_later(self, response: Awaitable[Response]) -> None:
        try:
            answer = await response
        except Exception as error:
            answer = self._failure(error)
        self._send(answer)

    def _answer(self) -> Response | Awaitable[Response]:
        if self._method not in METHODS:
            allowed = [("Allow", ", ".join(METHODS))]
            raise ApiError("method-not-allowed", f"{self._method} is not allowed here", dict(allowed))
        if self._method == "OPTIONS":
            return preflight()
        if self._route is None:
            raise ApiError("not-found", f"no route {self._path[:200]!r}; GET /api lists the sheets")
        snapshot = self._app.snapshots.current
        if snapshot is None:
            raise ApiError("not-ready", self._app.why_not_ready(), {"Retry-After": "5"})
        self._snapshot = snapshot
        snapshot.enter()
        if self._route.is_json:
            require(self._headers, JSON)
        # The URL is part of the tag, so that a client which sends it has had a 200 from this very URL.
        self._etag = f'"{snapshot.commit}-{REPRESENTATION}-{zlib.crc32(self._uri.encode()):08x}"'
        known = self._headers.get("If-None-Match")
        if known is not None and self._etag in known:
            return Response(b"", 304, headers=[_VARIES])
        read = Read(self._app, snapshot, self._method, self._path, self._query, self._uri, self._headers)
        if (kept := read.kept()) is not None:
            return kept
        arguments = [unquote(part, errors="strict") for part in self._route.arguments]
        return self._route.endpoint(read, *arguments)

    def _failure(self, error: Exception) -> Response:
        """The problem document for whatever went wrong; a bug is logged with its trace."""
        self._etag = None
        answer = as_api_error(error)
        if isinstance(error, DAMAGE) and self._snapshot is not None:
            self._app.reloader.report_damage(self._snapshot, error)
        if isinstance(error, UnicodeDecodeError):
            answer = ApiError("not-found", "the path is not UTF-8")
        if answer is None:
            log.error("request.crashed", request_id=self._request_id, exc_info=error)
            answer = ApiError("internal-error", "the request could not be answered; the log has its trace")
        body = problem_document(answer, self._request_id)
        return Response(body, answer.status, PROBLEM_TYPE, [*answer.headers.items()])

    def _send(self, response: Response) -> None:
        if response.status in (200, 206) and self._headers.get("If-None-Match", "").strip() == "*":
            response = Response(b"", 304, headers=[each for each in response.headers if each[0] in _KEPT])
        self._add_headers(response)
        standing = self._app.common_headers(self._headers.get("Origin"))
        bodiless = self._method == "HEAD" or response.status in (204, 304)
        line = ResponseStartLine("HTTP/1.1", response.status, responses.get(response.status, "Unknown"))
        own = ReadHeaders(standing, response.headers)
        if response.status not in (204, 304):
            own["Content-Length"] = str(len(response.body))
        body = b"" if bodiless else response.body
        sent = self._connection.write_headers(line, own, body or None)
        sent.add_done_callback(_forget_closed_stream)
        connection = cast("HTTP1Connection", self._connection)
        self._app.authenticator.slow_clients.watch(connection.stream, sent, self._peer, len(body))
        self._connection.finish()
        self._log_access(response.status)

    def _peer(self) -> str:
        context: Any = cast("HTTP1Connection", self._connection).context
        return self._app.authenticator.peers.of(str(context.remote_ip), self._headers)

    def _add_headers(self, response: Response) -> None:
        headers = response.headers
        headers.append(("X-Request-Id", self._request_id))
        if response.body or self._method == "HEAD":
            headers.append(("Content-Type", response.content_type))
        if self._snapshot is not None:
            headers.append(("X-Data-Commit", self._snapshot.commit))
        if self._etag is not None and not any(name == "ETag" for name, _ in headers):
            headers.append(("ETag", f"W/{self._etag}"))
            headers.append(("Cache-Control", "no-cache"))
        if self._app.stopping:
            headers.append(("Connection", "close"))

    def _log_access(self, status: int) -> None:
        more = {"commit": self._snapshot.commit[:12]} if self._snapshot is not None else {}
        self._release()
        label = self._route.label if self._route is not None else "none"
        self._app.access_log.finished(
            label, self._method, self._path, status, self._begun, self._request_id, more
        )
        self._app.request_ended()

    def _release(self) -> None:
        if self._snapshot is not None:
            self._snapshot.leave()
            self._snapshot = None


def require(headers: HTTPHeaders, media: str) -> None:
    """Raise ApiError where a client with these headers does not take `media`, which is all there is."""
    if not takes(headers.get("Accept"), media):
        raise ApiError("not-acceptable", f"this is {media}, which Accept leaves out", {"Vary": "Accept"})


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


def _lend(snapshot: Snapshot, ask: Callable[[Reader], Answer]) -> Answer:
    with snapshot.lend() as reader:
        return ask(reader)


def _forget_closed_stream(sent: asyncio.Future[None]) -> None:
    if not sent.cancelled() and isinstance(sent.exception(), StreamClosedError):
        log.debug("request.client_gone")
