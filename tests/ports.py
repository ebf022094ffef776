"""Ports for what must be told its port before it starts, and for what must find nobody."""

from __future__ import annotations

import random
import socket
from pathlib import Path

# What Linux gives to connections and to those who ask for any port: "from<TAB>to".
_GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")
_RANGE = range(12_000, 65_000)
# Not the seeded one of the tests, with which every test would be given the same port.
_RANDOM = random.SystemRandom()


def free_port() -> int:
    """A port of 127.0.0.1 at which nobody listens.

    The system gives it to nobody by chance between this look and its use, not even to the connection
    that asks whether somebody listens there yet.
    """
    first, last = map(int, _GIVEN.read_text().split()) if _GIVEN.exists() else (30_000, 65_535)
    ports = [port for port in _RANGE if not first <= port <= last] or _RANGE
    while True:
        port = _RANDOM.choice(ports)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
