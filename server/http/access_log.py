"""The access log: one line and one count for each request, at the cost of a few microseconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

# To Tornado any token is a method. Others than these have one name, so that method names cannot fill
# memory and logs.
METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")  # RFC 9110, RFC 5789
)
OTHER_METHOD: Final = "other"

clock = time.perf_counter

# Takes route, method, status and seconds.
Observe = Callable[[str, str, int, float], None]


class AccessLog:
    """Counts and logs requests; `log_line` takes an event whose values are plain texts and numbers."""

    def __init__(self, observe: Observe, log_line: Callable[[dict[str, Any]], None]) -> None:
        self._observe = observe
        self._log_line = log_line

    def count(self, route: str, method: str, status: int, begun: float) -> float:
        """Count a request that began at `begun` on `clock`; the seconds that it took."""
        seconds = clock() - begun
        self._observe(route, named(method), status, seconds)
        return seconds

    def write(
        self,
        route: str,
        method: str,
        path: str,
        status: int,
        seconds: float,
        request_id: str,
        more: dict[str, Any],
    ) -> None:
        """Log a request that has its answer."""
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
