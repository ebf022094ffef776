"""The base of routes that need the webhook's credential."""

from __future__ import annotations

from typing import Any

from server.auth.authenticator import Authenticator
from server.http.exchange import HttpContext
from server.http.handler import Handler


class InternalHandler(Handler):
    """Admits callers who give the shared secret."""

    def initialize(self, context: HttpContext, authenticator: Authenticator) -> None:  # type: ignore[override]
        """Take what admits callers."""
        super().initialize(context)
        self.authenticator = authenticator

    def prepare(self) -> Any:
        """The credential first."""
        self.authenticator.admit(self.request, self.exchange.request_id)
        self.set_header("Cache-Control", "no-store")
