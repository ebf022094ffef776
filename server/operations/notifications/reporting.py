"""Where notifications go, by the settings: a URL, Sentry, both, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from reload.lane.journal import Journal
from reload.lane.outcome import Outcome
from server.operations.logs.redaction import Redactor
from server.operations.notifications.notify import Notifier
from server.operations.notifications.sender import Report, Sender
from server.operations.notifications.sentry import Sentry
from server.settings.settings import Settings

log = structlog.get_logger()


class Reporting:
    """Tells people of refused commits, recovery and staleness, from `start` until `close`.

    `count` is called with the type and result of each report.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        branch: Callable[[], str | None],
        count: Callable[[str, str], None],
    ) -> None:
        redact = Redactor(settings.secrets).redact
        self._sender: Sender | None = None
        sinks: list[Callable[[Report], None]] = []
        if settings.notify_url is not None:
            self._sender = Sender(settings.notify_url, settings.notify_secret, redact, count)
            sinks.append(self._sender.send)
        self._sentry = _sentry(settings.sentry_dsn, redact) if settings.sentry_dsn else None
        if self._sentry is not None:
            sinks.append(self._sentry.send)
        self._notifier = Notifier(journal, branch, sinks) if sinks else None

    def start(self) -> None:
        """Watch for staleness from now on."""
        if self._notifier is not None:
            self._notifier.start()

    def observe(self, outcome: Outcome) -> None:
        """Look at a reload that has ended."""
        if self._notifier is not None:
            self._notifier.observe(outcome)

    async def close(self) -> None:
        """Send what can be sent at once, and tell no more."""
        if self._notifier is not None:
            self._notifier.stop()
        if self._sender is not None:
            await self._sender.close()
        if self._sentry is not None:
            await asyncio.to_thread(self._sentry.close)


def _sentry(dsn: str, redact: Callable[[str], str]) -> Sentry | None:
    try:
        return Sentry(dsn, redact)
    except ImportError:
        log.warning("sentry.missing", reason="SENTRY_DSN is set; install sentry-sdk, or unset it")
    except ValueError as error:  # its words name what is wrong without the DSN
        log.warning("sentry.refused", reason=str(error))
    return None
