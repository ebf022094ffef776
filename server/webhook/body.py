"""A request's body as it arrives, piece by piece; only what will be read is kept."""

from __future__ import annotations

import hashlib

from server.auth.authenticator import Caller
from server.http.errors import ApiError
from server.http.limits import UnprovenBytes

BUSY_RETRY_AFTER_S = 5


class Body:
    """Takes at most `bytes_max` and keeps at most `kept_max` of them; `whole` tells whether all are kept.

    What is kept counts against `room` until `close`, so that many callers together cannot take more.
    """

    def __init__(self, caller: Caller, bytes_max: int, kept_max: int, room: UnprovenBytes) -> None:
        self._caller = caller
        self._bytes_max = bytes_max
        self._kept_max = kept_max
        self._room = room
        self._kept = bytearray()
        self._digest = hashlib.sha256()
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        """Take a piece; raises ApiError where it is one too many."""
        self.size += len(chunk)
        if self.size > self._bytes_max:
            raise too_large(self._bytes_max)
        self._caller.feed(chunk)
        self._digest.update(chunk)
        part = chunk[: self._kept_max - len(self._kept)]
        if part and not self._room.take(self._caller.peer, len(part)):
            detail = "too many bodies are on their way to this server; send this one again in a moment"
            raise ApiError("overloaded", detail, {"Retry-After": str(BUSY_RETRY_AFTER_S)})
        self._kept += part

    @property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return self.size == len(self._kept)

    @property
    def content(self) -> bytes:
        """What was kept."""
        return bytes(self._kept)

    @property
    def digest(self) -> bytes:
        """The SHA-256 of all that came."""
        return self._digest.digest()

    def close(self) -> None:
        """Let go of what was kept; harmless when called again."""
        self._room.give_back(self._caller.peer, len(self._kept))
        self._kept = bytearray()


def too_large(bytes_max: int) -> ApiError:
    """The answer to a body of more than `bytes_max` bytes."""
    return ApiError("payload-too-large", f"the body may have {bytes_max} bytes at most")
