"""Ports for what must be told its port before it starts, and for what must find nobody."""

from __future__ import annotations

import random
import socket

# Below what systems give to connections and to those who ask for any port: nobody gets it by chance
# between this look and its use, not even the connection that asks whether somebody listens there yet.
_RANGE = range(12_000, 30_000)
# Not the seeded one of the tests, with which every test would be given the same port.
_RANDOM = random.SystemRandom()


def free_port() -> int:
    """A port of 127.0.0.1 at which nobody listens."""
    while True:
        port = _RANDOM.choice(_RANGE)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
