"""What is measured at the door: credentials, refusals, deliveries, connections."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class DoorMetrics:
    """The metrics of the door, in the server's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._credentials = Counter(
            "livesheets_credentials_used", "Credentials that were right, by scheme and key id.",
            ("scheme", "key"), registry=registry,
        )  # fmt: skip
        self._refused = Counter(
            "livesheets_attempts_refused", "Attempts without a right credential, by reason and status.",
            ("reason", "status"), registry=registry,
        )  # fmt: skip
        self._deliveries = Counter(
            "livesheets_deliveries", "Deliveries of forges, by forge and what was done.",
            ("forge", "outcome"), registry=registry,
        )  # fmt: skip
        self._connections = Gauge("livesheets_connections", "Connections that are open.", registry=registry)
        self._connections_refused = Counter(
            "livesheets_connections_refused", "Connections closed at once because there were too many.",
            registry=registry,
        )  # fmt: skip

        self._connections_cut = Counter(
            "livesheets_connections_cut", "Connections closed because their clients did not take an answer.",
            registry=registry,
        )  # fmt: skip
        self._slow_clients = Gauge(
            "livesheets_unsent_bytes", "Bytes of answers that clients have not taken yet.", registry=registry
        )

    def credential_used(self, scheme: str, key: str) -> None:
        """Count a right credential."""
        self._credentials.labels(scheme, key).inc()

    def attempt_refused(self, reason: str, status: int) -> None:
        """Count a refused attempt."""
        self._refused.labels(reason, str(status)).inc()

    def delivery(self, forge: str, outcome: str) -> None:
        """Count a delivery of a forge: accepted, ignored or duplicate."""
        self._deliveries.labels(forge, outcome).inc()

    def connections_open(self, count: int) -> None:
        """Show how many connections are open."""
        self._connections.set(count)

    def connection_refused(self) -> None:
        """Count a connection that was closed at once."""
        self._connections_refused.inc()

    def connection_cut(self) -> None:
        """Count a connection that was closed because its client did not take an answer."""
        self._connections_cut.inc()

    def unsent_bytes(self, count: int) -> None:
        """Show how many bytes of answers wait for their clients."""
        self._slow_clients.set(count)
