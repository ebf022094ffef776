"""Failed attempts by peer: after too many of them a peer has to wait."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

ATTEMPTS_WINDOW_S: Final = 60.0
PEERS_MAX: Final = 10_000


class Attempts:
    """Failed attempts by peer: after `attempts_max` of them within a minute, a peer is told to wait.

    Knows the `peers_max` peers that failed last. `clock` gives monotonic seconds. Zero: no limit.
    """

    def __init__(self, attempts_max: int, clock: Callable[[], float], *, peers_max: int = PEERS_MAX) -> None:
        self._attempts_max = attempts_max
        self._clock = clock
        self._peers_max = peers_max
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def failed(self, peer: str) -> float:
        """Count a failed attempt; the seconds to wait where there were too many, otherwise 0."""
        if not self._attempts_max:
            return 0.0
        count, since = self._current(peer)
        self._failures[peer] = (count + 1, since)
        self._failures.move_to_end(peer)
        while len(self._failures) > self._peers_max:
            self._failures.popitem(last=False)
        return self._wait_s(count, since)

    def wait_s(self, peer: str) -> float:
        """The seconds for which a peer has to wait, 0 for nearly all."""
        if peer not in self._failures or not self._attempts_max:
            return 0.0
        return self._wait_s(*self._current(peer))

    def __len__(self) -> int:
        return len(self._failures)

    def _current(self, peer: str) -> tuple[int, float]:
        now = self._clock()
        count, since = self._failures.get(peer, (0, now))
        return (count, since) if now - since < ATTEMPTS_WINDOW_S else (0, now)

    def _wait_s(self, count: int, since: float) -> float:
        if count < self._attempts_max:
            return 0.0
        return max(1.0, ATTEMPTS_WINDOW_S - (self._clock() - since))
