"""What operators and their machines look at: liveness, readiness, metrics, status."""

from __future__ import annotations

import orjson

from reload.lane.branch import Branch
from server.auth.authenticator import Authenticator
from server.auth.handler import InternalHandler
from server.http.errors import ApiError
from server.http.exchange import HttpContext
from server.http.handler import Handler
from server.operations.advice import why_not_ready
from server.operations.metrics import Metrics
from server.operations.status import status_document


class ProbeHandler(Handler):
    """The base of probes, which pages of other origins may read as they may read data."""

    def set_default_headers(self) -> None:
        """Also say which origins may read."""
        super().set_default_headers()
        if self._exchange is not None:
            for name, value in self.context.origins.headers(self.request.headers.get("Origin")):
                self.set_header(name, value)


class HealthHandler(ProbeHandler):
    """`GET /healthz`"""

    route = "/healthz"

    def get(self) -> None:
        """The process lives; nothing else is looked at."""
        self.write_json(b'{"ok":true}')


class ReadyHandler(ProbeHandler):
    """`GET /readyz`"""

    route = "/readyz"

    def initialize(self, context: HttpContext, branch: Branch) -> None:  # type: ignore[override]
        """Take the branch that is served."""
        super().initialize(context)
        self.branch = branch

    def get(self) -> None:
        """Whether data is served, which, and whether it is fresh."""
        self.set_header("Cache-Control", "no-store")
        current = self.branch.snapshot
        if current is None:
            reason = why_not_ready(self.branch.journal)
            raise ApiError("not-ready", reason, ready=False, fresh=False, commit=None)
        if self.context.in_flight.stopping:
            raise ApiError("stopping", "the server finishes its requests and stops", ready=False)
        answer = {"ready": True, "fresh": self.branch.journal.fresh, "commit": current.commit}
        self.write_json(orjson.dumps(answer))


class MetricsHandler(Handler):
    """`GET /metrics`"""

    route = "/metrics"

    def initialize(self, context: HttpContext, metrics: Metrics) -> None:  # type: ignore[override]
        """Take the metrics."""
        super().initialize(context)
        self.metrics = metrics

    def get(self) -> None:
        """Every metric in Prometheus's text format."""
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(self.metrics.text())


class StatusHandler(InternalHandler):
    """`GET /api/_internal/status`"""

    route = "/api/_internal/status"

    def initialize(  # type: ignore[override]
        self, context: HttpContext, authenticator: Authenticator, branch: Branch
    ) -> None:
        """Take the branch that is served."""
        super().initialize(context, authenticator)
        self.branch = branch

    def get(self) -> None:
        """What is served, how fresh it is, what was refused and why."""
        document = status_document(self.branch)
        document["keys"] = self.authenticator.keys_document()
        self.write_json(orjson.dumps(document, option=orjson.OPT_UTC_Z))
