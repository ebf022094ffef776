"""One server for each module; before each test its sample data is restored."""

from __future__ import annotations

import pytest

from tests.end_to_end.git_on_path import GitOnPath
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.restored import RestoredServer
from tests.end_to_end.server_process import ServerProcess


@pytest.fixture
def server(restored: RestoredServer) -> ServerProcess:
    """The server."""
    return restored.server


@pytest.fixture
def remote(restored: RestoredServer) -> DataRemote:
    """What it serves."""
    return restored.remote


@pytest.fixture
def git(restored: RestoredServer) -> GitOnPath:
    """The git on its PATH."""
    return restored.git
