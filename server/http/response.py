"""What goes back to a client: status, headers and body."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tornado.httputil import HTTPHeaders

JSON = "application/json"
JSON_TYPE = f"{JSON}; charset=utf-8"
METHODS = ("GET", "HEAD", "OPTIONS")

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Part:
    """`length` bytes from `first` on of an open file; closed by who sends it."""

    descriptor: int
    first: int
    length: int

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


@dataclass(slots=True)
class Response:
    """What goes back to the client: a body, or a part of a file in its place."""

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE
    headers: Headers = field(default_factory=list)
    part: Part | None = None
    announced: int | None = None  # the length of a body that is not here, for HEAD

    @property
    def length(self) -> int:
        """The number of bytes that follow the headers of a GET."""
        if self.announced is not None:
            return self.announced
        return len(self.body) if self.part is None else self.part.length


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
