"""The account of every request: one log line and one count, at the cost of a few microseconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from server.operations.metrics import Metrics

# Any token is a method to Tornado; what is none of these goes by one name, so that nobody fills memory
# and logs with names.
METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")  # RFC 9110, RFC 5789
)
OTHER_METHOD: Final = "other"

clock = time.perf_counter


class AccessLog:
    """Counts and logs requests; `log_line` takes an event whose values are plain texts and numbers."""

    def __init__(self, metrics: Metrics, log_line: Callable[[dict[str, Any]], None]) -> None:
        self._metrics = metrics
        self._log_line = log_line

    def count(self, route: str, method: str, status: int, begun: float) -> float:
        """Count a request without a line in the log; the seconds that it took."""
        seconds = clock() - begun
        self._metrics.observe_request(route, named(method), status, seconds)
        return seconds

    def finished(
        self,
        route: str,
        method: str,
        path: str,
        status: int,
        begun: float,
        request_id: str,
        more: dict[str, Any],
    ) -> None:
        """Account for a request that began at `begun` on `clock` and has its answer."""
        seconds = self.count(route, method, status, begun)
        self._log_line(
            {
                "event": "request.finished",
                "request_id": request_id,
                "method": named(method),
                "path": path,
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 3),
                **more,
            }
        )


def named(method: str) -> str:
    """The name that a request's method is counted and logged by."""
    return method if method in METHODS else OTHER_METHOD
