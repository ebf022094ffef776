"""The Tornado application: which route leads to which handler, with what it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.web import Application, RequestHandler

from reload.lane.branch import Branch
from server.api.read_api import ReadApi
from server.api.reads import ReadRouter
from server.auth.authenticator import Authenticator
from server.http.exchange import HttpContext
from server.http.handler import MisdirectedHandler, NotFoundHandler
from server.http.host import in_origin_form, require_host
from server.operations.handlers import HealthHandler, MetricsHandler, ReadyHandler, StatusHandler
from server.operations.metrics import Metrics
from server.pages.api_reference import ApiReference
from server.pages.docs_handlers import DocsFileHandler, DocsHandler
from server.pages.handlers import PageHandler
from server.pages.status_page import Page
from server.webhook.handler import WebhookHandler
from server.webhook.reload_handler import ReloadHandler
from server.webhook.webhook import Webhook

READS, INTERNAL = "/api", "/api/_internal"

Rule = tuple[str, type[RequestHandler] | ReadRouter, dict[str, Any]]


class Routes:
    """The routes of a served branch below the prefix of its read API, and what their handlers share."""

    def __init__(self, branch: Branch, context: HttpContext, api: ReadApi) -> None:
        self._branch = branch
        self._context = context
        self._api = api
        self._prefix = api.prefix
        self.reads = ReadRouter(api, context)
        self.webhook: Webhook | None = None

    def probes(self) -> Sequence[Rule]:
        """Liveness and readiness."""
        context, prefix = self._context, self._prefix
        return (
            (f"{prefix}/healthz", HealthHandler, {"context": context}),
            (f"{prefix}/readyz", ReadyHandler, {"context": context, "branch": self._branch}),
        )

    def internal(self, authenticator: Authenticator) -> Sequence[Rule]:
        """The webhook, the status and the outcomes of reloads, for callers with a credential."""
        context, below = self._context, self._prefix + INTERNAL
        self.webhook = Webhook(self._branch, authenticator, context.in_flight)
        webhook = {"context": context, "webhook": self.webhook}
        status = {"context": context, "authenticator": authenticator, "branch": self._branch}
        return (
            (f"{below}/reload-data", WebhookHandler, webhook),
            (f"{below}/status", StatusHandler, status),
            (f"{below}/reloads/([^/]+)", ReloadHandler, webhook),
        )

    def close(self) -> None:
        """End what the handlers share; for when no request is left."""
        if self.webhook is not None:
            self.webhook.close()
        self._api.close()


class LivesheetsApplication(Application):
    """The server's own application. Reads, the bulk of all requests, pass Tornado's handlers by."""

    def __init__(
        self,
        branch: Branch,
        context: HttpContext,
        api: ReadApi,
        metrics: Metrics,
        authenticator: Authenticator,
    ) -> None:
        self.branch = branch
        self.context = context
        self.authenticator = authenticator
        self.routes = Routes(branch, context, api)
        page = {"context": context, "authenticator": authenticator, "branch": branch, "page": Page()}
        reference = {"context": context, "reference": ApiReference()}
        rules: Sequence[Rule] = (
            ("/", PageHandler, page),
            ("/docs", DocsHandler, reference),
            ("/docs/([^/]+)", DocsFileHandler, reference),
            *self.routes.probes(),
            ("/metrics", MetricsHandler, {"context": context, "metrics": metrics}),
            *self.routes.internal(authenticator),
        )
        super().__init__(
            list(rules),
            default_handler_class=NotFoundHandler,
            default_handler_args={"context": context},
            log_function=lambda handler: None,  # handlers log one line themselves
        )

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Lead reads past Tornado's handlers, everything else to them."""
        return _Dispatcher(
            self,
            request_conn,
            lambda: super(LivesheetsApplication, self).start_request(server_conn, request_conn),
        )

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """The handler of a request that is no read, or was meant for another host."""
        if self.context.answers(request.path, request.headers):
            return super().find_handler(request, **kwargs)
        return self.get_handler_delegate(request, MisdirectedHandler, {"context": self.context})

    def close(self) -> None:
        """End the threads; for when no request is left."""
        self.routes.close()


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
        below = path.startswith(f"{READS}/") or path == READS
        if below and not path.startswith(INTERNAL) and self._app.context.answers(path, headers):
            require_host(start_line.version, headers)
            self._delegate = self._app.routes.reads.delegate(self._connection, start_line, headers)
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
