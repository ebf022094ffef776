"""Limits per peer: open connections, and bytes of bodies whose senders have proven nothing yet."""

from __future__ import annotations

import resource
from typing import Final

UNPROVEN_BYTES_MAX: Final = 32 << 20
UNPROVEN_SHARE: Final = 4
DESCRIPTORS_MAX: Final = 65_536
# For git, builds, state files and logs.
DESCRIPTORS_RESERVED: Final = 192


class Connections:
    """Open connections: at most `peer_max` of one peer, `total_max` together. Zero: no limit."""

    def __init__(self, peer_max: int, total_max: int = 0) -> None:
        self._peer_max = peer_max
        self._total_max = total_max
        self._by_peer: dict[str, int] = {}
        self.open = 0

    def admit(self, peer: str, *, trusted: bool = False) -> bool:
        """Count a new connection, unless it is one too many; a `trusted` peer counts only in total."""
        of_peer = self._by_peer.get(peer, 0)
        if self._total_max and self.open >= self._total_max:
            return False
        if self._peer_max and not trusted and of_peer >= self._peer_max:
            return False
        self._by_peer[peer] = of_peer + 1
        self.open += 1
        return True

    def release(self, peer: str) -> None:
        """An admitted connection has ended."""
        self.open -= 1
        left = self._by_peer[peer] - 1
        if left:
            self._by_peer[peer] = left
        else:
            del self._by_peer[peer]


class UnprovenBytes:
    """How much of bodies is held whose senders have proven nothing yet, by peer and together."""

    def __init__(self, bytes_max: int = UNPROVEN_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._by_peer: dict[str, int] = {}
        self.held = 0

    def take(self, peer: str, count: int) -> bool:
        """Hold `count` more bytes, unless that is too much; one peer has a quarter of the room at most."""
        of_peer = self._by_peer.get(peer, 0) + count
        if of_peer * UNPROVEN_SHARE > self._bytes_max or self.held + count > self._bytes_max:
            return False
        self._by_peer[peer] = of_peer
        self.held += count
        return True

    def give_back(self, peer: str, count: int) -> None:
        """Hold `count` bytes less."""
        if not count:
            return
        self.held -= count
        left = self._by_peer[peer] - count
        if left:
            self._by_peer[peer] = left
        else:
            del self._by_peer[peer]


def connections_for_this_process() -> int:
    """Raise the limit of open files as far as is allowed, and return how many may be connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = DESCRIPTORS_MAX if soft == resource.RLIM_INFINITY else soft
    return max(files - DESCRIPTORS_RESERVED, files // 2)
