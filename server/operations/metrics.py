"""The metrics: one registry for the process, with Prometheus names."""

from __future__ import annotations

import asyncio
import itertools

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from tornado.ioloop import PeriodicCallback

from reload.lane.outcome import OUTCOMES, Outcome, Trigger

LAG_INTERVAL_MS = 500
_REQUEST_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
_PHASE_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Every metric of the server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._reloads = Counter(
            "livesheets_reloads", "Reloads by what asked for them and how they ended.",
            ("trigger", "outcome"),
            registry=self.registry,
        )  # fmt: skip
        # A counter that begins with its first event hides that event from `increase`.
        for trigger, outcome in itertools.product(Trigger, OUTCOMES):
            self._reloads.labels(trigger.value, outcome)
        self._phases = Histogram(
            "livesheets_reload_phase_seconds", "How long each phase of a reload took.", ("phase",),
            buckets=_PHASE_BUCKETS_S, registry=self.registry,
        )  # fmt: skip
        self._requests = Counter(
            "livesheets_http_requests", "HTTP requests by route, method and status.",
            ("route", "method", "status"), registry=self.registry,
        )  # fmt: skip
        self._durations = Histogram(
            "livesheets_http_request_seconds", "How long requests took, by route.", ("route",),
            buckets=_REQUEST_BUCKETS_S, registry=self.registry,
        )  # fmt: skip
        self._notifications = Counter(
            "livesheets_notifications", "Notifications by type and result.",
            ("type", "result"), registry=self.registry,
        )  # fmt: skip
        self._lag = Gauge(
            "livesheets_event_loop_lag_seconds", "How late the event loop was when last looked at.",
            registry=self.registry,
        )  # fmt: skip
        # Finding a metric by its labels costs more than adding to it, so those found are kept.
        self._request_counters: dict[tuple[str, str, int], Counter] = {}
        self._request_durations: dict[str, Histogram] = {}

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        key = (route, method, status)
        counter = self._request_counters.get(key)
        if counter is None:
            counter = self._request_counters[key] = self._requests.labels(route, method, str(status))
            self._request_durations.setdefault(route, self._durations.labels(route))
        counter.inc()
        self._request_durations[route].observe(seconds)

    def observe_reload(self, outcome: Outcome) -> None:
        """Count one reload and its phases."""
        self._reloads.labels(outcome.trigger.value, outcome.outcome).inc()
        for phase, milliseconds in outcome.phases_ms.items():
            self._phases.labels(phase).observe(milliseconds / 1000)

    def observe_notification(self, kind: str, result: str) -> None:
        """Count one report to people: sent, failed or dropped."""
        self._notifications.labels(kind, result).inc()

    def watch_lag(self) -> PeriodicCallback:
        """Look at the event loop's lag twice a second; the caller stops it."""
        loop = asyncio.get_running_loop()
        expected = loop.time() + LAG_INTERVAL_MS / 1000

        def look() -> None:
            nonlocal expected
            now = loop.time()
            self._lag.set(max(0.0, now - expected))
            expected = now + LAG_INTERVAL_MS / 1000

        callback = PeriodicCallback(look, LAG_INTERVAL_MS)
        callback.start()
        return callback

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)
