"""The Tornado application: routes as data, and what their handlers may reach."""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.routing import URLSpec
from tornado.web import Application

from reload.lane.branch import Branch
from server.api.reads import find_route
from server.auth.authenticator import Authenticator
from server.http.access_log import AccessLog
from server.http.handler import MisdirectedHandler, NotFoundHandler
from server.http.host import AllowedHosts, in_origin_form, require_host
from server.http.limits import UnprovenBytes
from server.http.reading import ReadDelegate
from server.http.response import Headers, common_headers
from server.operations.advice import advice_on
from server.operations.handlers import (
    HealthHandler,
    MetricsHandler,
    ReadyHandler,
    ReloadHandler,
    StatusHandler,
)
from server.operations.metrics import Metrics
from server.pages.handlers import PageHandler
from server.pages.status_page import Page
from server.webhook.accepted import AcceptedReloads
from server.webhook.deliveries import Deliveries
from server.webhook.handler import WebhookHandler

QUERY_THREADS = 2
T = TypeVar("T")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# What is read, the bulk of all requests, is answered by `server.http.reading` before these are looked at.
ROUTES: Sequence[tuple[str, type[Any]]] = (
    (r"/", PageHandler),
    (r"/healthz", HealthHandler),
    (r"/readyz", ReadyHandler),
    (r"/metrics", MetricsHandler),
    (r"/api/_internal/reload-data", WebhookHandler),
    (r"/api/_internal/status", StatusHandler),
    (r"/api/_internal/reloads/([^/]+)", ReloadHandler),
)
READ_PREFIX, INTERNAL_PREFIX = "/api", "/api/_internal"
PROBES = frozenset(("/healthz", "/readyz"))


class LivesheetsApplication(Application):
    """What handlers share: the current snapshot, the reloader, and how things stand."""

    def __init__(
        self,
        *,
        branch: Branch,
        metrics: Metrics,
        access_log: AccessLog,
        authenticator: Authenticator,
        deliveries: Deliveries,
        cors_origins: Sequence[str],
        hosts: AllowedHosts,
    ) -> None:
        super().__init__(
            [URLSpec(pattern, handler) for pattern, handler in ROUTES],
            default_handler_class=NotFoundHandler,
            log_function=lambda handler: None,  # handlers log one line themselves
        )
        self.snapshots = branch.snapshots
        self.reloader = branch.reloader
        self.journal = branch.journal
        self.poller = branch.poller
        self.metrics = metrics
        self.access_log = access_log
        self.authenticator = authenticator
        self.deliveries = deliveries
        self.unproven_bytes = UnprovenBytes()
        self.accepted = AcceptedReloads(self.request_began, self.request_ended)
        self._hosts = hosts
        self._cors_origins = frozenset(cors_origins)
        self._common_headers = common_headers(self._cors_origins, None)
        self.stopping = False
        self.in_flight = 0
        self.idle = asyncio.Event()
        self.page = Page()
        self._clone = branch.clone
        self._threads = ThreadPoolExecutor(QUERY_THREADS, thread_name_prefix="query")
        self._request_prefix = secrets.token_hex(4)
        self._request_numbers = itertools.count(1)

    @property
    def branch(self) -> str | None:
        """The branch that is served, None while that is not known yet."""
        return self._clone.branch

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Lead reads past Tornado's handlers, everything else to them."""
        return _Dispatcher(
            self,
            request_conn,
            lambda: super(LivesheetsApplication, self).start_request(server_conn, request_conn),
        )

    def answers(self, path: str, headers: HTTPHeaders) -> bool:
        """Whether the host that a request names is this server's; probes may come by address."""
        return path in PROBES or self._hosts.allow(headers.get("Host"))

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """The handler of a request that is no read, or was meant for another host."""
        if self.answers(request.path, request.headers):
            return super().find_handler(request, **kwargs)
        return self.get_handler_delegate(request, MisdirectedHandler)

    def common_headers(self, origin: str | None) -> Headers:
        """The headers that every read has, for a browser at `origin`."""
        if origin is None or "*" in self._cors_origins:
            return self._common_headers
        return common_headers(self._cors_origins, origin)

    def request_id(self, headers: HTTPHeaders) -> str:
        """The id that a client or proxy gave, if it is a plain one, or one that no other request here has."""
        offered = headers.get("X-Request-Id")
        if offered is not None and _REQUEST_ID.fullmatch(offered):
            return offered
        return f"{self._request_prefix}-{next(self._request_numbers):x}"

    def request_began(self) -> None:
        """Count a request, or a reload that was accepted, which a stopping server waits for."""
        self.in_flight += 1

    def request_ended(self) -> None:
        """Count a request that has its answer."""
        self.in_flight -= 1
        if self.stopping and self.in_flight <= 0:
            self.idle.set()

    def why_not_ready(self) -> str:
        """Why nothing is served yet: the outcome in words, since the text of an error may name places."""
        last = self.journal.last
        if last is None or last.error is None:
            return "the data is being loaded"
        words = ", ".join(filter(None, (last.outcome, getattr(last.error, "reason", ""))))
        meaning = advice_on(last.outcome).meaning
        return f"nothing can be served yet ({words}): {meaning} Tried again by itself; the status says more."

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a large question off the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def read_attachment(self, oid: str) -> bytes:
        """An attached file's bytes, from git."""
        return await self.in_thread(self._clone.attachment, oid)

    def close(self) -> None:
        """End the threads; for when no request is left."""
        self.accepted.close()
        self.authenticator.close()
        self._threads.shutdown()


class _Dispatcher(HTTPMessageDelegate):
    """Looks at a request's first line and hands the request on."""

    def __init__(
        self,
        app: LivesheetsApplication,
        connection: HTTPConnection,
        others: Callable[[], HTTPMessageDelegate],
    ) -> None:
        self._app = app
        self._connection = connection
        self._others = others
        self._delegate: HTTPMessageDelegate | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        assert isinstance(start_line, RequestStartLine)
        start_line = in_origin_form(start_line, headers)
        path = start_line.path.partition("?")[0]
        below = path.startswith(f"{READ_PREFIX}/") or path == READ_PREFIX
        is_read = below and not path.startswith(INTERNAL_PREFIX)
        if is_read and self._app.answers(path, headers):
            require_host(start_line.version, headers)
            self._delegate = ReadDelegate(self._app, self._connection, start_line, find_route(path))
        else:
            self._delegate = self._others()
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._delegate.data_received(chunk) if self._delegate else None

    def finish(self) -> None:
        if self._delegate is not None:
            self._delegate.finish()

    def on_connection_close(self) -> None:
        if self._delegate is not None:
            self._delegate.on_connection_close()
