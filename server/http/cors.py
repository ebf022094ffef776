"""Which pages of other origins may read: the headers that browsers ask for."""

from __future__ import annotations

from collections.abc import Iterable

from server.http.response import METHODS, Headers, Response

_EXPOSED = "ETag, Link, X-Data-Commit, X-Request-Id"


class Origins:
    """The origins that may read; `*` stands for all."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(allowed)
        self._usual = self._headers(None)

    def headers(self, origin: str | None) -> Headers:
        """The headers of every read, for a browser at `origin`."""
        if origin is None or "*" in self._allowed:
            return self._usual
        return self._headers(origin)

    def _headers(self, origin: str | None) -> Headers:
        headers = [("X-Content-Type-Options", "nosniff"), ("Access-Control-Expose-Headers", _EXPOSED)]
        if "*" in self._allowed:
            headers.append(("Access-Control-Allow-Origin", "*"))
        elif self._allowed:
            headers.append(("Vary", "Origin"))
            if origin in self._allowed:
                headers.append(("Access-Control-Allow-Origin", str(origin)))
        return headers


def preflight() -> Response:
    """What a browser asks before it reads from another origin."""
    headers = [
        ("Access-Control-Allow-Methods", ", ".join(METHODS)),
        ("Access-Control-Allow-Headers", "Content-Type, If-None-Match, If-Range, Range, X-Request-Id"),
        ("Access-Control-Max-Age", "86400"),
    ]
    return Response(b"", 204, headers=headers)
