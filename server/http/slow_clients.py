"""Answers that clients have not received yet: bounded in bytes and in time.

What a client does not read lies in this process's memory. Of most answers the system takes all at once;
only the others are watched. New answers are always sent: the connection that waits longest is closed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from server.http.metrics import ConnectionMetrics

UNSENT_BYTES_MAX: Final = 256 << 20
UNSENT_SHARE: Final = 4
# A client has this long for any answer, and longer for a long one.
SEND_S: Final = 30.0
SEND_BYTES_PER_S: Final = 16 << 10

# Calls back after so many seconds, as an event loop's `call_later` does.
Later = Callable[[float, Callable[[], None]], Any]


class Stream(Protocol):
    """A connection's stream."""

    def writing(self) -> bool:
        """Whether there is something that the system has not taken."""
        ...

    def close(self) -> Any:
        """End the connection."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    stream: Stream
    peer: str
    size: int
    timer: Any


class SlowClients:
    """Holds at most `bytes_max` bytes of answers that are waited for, a quarter of it for one peer.

    A connection beyond that, or beyond its time, is closed: the one that waits longest goes first.
    `later(seconds, function)` calls back, as an event loop's `call_later`.
    """

    def __init__(self, later: Later, metrics: ConnectionMetrics, bytes_max: int = UNSENT_BYTES_MAX) -> None:
        self._later = later
        self._metrics = metrics
        self._bytes_max = bytes_max
        self._waiting: OrderedDict[asyncio.Future[Any], _Waiting] = OrderedDict()
        self._by_peer: dict[str, int] = {}
        self.held = 0

    def watch(self, stream: Stream, sent: asyncio.Future[Any], peer: Callable[[], str], size: int) -> None:
        """An answer of `size` bytes was written to a stream; `sent` is done when all of it has gone."""
        if not size or not stream.writing():
            return
        name, patience_s = peer(), SEND_S + size / SEND_BYTES_PER_S
        timer = self._later(patience_s, lambda: self._cut(sent))
        self._waiting[sent] = _Waiting(stream, name, size, timer)
        self._count(name, size)
        sent.add_done_callback(self._forget)
        self._make_room(name)

    def _make_room(self, peer: str) -> None:
        while self._by_peer.get(peer, 0) * UNSENT_SHARE > self._bytes_max:
            mine = [sent for sent, each in self._waiting.items() if each.peer == peer]
            if len(mine) == 1:  # one answer is never too much
                break
            self._cut(mine[0])
        while self.held > self._bytes_max and len(self._waiting) > 1:
            self._cut(next(iter(self._waiting)))

    def _cut(self, sent: asyncio.Future[Any]) -> None:
        waiting = self._waiting.get(sent)
        if waiting is not None:
            self._forget(sent)
            self._metrics.connection_cut()
            waiting.stream.close()

    def _forget(self, sent: asyncio.Future[Any]) -> None:
        waiting = self._waiting.pop(sent, None)
        if waiting is not None:
            waiting.timer.cancel()
            self._count(waiting.peer, -waiting.size)

    def _count(self, peer: str, size: int) -> None:
        self.held += size
        self._metrics.unsent_bytes(self.held)
        left = self._by_peer.get(peer, 0) + size
        if left:
            self._by_peer[peer] = left
        else:
            del self._by_peer[peer]
