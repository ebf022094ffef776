"""The base of what only callers with a credential may use."""

from __future__ import annotations

from typing import Any

from server.auth.authenticator import Refused
from server.http.handler import Handler


class GuardedHandler(Handler):
    """Leaves attempts that the door refused out of the request log: the door logs them, many at once."""

    refused = False

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """As ever, noting whether the door refused the caller."""
        self.refused = isinstance(kwargs.get("exc_info", (None, None, None))[1], Refused)
        super().write_error(status_code, **kwargs)

    def on_finish(self) -> None:
        """Account for the request."""
        if not self.refused:
            super().on_finish()
            return
        self.application.access_log.count(
            self.route, self.request.method or "", self.get_status(), self.begun
        )
        self.application.request_ended()
