"""Sentry, where its package is installed and SENTRY_DSN is set: refused commits and staleness as messages.

Nothing else is sent: no requests, no log lines, no local variables, no stack traces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from server.operations.notifications.notify import RECOVERED
from server.operations.notifications.sender import Report

FLUSH_TIMEOUT_S: Final = 2.0


class Sentry:
    """A sink of reports; raises ImportError where the package `sentry_sdk` is missing."""

    def __init__(self, dsn: str, redact: Callable[[str], str]) -> None:
        import sentry_sdk

        self._sdk: Any = sentry_sdk
        self._redact = redact
        sentry_sdk.init(
            dsn=dsn,
            default_integrations=False,
            auto_enabling_integrations=False,
            send_default_pii=False,
            include_local_variables=False,
            max_breadcrumbs=0,
            server_name="livesheets",
        )

    def send(self, report: Report) -> None:
        """Capture what went wrong; recoveries are no messages to Sentry."""
        if report.type == RECOVERED:
            return
        with self._sdk.new_scope() as scope:
            scope.fingerprint = [report.type, str(report.data.get("outcome"))]
            scope.set_tag("outcome", report.data.get("outcome"))
            scope.set_tag("branch", report.data.get("branch"))
            self._sdk.capture_message(self._redact(report.text), level="error", scope=scope)

    def close(self) -> None:
        """Send what waits, for FLUSH_TIMEOUT_S at most."""
        self._sdk.flush(timeout=FLUSH_TIMEOUT_S)
