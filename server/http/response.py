"""What goes back to a client: status, headers and body."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tornado.httputil import HTTPHeaders

JSON = "application/json"
JSON_TYPE = f"{JSON}; charset=utf-8"
METHODS = ("GET", "HEAD", "OPTIONS")

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
