"""Waiting until a server has received requests that it cannot answer yet."""

from __future__ import annotations

from tests.end_to_end.client import Client

_ROUNDS = 10


def await_received(client: Client) -> None:
    """Wait until the server has taken every request that was sent whole before this call.

    It counts calls only when they end, but requests that come later are answered only after those
    before them were taken.
    """
    for _ in range(_ROUNDS):
        assert client.get("/healthz").status == 200
