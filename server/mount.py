"""Livesheets' routes for another Tornado application: below any prefix, beside its own routes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry

from reload.lane.branch import Branch
from server.api.read_api import ReadApi
from server.application import READS, Routes, Rule
from server.auth.attempts import Attempts
from server.auth.authenticator import Authenticator
from server.auth.keyring import SHARED, Key, Keyring
from server.auth.metrics import CallerMetrics
from server.http.access_log import AccessLog
from server.http.cors import Origins
from server.http.exchange import HttpContext
from server.http.host import AllowedHosts
from server.http.metrics import ConnectionMetrics
from server.http.peers import Peers
from server.http.refusals import Refusals
from server.http.slow_clients import SlowClients
from server.operations.advice import why_not_ready
from server.settings.secret import Secret

FAILED_ATTEMPTS_MAX = 100

log = logging.getLogger("livesheets.access")


def routes(
    branch: Branch, prefix: str = "", *, secret: str | None = None, origins: Iterable[str] = ("*",)
) -> list[Rule]:
    """Rules for a `tornado.web.Application`, to be made while an event loop runs.

    They answer reads below `{prefix}/api`, and `{prefix}/healthz` and `{prefix}/readyz`. With a `secret` of
    at least 32 characters they also answer the webhook, the status and the outcomes of reloads below
    `{prefix}/api/_internal`. Pages of `origins` may read. Requests are logged to `livesheets.access`.
    Raises ValueError for a secret that is too short.
    """
    registry, later = CollectorRegistry(), asyncio.get_running_loop().call_later
    peers = Peers()
    context = HttpContext(
        access_log=AccessLog(lambda *_: None, _log_line),
        hosts=AllowedHosts(()),
        origins=Origins(origins),
        peers=peers,
        slow_clients=SlowClients(later, ConnectionMetrics(registry)),
    )
    api = ReadApi(branch, lambda: why_not_ready(branch.journal), prefix)
    made = Routes(branch, context, api)
    rules = [*made.probes()]
    if secret is not None:
        metrics = CallerMetrics(registry)
        keys = Keyring(
            [Key(SHARED, "secret", Secret(secret.encode()))],
            metrics.credential_used,
            lambda: datetime.now(UTC),
        )
        attempts = Attempts(FAILED_ATTEMPTS_MAX, asyncio.get_running_loop().time)
        rules += made.internal(Authenticator(keys, peers, attempts, Refusals(later), metrics, time.time))
    return [*rules, (rf"{prefix}{READS}(?:/.*)?", made.reads, {})]


def _log_line(event: dict[str, Any]) -> None:
    log.info("%(method)s %(path)s %(status)s %(ms)s ms", event)
