"""What is measured of connections: how many are open, refused and closed, and what clients have not taken."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class ConnectionMetrics:
    """Metrics of connections, in the server's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._connections = Gauge("livesheets_connections", "Connections that are open.", registry=registry)
        self._refused = Counter(
            "livesheets_connections_refused", "Connections closed at once because there were too many.",
            registry=registry,
        )  # fmt: skip
        self._cut = Counter(
            "livesheets_connections_cut", "Connections closed because their clients did not take an answer.",
            registry=registry,
        )  # fmt: skip
        self._unsent = Gauge(
            "livesheets_unsent_bytes", "Bytes of answers that clients have not taken yet.", registry=registry
        )

    def connections_open(self, count: int) -> None:
        """Show how many connections are open."""
        self._connections.set(count)

    def connection_refused(self) -> None:
        """Count a connection that was closed at once."""
        self._refused.inc()

    def connection_cut(self) -> None:
        """Count a connection that was closed because its client did not take an answer."""
        self._cut.inc()

    def unsent_bytes(self, count: int) -> None:
        """Show how many bytes of answers wait for their clients."""
        self._unsent.set(count)


class QuestionMetrics:
    """Metrics of long questions, in the server's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._running = Gauge(
            "livesheets_questions_running", "Long questions that are being answered.", registry=registry
        )
        self._waiting = Gauge(
            "livesheets_questions_waiting", "Long questions that wait for their turn.", registry=registry
        )
        self._refused = Counter(
            "livesheets_questions_refused", "Long questions that were not begun, by reason.",
            ("reason",), registry=registry,
        )  # fmt: skip
        for reason in ("too-many", "waited-too-long"):
            self._refused.labels(reason)

    def watch(self, running: Callable[[], float], waiting: Callable[[], float]) -> None:
        """Show how many questions run and wait whenever the metrics are asked for."""
        self._running.set_function(running)
        self._waiting.set_function(waiting)

    def question_refused(self, reason: str) -> None:
        """Count a question that was not begun."""
        self._refused.labels(reason).inc()
