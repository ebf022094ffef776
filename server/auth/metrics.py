"""What is measured of callers: right credentials, refused attempts, deliveries of forges."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class CallerMetrics:
    """Metrics of callers with credentials, in the server's registry."""

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

    def credential_used(self, scheme: str, key: str) -> None:
        """Count a right credential."""
        self._credentials.labels(scheme, key).inc()

    def attempt_refused(self, reason: str, status: int) -> None:
        """Count a refused attempt."""
        self._refused.labels(reason, str(status)).inc()

    def delivery(self, forge: str, outcome: str) -> None:
        """Count a delivery of a forge: accepted, ignored or duplicate."""
        self._deliveries.labels(forge, outcome).inc()
