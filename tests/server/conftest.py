"""Fixtures of several tests of the server."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.server.stub import StubServer


@pytest.fixture
def stub() -> Iterator[StubServer]:
    """A server that is not Livesheets."""
    with StubServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
