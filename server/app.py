"""The Tornado application: routes as data, and what their handlers may reach."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tornado.routing import URLSpec
from tornado.template import Loader
from tornado.web import Application

from reload.build import Builder
from reload.journal import Journal
from reload.poller import Poller
from reload.reloader import Reloader
from reload.snapshot import Snapshots
from server.handlers.base import NotFoundHandler
from server.handlers.operations import (
    HealthHandler,
    MetricsHandler,
    ReadyHandler,
    ReloadHandler,
    StatusHandler,
)
from server.handlers.page import PageHandler
from server.handlers.reads import (
    AttachmentHandler,
    ListHandler,
    RecordHandler,
    SearchHandler,
    SheetsHandler,
)
from server.handlers.webhook import WebhookHandler
from server.metrics import Metrics
from server.secret import Secret

QUERY_THREADS = 2
T = TypeVar("T")

# Names that begin with an underscore belong to the API itself, so they stand before the sheets.
ROUTES: Sequence[tuple[str, type[Any]]] = (
    (r"/", PageHandler),
    (r"/healthz", HealthHandler),
    (r"/readyz", ReadyHandler),
    (r"/metrics", MetricsHandler),
    (r"/api/?", SheetsHandler),
    (r"/api/_internal/reload-data", WebhookHandler),
    (r"/api/_internal/status", StatusHandler),
    (r"/api/_internal/reloads/([^/]+)", ReloadHandler),
    (r"/api/_internal(?:/.*)?", NotFoundHandler),
    (r"/api/_search", SearchHandler),
    (r"/api/_attachments/([^/]+)/(.+)", AttachmentHandler),
    (r"/api/([^/]+)", ListHandler),
    (r"/api/([^/]+)/(.*)", RecordHandler),
)


class LivesheetsApplication(Application):
    """What handlers share: the current snapshot, the reloader, and how things stand."""

    def __init__(
        self,
        *,
        snapshots: Snapshots,
        builder: Builder,
        reloader: Reloader,
        journal: Journal,
        poller: Poller,
        metrics: Metrics,
        reload_secrets: Sequence[Secret | None],
        cors_origins: Sequence[str],
    ) -> None:
        super().__init__(
            [URLSpec(pattern, handler) for pattern, handler in ROUTES],
            default_handler_class=NotFoundHandler,
            log_function=lambda handler: None,  # handlers log one line themselves
        )
        self.snapshots = snapshots
        self.reloader = reloader
        self.journal = journal
        self.poller = poller
        self.metrics = metrics
        self.reload_secrets = tuple(reload_secrets)
        self.cors_origins = frozenset(cors_origins)
        self.stopping = False
        self.in_flight = 0
        self.idle = asyncio.Event()
        self.templates = Loader(str(Path(__file__).parent / "templates"), autoescape="xhtml_escape")
        self._builder = builder
        self._threads = ThreadPoolExecutor(QUERY_THREADS, thread_name_prefix="query")
        self._request_prefix = secrets.token_hex(4)
        self._request_numbers = itertools.count(1)

    @property
    def branch(self) -> str | None:
        """The branch that is served, None while that is not known yet."""
        return self._builder.branch

    def next_request_id(self) -> str:
        """An id that no other request of this process has."""
        return f"{self._request_prefix}-{next(self._request_numbers):x}"

    def request_ended(self) -> None:
        """Count a request that has its answer."""
        self.in_flight -= 1
        if self.stopping and self.in_flight <= 0:
            self.idle.set()

    def why_not_ready(self) -> str:
        """Why nothing is served yet, and what to do."""
        last = self.journal.last
        if last is None or last.error is None:
            return "the data is being loaded"
        return f"nothing can be served yet ({last.outcome}): {last.error}; tried again by itself"

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a large question off the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def read_attachment(self, oid: str) -> bytes:
        """An attached file's bytes, from git."""
        return await self.in_thread(self._builder.repository.attachment, oid)

    def close(self) -> None:
        """End the threads; for when no request is left."""
        self._threads.shutdown()
