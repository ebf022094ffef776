"""What operators and their machines look at: liveness, readiness, metrics, status, and a page for people."""

from __future__ import annotations

from typing import Any

import orjson

from reload.errors import BuildFailed
from reload.lane.outcome import Outcome
from server.api.documents import outcome_document
from server.http.errors import ApiError
from server.http.guarded import GuardedHandler
from server.http.handler import Handler
from server.operations.status import status_document
from server.webhook.handler import reload_error


class HealthHandler(Handler):
    """`GET /healthz`"""

    route = "/healthz"

    def get(self) -> None:
        """The process lives; nothing else is looked at."""
        self.write_json(b'{"ok":true}')

    def head(self) -> None:
        """As GET."""
        self.get()


class ReadyHandler(Handler):
    """`GET /readyz`"""

    route = "/readyz"

    def get(self) -> None:
        """Whether data is served, which, and whether it is fresh."""
        self.set_header("Cache-Control", "no-store")
        current = self.application.snapshots.current
        if current is None:
            raise ApiError(
                "not-ready", self.application.why_not_ready(), ready=False, fresh=False, commit=None
            )
        if self.application.stopping:
            raise ApiError("stopping", "the server finishes its requests and stops", ready=False)
        answer = {"ready": True, "fresh": self.application.journal.fresh, "commit": current.commit}
        self.write_json(orjson.dumps(answer))

    def head(self) -> None:
        """As GET."""
        self.get()


class MetricsHandler(Handler):
    """`GET /metrics`"""

    route = "/metrics"

    def get(self) -> None:
        """Every metric in Prometheus's text format."""
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(self.application.metrics.text())

    def head(self) -> None:
        """As GET."""
        self.get()


class InternalHandler(GuardedHandler):
    """The base of routes that need the webhook's credential."""

    def prepare(self) -> Any:
        """The credential first."""
        super().prepare()
        self.application.authenticator.admit(self.request, self.request_id)
        self.set_header("Cache-Control", "no-store")

    def head(self, *arguments: str) -> Any:
        """As GET."""
        return self.get(*arguments)


class StatusHandler(InternalHandler):
    """`GET /api/_internal/status`"""

    route = "/api/_internal/status"

    def get(self) -> None:
        """What is served, how fresh it is, what was refused and why."""
        app = self.application
        document = status_document(app.branch, app.snapshots.current, app.journal, app.poller)
        document["keys"] = app.authenticator.keys_document()
        self.write_json(orjson.dumps(document, option=orjson.OPT_UTC_Z))


class ReloadHandler(InternalHandler):
    """`GET /api/_internal/reloads/{reloadId}`"""

    route = "/api/_internal/reloads/{reloadId}"

    def get(self, reload_id: str) -> None:
        """How one of the last reloads, or one that was accepted, ended; or that it runs."""
        accepted = self.application.accepted
        outcome = accepted.outcome(reload_id) if accepted.knows(reload_id) else self._find(reload_id)
        if outcome is None:
            document: dict[str, Any] = {"outcome": "running"}
        elif isinstance(outcome, BuildFailed):
            document = {
                "ok": False,
                "outcome": outcome.outcome,
                "code": outcome.outcome,
                "detail": str(outcome),
            }
        elif outcome.ok:
            document = outcome_document(outcome)
        else:
            error = reload_error(outcome)
            document = {"ok": False, "code": error.code, "detail": error.detail, **error.members}
        self.write_json(orjson.dumps(document | {"reloadId": reload_id}))

    def _find(self, reload_id: str) -> Outcome:
        for outcome in self.application.journal.history:
            if outcome.id == reload_id:
                return outcome
        raise ApiError("reload-not-found", "no such reload among the last ones")
