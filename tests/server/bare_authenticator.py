"""An authenticator without a server, for tests of which requests it accepts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tornado.httputil import HTTPHeaders

from server.auth.attempts import Attempts
from server.auth.authenticator import Authenticator, Caller
from server.auth.keyring import Keyring, keys_of
from server.auth.metrics import CallerMetrics
from server.http.errors import ApiError
from server.http.peers import Peers
from server.http.refusals import Refusals
from server.settings.settings import read_settings
from tests.server.http.test_refusals import Later
from tests.server.payloads import PREVIOUS, SECRET, SECRETS, senders
from tests.server.webhook.test_deliveries import Clock

NOW = 1_700_000_000
SENDERS = senders(lambda: NOW)
SHARED = {"CFP_DATA_RELOAD_SECRET": SECRET, "CFP_DATA_RELOAD_SECRET_PREVIOUS": PREVIOUS}


@dataclass
class Request:
    """What the authenticator reads of a request."""

    headers: HTTPHeaders
    query: str = ""
    path: str = "/api/_internal/reload-data"
    remote_ip: str = "192.0.2.1"
    method: str = "POST"


@dataclass
class BareAuthenticator:
    """An authenticator with its clocks and metrics."""

    authenticator: Authenticator
    clock: Clock
    wall_clock: Clock = field(default_factory=Clock)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def receive(self, *headers: tuple[str, str], body: bytes = b"", **request: Any) -> Caller:
        """The caller, once the body is whole."""
        given = HTTPHeaders()
        for name, value in headers:
            given.add(name, value.strip(" "))  # as it is read from the wire
        caller = self.authenticator.receive(Request(given, **request), "request-1")  # type: ignore[arg-type]
        caller.feed(body)
        if caller.unproven:
            self.authenticator.confirm(caller)
        return caller

    def refusal(self, *headers: tuple[str, str], **request: Any) -> ApiError:
        """The error that refuses a caller."""
        with pytest.raises(ApiError) as caught:
            self.receive(*headers, **request)
        return caught.value

    def refused(self, reason: str, status: int = 401) -> float:
        """How many were refused for a reason."""
        labels = {"reason": reason, "status": str(status)}
        return self.registry.get_sample_value("livesheets_attempts_refused_total", labels) or 0.0


def bare_authenticator(
    environment: dict[str, str] = SHARED | SECRETS, attempts_max: int = 0
) -> BareAuthenticator:
    """An authenticator with these settings, which allows a peer `attempts_max` failures; 0 is no limit."""
    registry, clock, wall_clock = CollectorRegistry(), Clock(), Clock()
    wall_clock.now = NOW
    metrics = CallerMetrics(registry)
    keys = Keyring(keys_of(read_settings(environment)), metrics.credential_used, lambda: datetime.now(UTC))
    attempts = Attempts(attempts_max, clock)
    authenticator = Authenticator(keys, Peers(), attempts, Refusals(Later()), metrics, wall_clock)
    return BareAuthenticator(authenticator, clock, wall_clock, registry)


def bearer(token: str = SECRET, scheme: str = "Bearer") -> tuple[str, str]:
    """The header of a bearer token."""
    return ("Authorization", f"{scheme} {token}")


def key(token: str = SECRET) -> tuple[str, str]:
    """The header of a key."""
    return ("X-CFP-Webhook-Key", token)
