"""How a read is answered: below Tornado's request handlers, whose generality costs more than the answer.

An answer is a pure function of the commit and the URL. The snapshot is taken once, and a client that has
this answer gets 304 before anything is asked.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from http.client import responses
from typing import Any, cast
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
from server.api.meant import meant
from server.api.read_api import ReadApi
from server.http.cors import preflight
from server.http.errors import PROBLEM_TYPE, ApiError, problem_document
from server.http.exchange import Exchange, HttpContext
from server.http.negotiation import takes, takes_gzip
from server.http.response import JSON, METHODS, Part, ReadHeaders, Response

COMPRESSED_BYTES_MIN = 1_400
# Some two milliseconds; what takes longer is compressed in a thread.
COMPRESSED_ON_LOOP_BYTES_MAX = 64 << 10
GZIP_LEVEL = 5
PIECE_BYTES = 256 << 10
MOVED = 308
CLIENT_GONE = 499
# Part of every ETag: raised when the same commit is shown in another way.
REPRESENTATION = 3

# What a 304 says as the 200 in its place would.
_KEPT = ("Cache-Control", "ETag", "Vary")
_VARIES = ("Vary", "Accept-Encoding")

Replying = Response | Awaitable[Response]

log = structlog.get_logger()


@dataclass(slots=True)
class Read:
    """One request to read, and the snapshot that all of its answer comes from."""

    api: ReadApi
    snapshot: Snapshot
    method: str
    path: str
    query: str
    uri: str
    request_headers: HTTPHeaders
    peer: Callable[[], str]

    def kept(self) -> Replying | None:
        """The answer that was given to this very URL before, which therefore is understood."""
        found = self.snapshot.cache.get(self.uri)
        return None if found is None else self.respond(found)

    async def in_thread(self, question: Callable[[Reader], Answer]) -> Response:
        """The answer of a reader that is asked in a thread, kept for who asks next."""
        found = await self.api.ask(self.peer(), self.snapshot, question)
        self.snapshot.cache.put(self.uri, found)
        response = self.respond(found)
        return response if isinstance(response, Response) else await response

    def on_loop(self, question: Callable[[Reader], Answer]) -> Replying:
        """The same for what takes well under a millisecond, asked on the loop."""
        found = question(self.snapshot.reader)
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

    def require_sheet(self, name: str) -> None:
        """Raise ApiError where the commit has no such sheet."""
        sheets = self.snapshot.sheets
        if name not in sheets:
            hint, known = meant(name, sheets), ", ".join(sheets) or "none"
            detail = f"no sheet {name[:80]!r} at this commit{hint}; there are: {known}"
            raise ApiError("sheet-not-found", detail)

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
        return self._keep_compressed(
            response, await self.api.in_thread(self.peer(), lambda: _gzip(response.body))
        )

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
        api: ReadApi,
        context: HttpContext,
        connection: HTTPConnection,
        line: RequestStartLine,
        headers: HTTPHeaders,
        route: Route | None,
    ) -> None:
        self._api = api
        self._context = context
        self._connection = connection
        self._method = line.method
        self._uri = line.path
        self._path, _, self._query = line.path.partition("?")
        self._headers = headers
        self._route = route
        remote_ip = str(cast("Any", connection).context.remote_ip)
        self._exchange = Exchange(context, line.method, self._path, headers, remote_ip)
        self._snapshot: Snapshot | None = None
        self._etag: str | None = None

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
            self._wait_for(self._send_later(response))

    def on_connection_close(self) -> None:
        """The client went away before its request was whole."""
        self._release()
        self._exchange.given_up()

    def _wait_for(self, answer: Coroutine[Any, Any, None]) -> None:
        """Answer in a task, which ends with the connection: nothing is done for a client that has gone."""
        task = asyncio.ensure_future(answer)

        def client_gone() -> None:
            task.cancel()

        cast("HTTP1Connection", self._connection).set_close_callback(client_gone)

    async def _send_later(self, response: Awaitable[Response]) -> None:
        try:
            answer = await response
        except asyncio.CancelledError:
            self._finished(CLIENT_GONE)
            return
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
        snapshot = self._api.snapshot
        if snapshot is None:
            raise ApiError("not-ready", self._api.why_not_ready(), {"Retry-After": "5"})
        self._snapshot = snapshot
        snapshot.enter()
        if self._route.is_json:
            require(self._headers, JSON)
        # The URL is part of the tag, so that a client which sends it has had a 200 from this very URL.
        self._etag = f'"{snapshot.commit}-{REPRESENTATION}-{zlib.crc32(self._uri.encode()):08x}"'
        known = self._headers.get("If-None-Match")
        if known is not None and self._etag in known:
            return Response(b"", 304, headers=[_VARIES])
        read = Read(
            self._api,
            snapshot,
            self._method,
            self._path,
            self._query,
            self._uri,
            self._headers,
            lambda: self._exchange.peer,
        )
        if (kept := read.kept()) is not None:
            return kept
        arguments = [unquote(part, errors="strict") for part in self._route.arguments]
        return self._route.endpoint(read, *arguments)

    def _failure(self, error: Exception) -> Response:
        """The problem document for whatever went wrong."""
        self._etag = None
        if isinstance(error, DAMAGE) and self._snapshot is not None:
            self._api.report_damage(self._snapshot, error)
        if isinstance(error, UnicodeDecodeError):
            error = ApiError("not-found", "the path is not UTF-8")
        answer = self._exchange.problem(error)
        body = problem_document(answer, self._exchange.request_id)
        return Response(body, answer.status, PROBLEM_TYPE, [*answer.headers.items()])

    def _send(self, response: Response) -> None:
        if response.status in (200, 206) and self._headers.get("If-None-Match", "").strip() == "*":
            if response.part is not None:
                response.part.close()
            response = Response(b"", 304, headers=[each for each in response.headers if each[0] in _KEPT])
        self._add_headers(response)
        bodiless = self._method == "HEAD" or response.status in (204, 304)
        line = ResponseStartLine("HTTP/1.1", response.status, responses.get(response.status, "Unknown"))
        own = ReadHeaders(self._context.origins.headers(self._headers.get("Origin")), response.headers)
        if response.status not in (204, 304):
            own["Content-Length"] = str(response.length)
        body = b"" if bodiless else response.body
        sent = self._connection.write_headers(line, own, body or None)
        sent.add_done_callback(_forget_closed_stream)
        self._watch(sent, len(body))
        if response.part is not None and not bodiless:
            self._wait_for(self._send_part(response.part, response.status))
            return
        self._connection.finish()
        self._finished(response.status)

    async def _send_part(self, part: Part, status: int) -> None:
        """Send a part of a file piece by piece, each when the client has taken the one before."""
        try:
            position, end = part.first, part.first + part.length
            while position < end:
                piece = os.pread(part.descriptor, min(PIECE_BYTES, end - position), position)
                if not piece:
                    raise OSError("the file ends early")
                position += len(piece)
                sent = self._connection.write(piece)
                self._watch(sent, len(piece))
                await sent
            self._connection.finish()
        except (asyncio.CancelledError, StreamClosedError):
            status = CLIENT_GONE
        except Exception as error:  # the headers are sent: all that is left is to end the connection
            self._exchange.problem(error)
            cast("HTTP1Connection", self._connection).stream.close()
        finally:
            part.close()
        self._finished(status)

    def _watch(self, sent: asyncio.Future[None], size: int) -> None:
        """Have the connection closed where the client does not take what was written."""
        stream = cast("HTTP1Connection", self._connection).stream
        self._exchange.watch(stream, sent, size)

    def _add_headers(self, response: Response) -> None:
        headers = response.headers
        headers += self._exchange.headers()
        if response.length or self._method == "HEAD":
            headers.append(("Content-Type", response.content_type))
        if self._snapshot is not None:
            headers.append(("X-Data-Commit", self._snapshot.commit))
        tagged = self._etag is not None and response.status != MOVED
        if tagged and not any(name == "ETag" for name, _ in headers):
            headers.append(("ETag", f"W/{self._etag}"))
            headers.append(("Cache-Control", "no-cache"))

    def _finished(self, status: int) -> None:
        if self._snapshot is not None:
            self._exchange.log_values["commit"] = self._snapshot.commit[:12]
        self._release()
        self._exchange.finished(self._route.label if self._route is not None else "none", status)

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


def _forget_closed_stream(sent: asyncio.Future[None]) -> None:
    if not sent.cancelled() and isinstance(sent.exception(), StreamClosedError):
        log.debug("request.client_gone")
