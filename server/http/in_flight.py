"""The requests that have no answer yet: a server that stops waits for them."""

from __future__ import annotations

import asyncio


class InFlight:
    """Counts requests and accepted reloads; `idle` is set when the server stops and none is left."""

    def __init__(self) -> None:
        self.count = 0
        self.stopping = False
        self.idle = asyncio.Event()

    def began(self) -> None:
        """One more."""
        self.count += 1

    def ended(self) -> None:
        """One less."""
        self.count -= 1
        if self.stopping and self.count <= 0:
            self.idle.set()
