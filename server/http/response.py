"""What goes back to a reader: the response, and the headers that every read has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tornado.httputil import HTTPHeaders

JSON = "application/json"
JSON_TYPE = f"{JSON}; charset=utf-8"
METHODS = ("GET", "HEAD", "OPTIONS")
_EXPOSED = "ETag, Link, X-Data-Commit, X-Request-Id"

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Response:
    """What goes back to the client."""

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE
    headers: Headers = field(default_factory=list)


class ReadHeaders(HTTPHeaders):
    """Headers of which the first, those that every read has, are written as they stand."""

    def __init__(self, standing: Sequence[tuple[str, str]], others: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        self._standing = standing
        self._others = others

    def get_all(self) -> Iterable[tuple[str, str]]:
        """Every header; what Tornado itself sets comes last."""
        yield from self._standing
        yield from self._others
        yield from super().get_all()


def preflight() -> Response:
    """What a browser asks before it reads from another origin."""
    headers = [
        ("Access-Control-Allow-Methods", ", ".join(METHODS)),
        ("Access-Control-Allow-Headers", "If-None-Match, If-Range, Range, X-Request-Id"),
        ("Access-Control-Max-Age", "86400"),
    ]
    return Response(b"", 204, headers=headers)


def common_headers(origins: frozenset[str], origin: str | None) -> Headers:
    """The headers of every read for a browser at `origin`."""
    headers = [("X-Content-Type-Options", "nosniff"), ("Access-Control-Expose-Headers", _EXPOSED)]
    if "*" in origins:
        headers.append(("Access-Control-Allow-Origin", "*"))
    elif origins:
        headers.append(("Vary", "Origin"))
        if origin in origins:
            headers.append(("Access-Control-Allow-Origin", str(origin)))
    return headers
