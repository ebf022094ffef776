"""How a reload ended, for who asks by its id."""

from __future__ import annotations

from typing import Any

import orjson

from reload.errors import BuildFailed
from reload.lane.outcome import Outcome
from server.auth.handler import InternalHandler
from server.http.errors import ApiError
from server.http.exchange import HttpContext
from server.webhook.outcome_documents import outcome_document, reload_error
from server.webhook.webhook import Webhook


class ReloadHandler(InternalHandler):
    """`GET /api/_internal/reloads/{reloadId}`"""

    route = "/api/_internal/reloads/{reloadId}"

    def initialize(self, context: HttpContext, webhook: Webhook) -> None:  # type: ignore[override]
        """Take what was accepted."""
        super().initialize(context, webhook.authenticator)
        self.webhook = webhook

    def get(self, reload_id: str) -> None:
        """How one of the last reloads, or one that was accepted, ended; or that it runs."""
        accepted = self.webhook.accepted
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
        for outcome in self.webhook.branch.journal.history:
            if outcome.id == reload_id:
                return outcome
        raise ApiError("reload-not-found", "no such reload among the last ones")
