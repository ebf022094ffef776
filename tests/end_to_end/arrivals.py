"""Whether requests that cannot be answered yet have arrived at a server."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.client import Client
from tests.end_to_end.waiting import eventually

_ROUNDS = 10


def await_arrivals(client: Client, callers: int) -> None:
    """Wait until the requests of this many callers were taken by the server.

    It counts calls only when they end, so Linux tells that everybody is connected; and requests that
    come later are answered only after those before them were taken.
    """
    eventually(lambda: _connections_to(client.port) >= callers, f"{callers} callers are connected")
    for _ in range(_ROUNDS):
        assert client.get("/healthz").status == 200


def _connections_to(port: int) -> int:
    """How many connections to a local port are established."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(local.endswith(f":{port:04X}") and state == "01" for _, local, _, state, *_ in rows)
