"""The log of what was refused: one line at once, then at most one a second, with a count."""

from __future__ import annotations

from collections import Counter
from typing import Final

import structlog

from server.http.slow_clients import Later

INTERVAL_S: Final = 1.0
PEERS_SHOWN_MAX: Final = 5

log = structlog.get_logger()


class Refusals:
    """Gathers refused attempts with credentials; `later` is an event loop's `call_later`."""

    event = "attempt.refused"

    def __init__(self, later: Later) -> None:
        self._later = later
        self._waiting = False
        self._reasons: Counter[str] = Counter()
        self._peers: dict[str, None] = {}

    def note(self, peer: str, reason: str, **values: object) -> None:
        """Log a refusal, now with its values, or later with the others of this second."""
        if self._waiting:
            self._reasons[reason] += 1
            if len(self._peers) <= PEERS_SHOWN_MAX:
                self._peers[peer] = None
            return
        log.warning(self.event, count=1, peer=peer, reason=reason, **values)
        self._wait()

    def flush(self) -> bool:
        """Log what was gathered; whether there was anything."""
        count = self._reasons.total()
        if not count:
            return False
        peers = list(self._peers)
        log.warning(
            self.event,
            count=count,
            reasons=dict(self._reasons),
            peers=peers[:PEERS_SHOWN_MAX],
            more_peers=len(peers) > PEERS_SHOWN_MAX,
        )
        self._reasons.clear()
        self._peers.clear()
        return True

    def _wait(self) -> None:
        self._waiting = True
        self._later(INTERVAL_S, self._ended)

    def _ended(self) -> None:
        self._waiting = False
        if self.flush():
            self._wait()


class QuestionRefusals(Refusals):
    """Gathers long questions that were not begun."""

    event = "question.refused"
